"""`gate`: is the working tree slower or worse than a revision?"""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from core.errors import GATE, OK, RecscaleError, UsageError
from experiments.cli.commands import Command
from experiments.cli.compared import arguments, compared
from experiments.stats.ratios import LEAST_PAIRS
from experiments.studies.compare.verdict import Verdict, interval_of


def usable(tolerance: float, quality_tolerance: float, pairs: int) -> None:
    """Refuse a gate that could never fail.

    Raises:
        UsageError: too few pairs for a verdict, or a tolerance that is no share.
    """
    if pairs < LEAST_PAIRS:
        raise UsageError(
            f"a gate needs at least {LEAST_PAIRS} pairs, got {pairs}: with fewer there is no verdict, so it could never fail "
            "(set PAIRS=10)"
        )
    for name, value in (("tolerance", tolerance), ("quality-tolerance", quality_tolerance)):
        if not 0 <= value < 10:
            raise UsageError(f"--{name} must be a share of 0 or more, for example 0.05 for 5%, got {value}")


def closing(found: Verdict, failures: Sequence[str], tolerance: float) -> str:
    """Return the one line that a build log is searched for; `tolerance` is that of time."""
    if failures:
        return f"gate: failed: {'; '.join(failures)}"
    assert found.timing.slower_detectable is not None
    tolerated = (
        " within the tolerance" if found.timing.verdict == "slower" or found.quality == "worse" else ""
    )
    return (
        f"gate: passed{tolerated}: {found.timing.verdict} in time ({interval_of(found.timing)}), {found.quality} in quality; it finds "
        f"slowdowns of {(1 + tolerance) * found.timing.slower_detectable - 1:.1%} and more"
    )


def _run(given: Namespace) -> int:
    """Its last line says whether the contender may pass."""
    usable(given.tolerance, given.quality_tolerance, given.pairs)
    try:
        found = compared(given, [f"rev={given.base}"], [f"rev={given.contender}"])
    except RecscaleError as error:
        print(f"gate: no verdict: {str(error).splitlines()[0]}", flush=True)
        raise
    failures = found.failures(given.tolerance, given.quality_tolerance)
    print(closing(found, failures, given.tolerance), flush=True)
    return GATE if failures else OK


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("spec", nargs="?", default="gate", help="name or path of a spec (default gate)")
    arguments(parser)
    parser.add_argument("--base", required=True, help="git revision that it must not fall behind")
    parser.add_argument("--contender", default="worktree", help="git revision (default: the working tree)")
    what = "share of {} that may be lost (0.05 is 5%%); the whole interval must lie beyond it to fail (default 0)"
    parser.add_argument("--tolerance", type=float, default=0.0, help=what.format("time"))
    parser.add_argument("--quality-tolerance", type=float, default=0.0, help=what.format("quality"))


COMMAND = Command("exit with 4 if the working tree is slower or worse than a revision", _run, _arguments)
