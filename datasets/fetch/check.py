"""Check a download against the publisher's checksum and number of rows."""

import hashlib
import time
from pathlib import Path

from core.errors import DataError
from core.files import read_json, write_json

_CHUNK = 1 << 20


def md5(path: Path) -> str:
    """Return the MD5 of a file. Publishers give it; it detects damage, not malice."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def check_archive(archive: Path, url: str, published: str | None, record: Path) -> None:
    """Compare an archive with the publisher's checksum or, if there is none, with that of the first download.

    Args:
        archive: the file just downloaded.
        url: where it came from.
        published: the publisher's MD5, or None for a data set that the publisher changes.
        record: where the digest of such a data set is kept.

    Raises:
        DataError: they differ. A file that differs from the publisher's checksum is deleted. One that differs from an
            earlier download is kept, because it may be the publisher's new edition.
    """
    found = md5(archive)
    if published is not None:
        if found != published:
            archive.unlink()
            raise DataError(
                f"{url}: the downloaded file has MD5 {found}, the publisher gives {published}. It was damaged in transfer and "
                "has been deleted; fetch it again"
            )
        return
    if not record.exists():
        known = {
            "url": url,
            "md5": found,
            "bytes": archive.stat().st_size,
            "fetched": time.strftime("%Y-%m-%d"),
        }
        write_json(record, known)
        return
    kept = read_json(record)
    if kept is None or not {"md5", "fetched"} <= kept.keys():
        raise DataError(
            f"{record} is damaged, so the new download of {url} cannot be compared with the first one: delete it and "
            "fetch again"
        )
    known = kept
    if known["md5"] != found:
        raise DataError(
            f"{url} has changed since {known['fetched']} (MD5 {known['md5']} then, {found} now), so results on it cannot "
            f"be compared with earlier ones. To accept the new edition delete {record} and fetch again"
        )


def rows_remark(found: int, published: int | None) -> str:
    """Compare a number of rows with the publisher's, in words."""
    if published is None:
        return "no published number to compare with"
    if found == published:
        return "complete"
    return f"the publisher's set has {published:,}"
