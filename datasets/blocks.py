"""Cut a text that is too long to hold into blocks of whole records.

Cutting needs the text from its beginning, since only that tells whether a line end stands within a quotation, and is
quick; what is made of the blocks can be shared out.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from datasets.dialect import LONGEST, WHITE, Dialect, Grammar
from datasets.errors import DataError
from datasets.text_files import KEPT, shown

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
        grammar: what a record is.
        line: number of the text's first line.
        size: a block may be longer by the longest record.

    Raises:
        DataError: a line is longer than any record can be.
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
                f"line {line:,} has over {_LONGEST_LINE >> 20} million characters: this is no table"
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
    """Put small pieces together, so that what is open at the end of one is not looked at again with each."""
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
            raise DataError("has no line end near its beginning, so it is no table of lines")
    end = text.find(dialect.line_end) + 1 or len(text)
    line = dialect.bare(text[:end])
    if not line.strip(WHITE):
        raise DataError("is empty or begins with an empty line: its first line says which columns it has")
    found = dialect.split(text[:end])
    if found is None and dialect.multiline is not False:
        found = dialect.split(text[:_LONGEST_HEADER], lines=True)
    if found is None:
        more = " (quote=none takes quotation marks for characters like any other)" if dialect.quote else ""
        raise DataError(f"its first line cannot be read, {dialect.why(line, 0)}: {shown(line)[:200]!r}{more}")
    if KEPT.search(text[: found[1]]):
        raise DataError(f"its first line does not decode: {shown(line)[:200]!r}")
    names = [dialect.value(field).strip(WHITE) for field in found[0]]
    return Header(names, found[1], 1 + text.count(dialect.line_end, 0, found[1]))


def after(chunks: Iterable[str], length: int) -> Iterator[str]:
    """The text without its first `length` characters."""
    for chunk in chunks:
        if length < len(chunk):
            yield chunk[length:]
        length = max(0, length - len(chunk))
