"""Cut a text that is too long for memory into blocks of whole records.

Cutting must begin at the text's beginning, because only that shows whether a line end is inside a quotation. It is quick;
the blocks can then be read in parallel.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from core.errors import DataError
from datasets.formats.dialect import LONGEST, WHITE, Dialect, Grammar
from datasets.formats.text_files import KEPT, shown

BLOCK = 1 << 20
_LONGEST_HEADER = 1 << 16
_LONGEST_LINE = 4 * LONGEST


class Block(NamedTuple):
    """Whole records of a text: the number of their first line, from 1, and the text."""

    line: int
    text: str


def blocks(chunks: Iterable[str], grammar: Grammar, line: int = 1, size: int = BLOCK) -> Iterator[Block]:
    """Cut a text into blocks of about `size` characters; together they are the text.

    Args:
        chunks: the text in pieces of any size.
        grammar: rule for records.
        line: number of the text's first line.
        size: a block may be longer by the longest record.

    Raises:
        DataError: a line is longer than the longest record.
    """
    held: list[str] = []
    length = 0
    for text in _gathered(chunks, size):
        held.append(text)
        length += len(text)
        whole = "".join(held)
        rest = 0
        for block in _cut(whole, grammar, line, size, final=False):
            yield block
            line += block.text.count(grammar.dialect.line_end)
            rest += len(block.text)
        if not rest and length > _LONGEST_LINE:
            raise DataError(
                f"line {line:,} is longer than {_LONGEST_LINE >> 20} million characters, the largest allowed, so the file is no "
                "table of lines: check path= and encoding="
            )
        held, length = [whole[rest:]], len(whole) - rest
    yield from _cut("".join(held), grammar, line, size, final=True)


def _cut(text: str, grammar: Grammar, line: int, size: int, *, final: bool) -> Iterator[Block]:
    begin = 0
    for end in grammar.ends(text, size, final=final):
        block = Block(line, text[begin:end])
        yield block
        line += block.text.count(grammar.dialect.line_end)
        begin = end


def _gathered(chunks: Iterable[str], size: int) -> Iterator[str]:
    """Join small pieces, so that an open record at the end of a piece is not parsed again with each next piece."""
    held: list[str] = []
    length = 0
    for chunk in chunks:
        held.append(chunk)
        length += len(chunk)
        if length >= size:
            yield "".join(held)
            held, length = [], 0
    if held:
        yield "".join(held)


class Header(NamedTuple):
    """The first record of a text: its fields, how many characters it takes, and the number of the line after it."""

    fields: list[str]
    length: int
    next_line: int


def header(chunks: Iterable[str], dialect: Dialect) -> Header:
    """Read a text's first record, whatever the number of its fields.

    Raises:
        DataError: the text is empty, or its first line cannot be read.
    """
    text = ""
    for chunk in _gathered(chunks, _LONGEST_HEADER):
        text += chunk
        if dialect.line_end in text:
            break
        if len(text) > LONGEST:
            raise DataError(
                f"the first {LONGEST:,} characters contain no line end, so the file is no table of lines: check path= and "
                "encoding="
            )
    end = text.find(dialect.line_end) + 1 or len(text)
    line = dialect.bare(text[:end])
    if not line.strip(WHITE):
        raise DataError(
            "the file is empty or begins with an empty line; its first line must be the header or a row"
        )
    found = dialect.split(text[:end])
    if found is None and dialect.multiline is not False:
        found = dialect.split(text[:_LONGEST_HEADER], lines=True)
    if found is None:
        more = " (quote=none reads quotation marks as ordinary characters)" if dialect.quote else ""
        raise DataError(
            f"the first line cannot be read ({dialect.why(line, 0)}): {shown(line)[:200]!r}{more}"
        )
    if KEPT.search(text[: found[1]]):
        raise DataError(
            f"the first line does not decode: {shown(line)[:200]!r}; set encoding= to the file's encoding"
        )
    names = [dialect.value(field).strip(WHITE) for field in found[0]]
    return Header(names, found[1], 1 + text.count(dialect.line_end, 0, found[1]))


def after(chunks: Iterable[str], length: int) -> Iterator[str]:
    """Yield the text without its first `length` characters."""
    for chunk in chunks:
        if length < len(chunk):
            yield chunk[length:]
        length = max(0, length - len(chunk))
