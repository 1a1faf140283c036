"""Comparisons on a real cluster of their own, and environments made by the real pip, from a wheel made here."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from datasets.errors import UsageError
from experiments.pairs.packages import replaced, version_of


def wheel(folder, name, version):
    """Write the smallest wheel that pip installs."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": f"__version__ = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = []
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            lines.append(f"{path},sha256={digest},{len(text)}")
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,", ""]))


def test_one_package_is_replaced_and_all_others_stay(tmp_path, monkeypatch):
    wheel(tmp_path, "iniconfig", "99.5")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    said = []
    python = replaced("iniconfig==99.5", tmp_path / "run", said.append)
    assert python != sys.executable
    shown = "import iniconfig, numpy; print(iniconfig.__version__, numpy.__version__)"
    done = subprocess.run([python, "-P", "-c", shown], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["99.5", version_of(sys.executable, "numpy")]
    assert version_of(sys.executable, "iniconfig") != "99.5"
    assert replaced("iniconfig==99.5", tmp_path / "run", said.append) == python
    assert len(said) == 1
    with pytest.raises(UsageError, match=r"installing iniconfig 98\.1 failed"):
        replaced("iniconfig==98.1", tmp_path / "run", said.append)
    assert [path.name for path in (tmp_path / "run" / "environments").iterdir() if path.is_dir()] == [
        python.split("/")[-3]
    ]
