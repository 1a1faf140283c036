"""Looks into a text file before Spark reads it: does it decode, and which columns has it."""

import codecs
import csv
from pathlib import Path

from datasets.errors import DataError, UsageError

_CHUNK = 1 << 22


def java_name(encoding: str) -> str:
    """The encoding's name as Java knows it.

    Raises:
        UsageError: Python does not know it.
    """
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise UsageError(
            f"encoding={encoding!r} is not known; common ones are utf-8, latin-1, cp1252, utf-16"
        ) from None


def check_encoding(path: Path, encoding: str) -> None:
    """Check that the whole file decodes, since Spark would quietly replace what does not.

    Raises:
        DataError: there is no such file, or a line does not decode: names it and what to try.
    """
    java_name(encoding)
    if not path.is_file():
        raise DataError(f"no file {path}; set path= to its place")
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = 1
    with path.open("rb") as file:
        while True:
            chunk = file.read(_CHUNK)
            try:
                lines += decoder.decode(chunk, final=not chunk).count("\n")
            except UnicodeDecodeError as error:
                line = lines + error.object[: error.start].count(b"\n")
                raise DataError(
                    f"{path}, line {line}: byte 0x{error.object[error.start]:02x} is not {encoding}; say how the "
                    "file is written with encoding= (latin-1, cp1252, utf-16 ...)"
                ) from None
            if not chunk:
                return


def columns(path: Path, encoding: str, separator: str, header: bool) -> list[str]:
    """The names in the header, or the positions where there is none.

    Raises:
        DataError: the file is empty.
        UsageError: the separator is not one character.
    """
    if len(separator) != 1:
        raise UsageError(f"separator={separator!r}: expected one character, or tab")
    with path.open(encoding=encoding, newline="") as file:
        first = next(csv.reader(file, delimiter=separator), None)
    if not first:
        raise DataError(
            f"{path} is empty or begins with an empty line: its first line says which columns it has"
        )
    if not header:
        return [str(n) for n in range(len(first))]
    return [name.removeprefix("\ufeff").strip() for name in first]
