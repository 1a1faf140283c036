"""Notation of a text with separators, and the rule that divides it into records.

A quotation opens only at a field's beginning, and only if that leads to a record with the right number of fields. A
quotation mark that does not makes its own line a broken one, and no other. Records and broken lines follow each other
without a gap: joined, they are the text again.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from core.errors import UsageError

EMPTY = "is empty"
QUOTES = "its quotes do not match"
RETURN = "holds a carriage return outside of quotes"
WHITE = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\ufeff\u200b"
"""Characters that are removed around a field: Unicode's white space, the byte order mark, the zero-width space."""
LONGEST = 1 << 24
"""Largest number of characters of a record; a closing quotation mark is not searched beyond."""


@dataclass(frozen=True)
class Dialect:
    r"""Notation of a file.

    Attributes:
        separator: between fields, one character or more.
        quote: the character that opens and closes a quotation; None for no quotations.
        escape: the character that makes the next one ordinary; None for no such character.
        multiline: whether a quotation may contain line ends; None: yes, unless one of the lines in it is itself a row.
        line_end: "\n", before which carriage returns do not count, or "\r".
        strict: whether quotation marks within an unquoted field, and blanks around a quoted one, are faults.
    """

    separator: str = ","
    quote: str | None = '"'
    escape: str | None = None
    multiline: bool | None = None
    line_end: str = "\n"
    strict: bool = False

    def __post_init__(self) -> None:
        marks = {"separator": self.separator, "quote": self.quote, "escape": self.escape}
        for name, mark in marks.items():
            if mark is not None and (not mark or set(mark) & set("\r\n")):
                raise UsageError(f"{name} must be a character other than a line end, got {name}={mark!r}")
            if mark is not None and name != "separator" and len(mark) != 1:
                raise UsageError(f"{name} must be one character, or none, got {name}={mark!r}")
        used = [mark for mark in (self.quote, self.escape) if mark is not None]
        if len(set(used)) < len(used) or any(mark in self.separator for mark in used):
            raise UsageError(
                f"separator={self.separator!r}, quote={self.quote!r} and escape={self.escape!r} must differ: "
                "set quote=none or escape=none if the file has none; doubled quotation marks need no escape"
            )

    def is_plain(self, text: str) -> bool:
        """Whether every line of the text is a record or broken, with the separator alone between its fields."""
        return not any(mark in text for mark in (self.quote, self.escape) if mark is not None)

    def bare(self, text: str) -> str:
        """Return a record's text without its line end."""
        if text.endswith(self.line_end):
            text = text[:-1]
        return text.rstrip("\r") if self.line_end == "\n" else text

    def value(self, field: str) -> str:
        """Return a field's value: without quotation marks, with doubled and escaped characters resolved.

        A field that is just an escaped N, as databases write a missing value, is empty.
        """
        escape, inner = self.escape, field.strip(self.blanks)
        if self.quote is not None and inner.startswith(self.quote):
            inner = inner[1:-1]
            if escape is not None and escape in inner:
                return self._escaped.sub(lambda found: str(found[1] or found[0][0]), inner)
            return inner.replace(self.quote * 2, self.quote)
        if escape is None or escape not in field:
            return field
        return (
            "" if inner == f"{escape}N" else self._escaped.sub(lambda found: str(found[1] or found[0]), field)
        )

    def split(self, text: str, *, lines: bool = False) -> tuple[list[str], int] | None:
        """Return the fields of a text's first record, whatever their number, and where it ends; None if it is broken."""
        fields: list[str] = []
        field, end = self._patterns[lines], self._patterns[2]
        place = 0
        while True:
            match = field.match(text, place)
            if match is None:
                return None
            fields.append(match[0])
            place = match.end()
            last = end.match(text, place)
            if last is not None:
                return fields, last.end()
            if not text.startswith(self.separator, place):
                return None
            place += len(self.separator)

    def why(self, line: str, width: int) -> str:
        """Return why a line, without its end, is no record of `width` fields."""
        if not line.strip(WHITE):
            return EMPTY
        found = self.split(line)
        if found is not None:
            return f"has {len(found[0])} fields where {width} are expected"
        if "\r" in line and self.split(line.replace("\r", "")) is not None:
            return RETURN
        return QUOTES

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
        """A field of one line, a field, and the end of a record."""
        expressions = (self.field(lines=False), self.field(lines=True), self.end)
        one, any_, end = map(re.compile, expressions)
        return one, any_, end

    @property
    def finish(self) -> str:
        """The regular expression of a line end."""
        return r"\r*+\n" if self.line_end == "\n" else r"\r"

    @property
    def end(self) -> str:
        """The regular expression of the end of a line or of the text."""
        return rf"(?:{self.finish}|\r*+\Z)" if self.line_end == "\n" else r"(?:\r|\Z)"

    @cached_property
    def blanks(self) -> str:
        """Blanks that may stand around a quotation."""
        return "" if self.strict else "".join(blank for blank in " \t" if blank not in self.separator)

    @cached_property
    def _escaped(self) -> re.Pattern[str]:
        doubled = "" if self.quote is None else rf"|{re.escape(self.quote) * 2}"
        return re.compile(rf"{re.escape(self.escape or '')}([\s\S]){doubled}")

    def field(self, *, lines: bool) -> str:
        """The regular expression of a field, quoted or not; `lines`: whether its quotation may hold line ends."""
        separator = re.escape(self.separator)
        own = re.escape(self.separator) if len(self.separator) == 1 else ""
        escape = re.escape(self.escape) if self.escape is not None else ""
        quote = re.escape(self.quote) if self.quote is not None else ""
        inside = quote if self.strict else ""
        free = rf"[^{own}{escape}{inside}\r\n]"
        if not own:
            free = rf"(?!{separator}){free}"
        if escape:
            free = rf"{escape}[^\r\n]|{free}|{escape}(?=[\r\n]|\Z)"
        free = rf"(?:{free})*+" if escape or not own else rf"{free}*+"
        if not quote:
            return free
        blanks = f"[{self.blanks}]*+" if self.blanks else ""
        return rf"(?:{blanks}{quote}{self._quoted(lines=lines)}{quote}{blanks}|(?!{blanks}{quote}){free})"

    def number(self) -> str:
        """The regular expression of a field that looks like a number, whatever stands before its decimals."""
        around = f"[{re.escape(self.blanks + (self.quote or ''))}]*+" if self.blanks or self.quote else ""
        digits = "0-9" + re.escape("".join(mark for mark in ".," if mark not in self.separator))
        return rf"{around}[-+]?[{digits}]*[0-9](?:[{digits}]|[eE][-+]?)*+{around}"

    def _quoted(self, *, lines: bool) -> str:
        quote, ends = re.escape(self.quote or ""), "" if lines else r"\r\n"
        if self.escape is None:
            return rf"[^{quote}{ends}]*+(?:{quote}{quote}[^{quote}{ends}]*+)*+"
        escape, anything = re.escape(self.escape), r"[\s\S]" if lines else r"[^\r\n]"
        return rf"(?:[^{quote}{escape}{ends}]++|{escape}{anything}|{quote}{quote})*+"

    def opened(self) -> str:
        """The regular expression of a quotation that is open to the end of the text."""
        blanks = f"[{self.blanks}]*+" if self.blanks else ""
        return rf"{blanks}{re.escape(self.quote or '')}{self._quoted(lines=True)}\Z"


