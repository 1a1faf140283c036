"""Pack the project's own packages, and the plug-ins that the environment adds to them, so that executors can import them."""

import hashlib
import io
import zipfile
from pathlib import Path

import core
import datasets
import jobs
from core.plugins import further_sources

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that the zip format can hold


def pack(folder: Path) -> Path | None:
    """Write the packages `jobs`, `datasets` and `core` as they run now, with plug-ins, into one zip under `folder`.

    Timestamps are fixed and the name carries the content's hash, so equal code gives an equal file.

    Returns:
        The zip, or None where the packages were themselves imported from a zip and so were shipped already.
    """
    roots = [Path(path) for package in (jobs, datasets, core) for path in package.__path__]
    if not all(root.is_dir() for root in roots):
        return None
    content = _zip(roots)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"recscale-{hashlib.sha256(content).hexdigest()[:16]}.zip"
    temporary = target.with_name(target.name + ".part")
    temporary.write_bytes(content)
    temporary.replace(target)
    return target


def _zip(roots: list[Path]) -> bytes:
    own = {
        path.relative_to(root.parent).as_posix(): path
        for root in roots
        for path in sorted(root.rglob("*.py"))
    }
    found = further_sources([root.name for root in roots])
    more = {name: path for name, path in found.items() if path.suffix == ".py"}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in (more | own).items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), path.read_bytes())
    return buffer.getvalue()
