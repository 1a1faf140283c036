"""README and docs: the README's length, links, the index, and that what is to be typed exists."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.__main__ import main as cluster
from datasets.__main__ import main as datasets
from datasets.producers import PRODUCERS
from experiments.__main__ import main as experiments
from experiments.cli.arguments import read_sets, split_sets
from experiments.spec import loading as spec
from experiments.spec.dotted_names import check_key
from experiments.studies.compare.sides import SOURCE
from jobs.__main__ import main as jobs
from jobs.streams import STREAMS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
MAKE = re.compile(r"\bmake((?:[ \t]+(?:[a-z][a-z-]*|[A-Z_]+=(?:\"[^\"]*\"|\S*)))+)")
VARIABLE = re.compile(r"\b([A-Z_]+)=")
MODULES = {"cluster": cluster, "datasets": datasets, "experiments": experiments, "jobs": jobs}
SETS = re.compile(r"(?:\bSET=|--(?:baseline|contender) )('[^']*'|\"[^\"]*\"|[^\s`|\]]+)")
MODULE = re.compile(r"-m (cluster|datasets|experiments|jobs)\b((?:[ \t]+[^\s`|#;&]+)*)")
OPTION = re.compile(r"(?<!\S)--[a-z][a-z-]*")


def typed(page: Path) -> str:
    """The code of a page, in blocks and in lines."""
    text = page.read_text(encoding="utf-8")
    return "\n".join([*FENCE.findall(text), *CODE.findall(FENCE.sub("", text))])


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Every relative link outside code, as the file that it leads to and its anchor."""
    text = CODE.sub("", FENCE.sub("", page.read_text(encoding="utf-8")))
    for target in LINK.findall(text):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            yield ((page.parent / path).resolve() if path else page), anchor


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def made(page: Path) -> Iterator[tuple[str, set[str]]]:
    """Every target that a page's make commands name, with the variables that are given to it."""
    for line in typed(page).splitlines():
        for words in MAKE.findall(line.partition("#")[0]):
            given = set(VARIABLE.findall(words))
            for word in re.findall(r"(?<!\S)[a-z][a-z-]*(?!\S)", re.sub(r"\"[^\"]*\"", "", words)):
                yield word, given


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200


def test_every_page_is_reachable_from_the_index() -> None:
    reached, waiting = set(), [DOCS / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md" or not page.is_file():
            continue
        reached.add(page)
        waiting += [target for target, _ in links(page)]
    assert {page for page in PAGES if page.is_relative_to(DOCS)} - reached == set()
    assert DOCS / "README.md" in {target for target, _ in links(ROOT / "README.md")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_resolve(page: Path) -> None:
    broken = {str(target) for target, _ in links(page) if not target.exists()}
    assert broken == set()
    wrong = {anchor for target, anchor in links(page) if anchor and anchor not in anchors(target)}
    assert wrong == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_name_what_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    variables = set(re.findall(r"\$\(call \w+,([A-Z_]+)", makefile))
    wanted = list(made(page))
    assert {target for target, _ in wanted} - targets == set()
    assert {name for _, given in wanted for name in given} - variables == set()
    assert (
        set(re.findall(r"\b(?:NAME|SPEC)=([a-z]\w*)", typed(page))) - {*spec.names(), *STREAMS, *PRODUCERS}
        == set()
    )


@pytest.mark.parametrize("page", [*PAGES, ROOT / "Makefile"], ids=lambda page: str(page.relative_to(ROOT)))
def test_values_that_are_set_are_known_by_these_names(page: Path) -> None:
    text = page.read_text(encoding="utf-8") if page.name == "Makefile" else typed(page)
    for given in SETS.findall(text):
        for name in read_sets(split_sets(given.strip("'\"")), beside=SOURCE):
            if name not in SOURCE:
                check_key(name, "train", given)


COMMANDS = sorted({found for page in PAGES for found in MODULE.findall(typed(page))})


@pytest.mark.parametrize(("module", "rest"), COMMANDS, ids=[f"{module}{rest}" for module, rest in COMMANDS])
def test_modules_have_the_commands_and_options_that_are_named(module: str, rest: str, capsys) -> None:
    command = re.match(r"\s+([a-z][a-z-]*)", rest)
    with pytest.raises(SystemExit) as ended:
        MODULES[module]([*([command[1]] if command else []), "--help"])
    assert ended.value.code == 0
    known = OPTION.findall(re.sub(r"[\[\],|]", " ", capsys.readouterr().out))
    assert set(OPTION.findall(rest)) - set(known) == set()
