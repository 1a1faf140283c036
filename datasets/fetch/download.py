"""Download of publishers' archives: resumable and checked; an archive is complete or absent."""

import errno
import fcntl
import http.client
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.errors import DataError, Unreachable
from core.files import read_json, write_json
from datasets.fetch.check import check_archive
from datasets.fetch.progress import Progress
from datasets.fetch.unpack import unpack
from datasets.source import Variant

_CHUNK = 1 << 18
_TIMEOUT = 10.0
_MARGIN = 32 << 20
_GONE = (
    http.HTTPStatus.NOT_FOUND,
    http.HTTPStatus.GONE,
)  # other refusals may be a proxy's or pass by themselves
_INSTEAD = "put the publisher's unpacked folder into the folder that RECSCALE_DATA names, or run on a synthetic data set"


def found(variant: Variant, *roots: Path | None) -> Path | None:
    """Return the folder of a variant in the first of `roots` that has it; None if none has.

    A variant that names its files is also found if they are directly in a root.
    """
    for root in roots:
        if root is None:
            continue
        places = [root / variant.folder, root] if variant.files else [root / variant.folder]
        for place in places:
            if place.is_dir() and all(any(place.glob(name)) for name in variant.files):
                return place
    return None


def locate(variant: Variant, data: Path | None, cache: Path) -> Path:
    """Return the folder of a variant's files: in `data`, else in `cache`, else downloaded into `cache`.

    The download is a zip of the folder, or the one file that the variant names.

    Raises:
        Unreachable: the publisher cannot be reached, or requires an account.
        DataError: the download is incomplete (the part is kept and continued next time), or `data` is given and is no
            folder.
    """
    if data is not None and not data.is_dir():
        raise DataError(
            f"{data} is not a folder: correct RECSCALE_DATA (DATA=/folder), or unset it to download {variant.folder}"
        )
    place = found(variant, data, cache)
    if place is not None:
        return place
    if variant.url is None:
        raise _by_hand(variant, data, cache)
    with _out_of_space(cache), _alone(cache, variant.folder):
        if found(variant, cache) is None:  # another process may have fetched it meanwhile
            single = variant.files[0] if variant.files else None
            archive = cache / (f"{single}.fetched" if single else f"{variant.folder}.zip")
            if not archive.exists():
                download(variant.url, archive)
            record = cache / f"{single or variant.folder}.digest.json"
            check_archive(archive, variant.url, variant.md5, record)
            if single:
                (cache / variant.folder).mkdir(exist_ok=True)
                archive.replace(cache / variant.folder / single)
            else:
                unpack(archive, variant.folder, cache)
                archive.unlink()
    return cache / variant.folder


def _by_hand(variant: Variant, data: Path | None, cache: Path) -> DataError:
    wanted = ", ".join(variant.files) or variant.folder
    if variant.page is None:
        return DataError(
            f"{wanted} is in neither {data} nor {cache} and cannot be downloaded; put it into one of them"
        )
    root = data or "FOLDER"
    return Unreachable(
        f"{wanted} cannot be downloaded without an account of its publisher. Get it from {variant.page}, unpack it into "
        f"{root}/{variant.folder}/" + ("" if data else " and set RECSCALE_DATA=FOLDER (make: DATA=FOLDER)")
    )


def download(url: str, target: Path, timeout: float = _TIMEOUT) -> None:
    """Download `url` to `target`, continuing an earlier attempt if the server still has the same file.

    Raises:
        Unreachable: no connection within `timeout` seconds, or it broke.
        DataError: the server has no such file, the transfer ends early, or the disk is full; the transferred part is kept.
    """
    part = target.with_name(target.name + ".part")
    about = target.with_name(target.name + ".part.json")
    target.parent.mkdir(parents=True, exist_ok=True)
    have = part.stat().st_size if part.exists() and about.exists() else 0
    mark = _known_mark(about) if have else None
    with _out_of_space(target.parent), _open(url, have if mark else 0, mark, timeout) as answer:
        resumed = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        if resumed and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink()
            raise DataError(
                f"{url}: the server continued at another byte than {have:,}, which was requested; run the command again to start over"
            )
        have = have if resumed else 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length is not None else None
        _need_space(target.parent, (total or 0) - have)
        if not resumed:
            part.unlink(missing_ok=True)  # before the mark is noted: these bytes are of another file
        write_json(about, {"url": url, "mark": _mark(answer)})
        done = _transfer(answer, part, have, Progress(target.name, total, have), url)
    if total is not None and done < total:
        raise DataError(
            f"{url}: the transfer ended after {done:,} of {total:,} bytes; run the command again to continue from there"
        )
    part.replace(target)
    about.unlink()


def _open(url: str, have: int, mark: str | None, timeout: float) -> Any:
    headers = {"User-Agent": "recscale", "Accept-Encoding": "identity"}
    if have and mark:
        headers |= {"Range": f"bytes={have}-", "If-Range": mark}
    try:
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - addresses are the sources' own
        return urllib.request.urlopen(request, timeout=timeout)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return _open(url, 0, None, timeout)  # the part is as long as the file or longer: start afresh
        kind = DataError if error.code in _GONE else Unreachable
        raise kind(f"{url}: the server answers {error.code} {error.reason}; {_INSTEAD}") from None
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise Unreachable(f"{url} cannot be reached ({reason}); {_INSTEAD}") from None


def _known_mark(about: Path) -> str | None:
    """Return the mark of the file of which a part is here; None if it is unknown, and the file is fetched from its beginning."""
    mark = (read_json(about) or {}).get("mark")
    return mark if isinstance(mark, str) else None


def _mark(answer: Any) -> str | None:
    """Return the mark by which the same file is recognised: a strong ETag, else the time of its last change."""
    tag = answer.headers.get("ETag")
    if tag and not tag.startswith("W/"):
        return str(tag)
    changed = answer.headers.get("Last-Modified")
    return str(changed) if changed else None


def _transfer(answer: Any, part: Path, have: int, progress: Progress, url: str) -> int:
    with part.open("ab" if have else "wb") as file:
        try:
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                progress.add(len(chunk))
        except http.client.IncompleteRead as error:
            file.write(error.partial)
            progress.add(len(error.partial))
        except (TimeoutError, ConnectionError) as error:
            raise DataError(
                f"{url}: the connection broke ({error}); run the command again to continue from there"
            ) from None
    progress.finish()
    return progress.done


def _need_space(folder: Path, needed: int) -> None:
    available = shutil.disk_usage(folder).free
    if needed + _MARGIN > available:
        raise DataError(
            f"{folder}: {needed + _MARGIN:,} bytes are needed and {available:,} are available; free some space or "
            "choose another folder with --cache"
        )


@contextmanager
def _out_of_space(folder: Path) -> Iterator[None]:
    """Turn the errors of a full disk and of a read-only folder into DataErrors."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DataError(
                f"{folder}: no space is left ({error.strerror}); free some space and run the command again. The transferred part is "
                "kept"
            ) from None
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise DataError(
                f"{folder} cannot be written ({error.strerror}); choose another folder with --cache"
            ) from None
        raise


@contextmanager
def _alone(cache: Path, folder: str) -> Iterator[None]:
    """Lock a data set, so that one process at a time fetches it."""
    cache.mkdir(parents=True, exist_ok=True)
    handle = os.open(cache / f".{folder}.lock", os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
