"""An environment of its own in which one package is replaced and all others are those of this one."""

import hashlib
import logging
import os
import re
import shutil
import sys
from importlib import metadata
from pathlib import Path

from core.errors import UsageError
from core.options import nearest
from experiments.run.launcher import capture
from experiments.studies.compare.building import built

logger = logging.getLogger(__name__)

_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9][A-Za-z0-9.!+_-]*)")
_OURS = ("pyspark", "py4j")
_SITE = "import site, sysconfig; print(sysconfig.get_path('purelib'))"
READY = ".ready"


def replaced(package: str, run_dir: Path, base: str = sys.executable) -> str:
    """Return the Python of an environment with NAME==VERSION in place of what `base` has; made once, used again.

    It is a thin environment on top of `base`: the one package lies in its own folder, which Python looks into first.
    Nothing but the package itself is installed, so that nothing else differs.

    Args:
        package: NAME==VERSION.
        run_dir: gets the environment, `environments/<name>`.
        base: the Python whose packages it shares.

    Raises:
        UsageError: the package is not NAME==VERSION, is not used here, or cannot be installed by pip.
    """
    name, version = pin_of(package)
    folder = (run_dir / "environments" / f"{name}-{version}-{_short(base)}").resolve()
    python = folder / "bin" / "python"
    ready = folder.with_name(folder.name + READY)
    if not ready.exists() or not python.exists():
        shutil.rmtree(folder, ignore_errors=True)
        logger.info("installing %s %s into an environment of its own", name, version)
        try:
            _make(folder, name, version, base)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        ready.touch()
    return str(python)


def pin_of(package: str) -> tuple[str, str]:
    """Read NAME==VERSION.

    Raises:
        UsageError: it is not NAME==VERSION, is not installed here, or has to be the same on the whole cluster.
    """
    found = _PIN.fullmatch(package)
    if not found:
        raise UsageError(f"package must be NAME==VERSION, for example pyarrow==25.0.1, got {package!r}")
    name = re.sub(r"[-_.]+", "-", found[1]).lower()
    known = {re.sub(r"[-_.]+", "-", item.name).lower() for item in metadata.distributions()}
    if name not in known:
        raise UsageError(f"package {found[1]!r} is not among those that run here: {nearest(name, known)}")
    if name in _OURS:
        raise UsageError(
            f"{name} cannot be replaced for one side: master and workers run it too, and a driver of another version "
            "does not fit them. Compare two clusters, each started by its own clone"
        )
    return name, found[2]


def version_of(python: str, name: str) -> str | None:
    """Return the version of a package that a Python would import; None if it has none."""
    asked = f"import importlib.metadata as m; print(m.version({name!r}))"
    return capture([python, "-c", asked], timeout_s=60.0)


def _make(folder: Path, name: str, version: str, base: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    log = folder.with_name(folder.name + ".log")
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    what = f"making an environment with {name} {version}"
    built([base, "-m", "venv", "--without-pip", str(folder)], folder.parent, log, environment, what)
    shared = capture([base, "-c", _SITE], timeout_s=60.0)
    own = capture([str(folder / "bin" / "python"), "-c", _SITE], timeout_s=60.0)
    assert shared is not None
    assert own is not None
    # Folders of .pth files come after the environment's own, whose package therefore goes before the shared one.
    Path(own, "shared.pth").write_text(f"import site; site.addsitedir({shared!r})\n", encoding="utf-8")
    pip = [
        base, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet", "--no-deps",
        "--ignore-installed", "--disable-pip-version-check", "--no-input", f"{name}=={version}",
    ]  # fmt: skip
    built(pip, folder.parent, log, environment, f"installing {name} {version}")
    came = version_of(str(folder / "bin" / "python"), name)
    if came != version:
        raise UsageError(f"{name} {version} was installed, yet Python finds {came}; see {log}")


def _short(base: str) -> str:
    return hashlib.sha256(base.encode()).hexdigest()[:8]
