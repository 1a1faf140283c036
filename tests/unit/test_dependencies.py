"""What the code imports is declared: a package that came only with another one would go with it."""

import ast
import re
import sys
import tomllib
from importlib import metadata

from cluster.settings import ROOT
from tests.conftest import PACKAGES


def imported():
    """Top-level names of the modules that the packages import from elsewhere, those of scripts in texts too."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Import):
                    yield from (alias.name.partition(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield node.module.partition(".")[0]
            yield from re.findall(r"^import (\w+)", text, re.MULTILINE)


def test_every_import_is_of_a_declared_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.match(r"[\w.-]+", line)[0].lower() for line in project["dependencies"]}
    ours, standard = set(PACKAGES), set(sys.stdlib_module_names)
    owners = metadata.packages_distributions()
    found = {
        name: {owner.lower() for owner in owners[name]} for name in sorted({*imported()} - ours - standard)
    }
    assert len(found) > 10
    assert {name: owner for name, owner in found.items() if not owner & declared} == {}
