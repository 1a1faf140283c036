"""Final verdict of a regression gate."""

from collections.abc import Sequence

from core.errors import UsageError
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
