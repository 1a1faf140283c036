"""First lines of docstrings: each names the thing or says what it does, and does not ask."""

import ast
import re

import pytest

from cluster.settings import ROOT
from tests.conftest import PACKAGES

RIDDLE = re.compile(r"(What|How|Where|Why|Who|Whoever|When|If|Whether)\b")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def first_lines(source):
    """Yield node and first line of each docstring in a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, DOCUMENTED) and (text := ast.get_docstring(node)):
            yield node, text.splitlines()[0]


def riddles(source):
    """Return the first lines that begin with a question word; that of a predicate may begin with "Whether"."""
    return [
        line
        for node, line in first_lines(source)
        if (found := RIDDLE.match(line))
        and not (found[1] == "Whether" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_first_lines_begin_with_the_thing_or_an_imperative(package):
    modules = sorted((ROOT / package).rglob("*.py"))
    assert modules
    found = {str(path.relative_to(ROOT)): riddles(path.read_text(encoding="utf-8")) for path in modules}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_a_question_word_is_found_wherever_it_stands():
    source = (
        '"""What it is."""\nclass A:\n    """Whether."""\n    def f(self):\n        """Whether it is."""\n'
    )
    assert riddles(source) == ["What it is.", "Whether."]
