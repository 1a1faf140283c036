"""Unpacking of an archive beside its final place, and renaming, so that the folder is complete or absent."""

import shutil
import zipfile
from pathlib import Path, PurePosixPath

from core.errors import DataError


def unpack(archive: Path, folder: str, target: Path) -> Path:
    """Unpack the zip `archive`, which contains one folder named `folder`, to `target/folder`.

    Raises:
        DataError: it is no zip, is damaged, has an entry outside of the target folder, or has no such folder.
    """
    temporary = target / f".{folder}.unpacking"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            _check_names(opened, archive)
            _need_space(opened, target)
            opened.extractall(temporary)
    except (zipfile.BadZipFile, EOFError) as error:
        archive.unlink()
        raise DataError(
            f"{archive} is not a complete zip archive ({error}) and has been deleted; fetch it again"
        ) from None
    else:
        if not (temporary / folder).is_dir():
            raise DataError(
                f"{archive} has no folder {folder}, so the publisher has changed its layout: unpack it by hand to {target / folder}"
            )
        (temporary / folder).replace(target / folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target / folder


def _check_names(opened: zipfile.ZipFile, archive: Path) -> None:
    for entry in opened.infolist():
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        link = entry.external_attr >> 28 == 0xA  # a symbolic link could point anywhere
        if path.is_absolute() or ".." in path.parts or link:
            raise DataError(
                f"{archive}: its entry {entry.filename!r} would be unpacked outside of the target folder; nothing was unpacked. "
                "Get the archive from its publisher again"
            )


def _need_space(opened: zipfile.ZipFile, target: Path) -> None:
    needed = sum(entry.file_size for entry in opened.infolist())
    available = shutil.disk_usage(target).free
    if needed > available:
        raise DataError(
            f"{target}: {needed:,} bytes are needed to unpack and {available:,} are available; free some space or "
            "choose another folder with --cache"
        )