class Found(NamedTuple):
    """A record or a broken line: its place in the text, and the fields that are wanted, None if it is broken."""

    begin: int
    end: int
    fields: tuple[str, ...] | None


class Grammar:
    """Finds the records of `width` fields in a text.

    Args:
        dialect: how the text is written.
        width: fields of a record.
        wanted: positions of the fields whose text is returned, in their order in the record.
        numeric: positions of fields that are numbers, by which a row within a quotation is known.
    """

    def __init__(
        self, dialect: Dialect, width: int, wanted: Collection[int] = (), numeric: Collection[int] = ()
    ) -> None:
        self.dialect, self.width = dialect, width
        finish, end = dialect.finish, dialect.end
        single = self._record(wanted, lines=False)
        self._line = re.compile(single + end)
        self._ended = re.compile(f"({single}){finish}")
        self._run = re.compile(rf"(?:{self._record((), lines=False)}{finish})*+")
        self._row = re.compile(self._record((), lines=False, numeric=numeric) + end)
        self._lines = self._open = None
        if dialect.quote is not None and dialect.multiline is not False:
            self._lines = re.compile(self._record(wanted, lines=True) + end)
            field, separator = dialect.field(lines=True), re.escape(dialect.separator)
            self._open = re.compile(rf"(?:{field}{separator}){{0,{width - 1}}}+{dialect.opened()}")

    def _record(self, wanted: Collection[int], *, lines: bool, numeric: Collection[int] = ()) -> str:
        field, separator = self.dialect.field(lines=lines), re.escape(self.dialect.separator)
        number, marked = self.dialect.number(), sorted({*wanted, *numeric})
        parts: list[str] = []
        for place, following in zip([-1, *marked], [*marked, self.width], strict=True):
            if place >= 0:
                parts.append(number if place in numeric else f"({field})")
            between = following - place - 1
            if between:  # as one expression: a file may have hundreds of columns
                parts.append(field + (f"(?:{separator}{field}){{{between - 1}}}" if between > 1 else ""))
        return separator.join(parts)

    def find(self, text: str, begin: int, *, final: bool = True) -> Found | None:
        """Find what begins at a place where a record may begin; None if that takes more of the text.

        Args:
            text: if more follows, it ends with a line end.
            begin: the place.
            final: whether nothing follows the text.
        """
        match = self._line.match(text, begin)
        if match is not None:
            return Found(begin, match.end(), match.groups())
        if self._lines is not None:
            match = self._lines.match(text, begin)
            if match is not None and self._believed(text, begin, match.end()):
                return Found(begin, match.end(), match.groups())
            if match is None and not final and self._is_open(text, begin):
                return None
        end = text.find(self.dialect.line_end, begin)
        return Found(begin, len(text) if end < 0 else end + 1, None)

    def _is_open(self, text: str, begin: int) -> bool:
        return (
            self._open is not None
            and len(text) - begin < LONGEST
            and self._open.match(text, begin) is not None
        )

    def _believed(self, text: str, begin: int, end: int) -> bool:
        """Whether a quotation over several lines is a quotation, and not two stray marks with rows between them."""
        if end - begin > LONGEST:
            return False
        if self.dialect.multiline:
            return True
        mark = self.dialect.line_end
        line = text.find(mark, begin) + 1
        following = text.find(mark, line, end) + 1
        while 0 < following < end:
            if self._row.fullmatch(text, line, following):
                return False
            line, following = following, text.find(mark, following, end) + 1
        return True

    def ends(self, text: str, size: int, *, final: bool) -> Iterator[int]:
        """Yield places in a text, about `size` characters apart, where a record ends; after the last it takes more text."""
        mark = self.dialect.line_end
        whole = len(text) if final else text.rfind(mark) + 1
        seen = text if whole == len(text) else text[:whole]
        plain = self.dialect.is_plain(seen)
        begin = last = 0
        while begin < whole:
            run = whole if plain else self._run_end(seen, begin)
            while run - last > size:  # within a run of one-line records every line end will do
                last = begin if begin > last + size else seen.find(mark, last + size, run) + 1 or run
                yield last
            found = None if run == whole else self.find(seen, run, final=final)
            begin = run if found is None else found.end
            if found is None:
                break
        if begin > last:
            yield begin

    def _run_end(self, text: str, begin: int) -> int:
        """Find where the records of one line that follow each other from a place on end."""
        run = self._run.match(text, begin)
        return begin if run is None else run.end()

    def parts(self, text: str) -> Iterator[Found | list[tuple[str, ...]]]:
        """Yield what a text that begins with a record is made of; together it is the text.

        Records of one line that follow each other come together: of each its text without the line end, then its fields.
        """
        begin, size = 0, len(text)
        while begin < size:
            run = self._run_end(text, begin)
            if run > begin:
                found = self._ended.findall(text, begin, run)
                yield found if self._ended.groups > 1 else [(record,) for record in found]
            if run < size:
                part = self.find(text, run)
                assert part is not None
                yield part
                run = part.end
            begin = run

    def records(self, text: str) -> Iterator[tuple[str, bool]]:
        """Yield each record and broken line of a text without its line end, and whether it is a record."""
        for part in self.parts(text):
            if isinstance(part, Found):
                yield self.dialect.bare(text[part.begin : part.end]), part.fields is not None
            else:
                yield from ((record, True) for record, *_ in part)
