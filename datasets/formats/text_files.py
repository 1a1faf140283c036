"""Text files, compressed or not, in any encoding that Python knows.

A byte that does not decode becomes a character of its own (`KEPT`), so that only its line is rejected and the byte can be
shown.
"""

import bz2
import codecs
import gzip
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from core.errors import DataError, UsageError

KEPT = re.compile("[\ud800-\udfff]")
"""A byte that does not decode, as U+DC00 plus its value. No text decodes to such a character, and no table can contain it."""

_HANDLER = "recscale.keep"
_CHUNK = 1 << 20
_GZIP, _BZIP2, _XZ, _ZSTD, _ZIP = "gzip", "bzip2", "xz", "zstd", "zip"
_BEGINNINGS = {
    re.compile(rb"\x1f\x8b\x08"): _GZIP,
    re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"): _BZIP2,
    re.compile(rb"\xfd7zXZ\x00"): _XZ,
    re.compile(rb"\x28\xb5\x2f\xfd"): _ZSTD,
    re.compile(rb"PK(?:\x03\x04|\x05\x06)"): _ZIP,
}
_ENDINGS = {".gz": _GZIP, ".bz2": _BZIP2, ".xz": _XZ, ".zst": _ZSTD, ".zip": _ZIP}
_OTHERS = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it",
    b"Rar!\x1a\x07": "a RAR archive: unpack it",
    b"\x04\x22\x4d\x18": "compressed with lz4: decompress it",
    b"\x1f\x9d": "compressed with compress: decompress it",
    b"PAR1": "a Parquet file: write it as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save it as CSV",
    b"SQLite format 3\x00": "an SQLite database: export the table as CSV",
}
_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF8: "utf-8-sig"}
_TAR = slice(257, 262)


def _keep(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(chr(0xDC00 + byte) for byte in bad), error.end


codecs.register_error(_HANDLER, _keep)


def shown(text: str) -> str:
    r"""Return the text with every byte that did not decode written as in `\xe9`."""
    return KEPT.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", text)


def check_encoding(encoding: str) -> None:
    """Refuse an encoding that Python does not know, or that is no encoding of text.

    Raises:
        UsageError: with common encodings.
    """
    try:
        _decoder(encoding).decode(b"")
    except (LookupError, UnicodeError, AttributeError):
        raise UsageError(
            f"encoding must be a text encoding that Python knows, for example utf-8, latin-1, cp1252 or utf-16, got "
            f"encoding={encoding!r}"
        ) from None


def compression(path: Path) -> str | None:
    """Return how a file is compressed, by its first bytes; None if it is not.

    Raises:
        DataError: it is an archive or no text, or its name's ending says another compression than its bytes.
    """
    with path.open("rb") as file:
        first = file.read(512)
    for beginning, what in _OTHERS.items():
        if first.startswith(beginning):
            raise DataError(f"{path} is {what}, then name the new file with path=")
    found = next((how for beginning, how in _BEGINNINGS.items() if beginning.match(first)), None)
    if found == _ZIP:
        raise DataError(f"{path} is {_members(path)}")
    said = _ENDINGS.get(path.suffix.lower())
    if said is not None and found != said and first:
        instead = f"is compressed with {found}" if found else "is not compressed"
        raise DataError(
            f"{path} ends in {path.suffix}, but its content {instead}: give it the right ending, or fetch it again"
        )
    return found


def _members(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return "a damaged zip archive: fetch it again"
    if "[Content_Types].xml" in names:
        return "an Excel workbook: save it as CSV, then name the new file with path="
    listed = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    return f"a zip archive with the members {listed}: unpack it, then name one of them with path="


def chunks(path: Path, encoding: str) -> Iterator[str]:
    """Yield a file's text in pieces, decompressed, without its byte order mark.

    Raises:
        DataError: it is damaged or no text; with the next step.
    """
    how = compression(path)
    decoder = _decoder(encoding)
    first = True
    try:
        with path.open("rb") as raw, _decompressed(raw, how) as file:
            while True:
                piece = file.read(_CHUNK)
                if first:
                    _check_beginning(path, piece, encoding)
                text = decoder.decode(piece, final=not piece)
                if first and text:
                    text, first = text.removeprefix("\ufeff"), False
                if text:
                    yield text
                if not piece:
                    return
    except (EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        if how is None:
            raise
        raise DataError(
            f"{path} is damaged: it does not decompress as {how} ({error}); fetch it again"
        ) from error
    except UnicodeError as error:
        raise DataError(
            f"{path} is not in the encoding {encoding}: {error}; try encoding=utf-16-le or utf-16-be"
        ) from None


def _decompressed(raw: IO[bytes], how: str | None) -> Any:
    if how == _GZIP:
        return gzip.GzipFile(fileobj=raw)
    if how == _BZIP2:
        return bz2.BZ2File(raw)
    if how == _XZ:
        return lzma.LZMAFile(raw)
    if how == _ZSTD:
        return pa.CompressedInputStream(raw, "zstd")
    return raw


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    if not getattr(codecs.lookup(encoding), "_is_text_encoding", True):
        raise LookupError(encoding)
    return codecs.getincrementaldecoder(encoding)(_HANDLER)


def _check_beginning(path: Path, piece: bytes, encoding: str) -> None:
    if piece[_TAR] == b"ustar":
        raise DataError(f"{path} is a tar archive: unpack it, then name one of its files with path=")
    for mark, name in _MARKS.items():
        plain = codecs.lookup(encoding).name
        if (
            piece.startswith(mark)
            and not plain.startswith(name.removesuffix("-sig"))
            and plain[:6] != "utf-32"
        ):
            raise DataError(f"{path} begins with the byte order mark of {name}: set encoding={name}")


def line_end(path: Path, encoding: str) -> str:
    r"""Return the line end of a file: "\n" if it has any, else "\r" if it has any of those."""
    found = "\n"
    for text in chunks(path, encoding):
        if "\n" in text:
            return "\n"
        if "\r" in text:
            found = "\r"
    return found
