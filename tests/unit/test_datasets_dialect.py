"""What a record is, without a JVM: no line is lost or merged, however a text is written, chunked and cut."""

import csv
import random

import pytest

from core.errors import DataError, UsageError
from datasets.formats import blocks as cutting
from datasets.formats import dialect as rules
from datasets.formats.blocks import blocks, header
from datasets.formats.dialect import EMPTY, QUOTES, RETURN, Dialect, Found, Grammar

ALPHABET = ["a", "b", ",", ",", '"', '"', "\n", "\n", "\r", "\r\n", "\\", " ", "é", "::", "a,b,1\n", '"x\ny"']


def read(text, width=3, dialect=None, size=1 << 20, step=None, numeric=()):
    """Every record and broken line as (text, values or None, reason or None), read in blocks as a task reads them."""
    dialect = dialect or Dialect()
    grammar = Grammar(dialect, width, range(width), numeric)
    step = step or max(1, len(text))
    found = []
    for block in blocks((text[n : n + step] for n in range(0, len(text), step)), grammar, size=size):
        place = 0
        for part in grammar.parts(block.text):
            if isinstance(part, Found):
                found.append((block.text[place : part.end], part.fields))
                place = part.end
                continue
            for record, *fields in part:
                end = place + len(record)
                while block.text[end] == "\r" and dialect.line_end == "\n":
                    end += 1
                assert block.text[place:end].startswith(record)
                found.append((block.text[place : end + 1], fields))
                place = end + 1
        assert place == len(block.text)
    assert "".join(piece for piece, _ in found) == text
    return [
        (piece, [dialect.value(field) for field in fields], None)
        if fields
        else (piece, None, dialect.why(dialect.bare(piece), width))
        for piece, fields in found
    ]


def values(text, width=3, dialect=None, **how):
    return [fields for _, fields, _ in read(text, width, dialect, **how)]


def reasons(text, width=3, dialect=None, **how):
    return [reason for _, _, reason in read(text, width, dialect, **how)]


def test_quotations_hold_separators_quotes_and_line_ends():
    text = 'a,"b, ""c""",d\n"x\ny","",z\r\n1,2,3'
    assert values(text) == [["a", 'b, "c"', "d"], ["x\ny", "", "z"], ["1", "2", "3"]]


def test_a_quotation_mark_within_a_field_is_a_character():
    assert values('u,12" mix,3\nu,beat"les,4\n') == [["u", '12" mix', "3"], ["u", 'beat"les', "4"]]
    assert reasons('u,12" mix,3\n', dialect=Dialect(strict=True)) == [QUOTES]


def test_blanks_may_stand_around_a_quotation():
    assert values('u, "a, b" ,3\n') == [["u", "a, b", "3"]]
    assert values('u\t"a\tb"\t3\n', dialect=Dialect("\t")) == [["u", "a\tb", "3"]]
    assert reasons('u, "a",3\n', dialect=Dialect(strict=True)) == [QUOTES]


@pytest.mark.parametrize("rows", [2, 2000])
@pytest.mark.parametrize("bad", ['u,"open,3\n', 'u,"a" b,3\n', '"\n', 'u,"a\n'])
def test_a_stray_quotation_mark_costs_its_line_and_no_other(bad, rows):
    good = "".join(f"u{n},i{n},{n % 5}\n" for n in range(rows))
    found = read(bad + good + bad + good)
    assert [piece for piece, fields, _ in found if fields is None] == [bad, bad]
    assert {reason for _, _, reason in found} == {QUOTES, None}
    assert len(found) == 2 * rows + 2


def test_rows_between_two_marks_far_apart_are_rows():
    text = 'u,"open,3\n' + "u,i,4\n" * 50 + 'u,close",5\n'
    assert reasons(text) == [QUOTES] + [None] * 51
    assert values(text, dialect=Dialect(multiline=True)) == [
        ["u", "open,3\n" + "u,i,4\n" * 50 + "u,close", "5"]
    ]


@pytest.mark.parametrize("separator", [",", "\t", "::", " ", ";"])
@pytest.mark.parametrize("number", ["4", "4.5", '"4"', "-1e3", "4,5"])
def test_a_row_between_two_marks_is_known_by_its_numbers(separator, number):
    if separator == "," == number[1:2]:
        number = f'"{number}"'
    row, prose = separator.join(("i", number, "x")) + "\n", separator.join(("so", "so", "la")) + "\n"
    first, last = separator.join(('"open', "3", "x")) + "\n", separator.join(('close"', "5", "y")) + "\n"
    dialect = Dialect(separator)
    assert values(first + prose + last, 3, dialect, numeric=[1]) == [
        [(first + prose + last).removeprefix('"').partition('"')[0], "5", "y"]
    ]
    assert [fields for fields in values(first + row + last, 3, dialect, numeric=[1]) if fields] == [
        ["i", number.strip('"'), "x"],
        ['close"', "5", "y"],
    ]


def test_a_line_of_prose_within_a_quotation_is_no_row():
    text = 'u,"good, bad, fine\nso, so, la\nno",4\n'
    assert reasons(text, numeric=[2]) == [None]
    assert reasons(text) == [QUOTES, None, "has 2 fields where 3 are expected"]


def test_without_multiline_each_line_is_read_alone():
    assert reasons('u,"a\nb",3\nu,"c",4\n', dialect=Dialect(multiline=False)) == [
        QUOTES,
        "has 2 fields where 3 are expected",
        None,
    ]


def test_without_quotes_a_quotation_mark_is_a_character():
    assert values('u,"open,3\nu,"a",4\n', dialect=Dialect(quote=None)) == [
        ["u", '"open', "3"],
        ["u", '"a"', "4"],
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (r'"a \"q\" b"', 'a "q" b'),
        (r'"back\\slash"', r"back\slash"),
        (r'"a\nb"', "anb"),
        ('"a\\\nb"', "a\nb"),
        ('"a ""q"" b"', 'a "q" b'),
        (r"a\,b", "a,b"),
        (r"a\"b", 'a"b'),
        (r"\"b", '"b'),
        (r"\N", ""),
        (r'"\N"', "N"),
        ("a\\", "a\\"),
        ('a""b', 'a""b'),
    ],
)
def test_escapes(field, value):
    assert values(f"u,i,{field}\n", dialect=Dialect(escape="\\")) == [["u", "i", value]]


def test_separators_of_several_characters():
    assert values('1::a:b::"x::y"\n1:::2::3\n', dialect=Dialect("::")) == [
        ["1", "a:b", "x::y"],
        ["1", ":2", "3"],
    ]
    assert values("1\\2\\3\n", dialect=Dialect("\\")) == [["1", "2", "3"]]
    assert values(r"1::a\::b::3", dialect=Dialect("::", escape="\\")) == [["1", "a::b", "3"]]


def test_line_ends_may_be_mixed():
    text = "a,b,c\na,b,c\r\na,b,c\r\r\na,b,c"
    assert values(text) == [["a", "b", "c"]] * 4
    assert values("a,b,c\r\ra,b,c\r", dialect=Dialect(line_end="\r")) == [
        ["a", "b", "c"],
        None,
        ["a", "b", "c"],
    ]


def test_other_line_ends_of_unicode_are_characters():
    assert values("a\u2028,b\x0b,c\x85\n") == [["a\u2028", "b\x0b", "c\x85"]]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", EMPTY),
        (" \t\u3000", EMPTY),
        ("a,b", "has 2 fields where 3 are expected"),
        ('a,"b,c"', "has 2 fields where 3 are expected"),
        ("a,b,c,", "has 4 fields where 3 are expected"),
        ("a,b\rc,d", RETURN),
        ('a,"b\rc",d\re', RETURN),
        ('a,"b"c,d', QUOTES),
    ],
)
def test_reasons(line, reason):
    assert read(f"x,y,z\n{line}\n1,2,3\n")[1] == (f"{line}\n", None, reason)


@pytest.mark.parametrize(
    "wrong",
    [
        {"separator": ""},
        {"separator": "a\n"},
        {"separator": '"'},
        {"separator": '::"'},
        {"separator": "\\", "escape": "\\"},
        {"quote": "''"},
        {"quote": "x", "escape": "x"},
    ],
)
def test_dialects_that_cannot_be(wrong):
    with pytest.raises(UsageError):
        Dialect(**wrong)


def test_header():
    assert header(['"a\nb",', "c \r\nx,y\n"], Dialect())[:] == (["a\nb", "c"], 10, 3)
    for text in ("", "\na,b\n", '"a,b\n', "a\udce9,b\n"):
        with pytest.raises(DataError):
            header([text], Dialect())


def any_text(dice):
    return "".join(dice.choices(ALPHABET, k=dice.randrange(60)))


def any_dialect(dice):
    return Dialect(
        separator=dice.choice([",", ",", "::", " "]),
        quote=dice.choice(['"', '"', '"', None]),
        escape=dice.choice([None, None, "\\"]),
        multiline=dice.choice([None, True, False]),
        line_end=dice.choice(["\n", "\n", "\r"]),
        strict=dice.random() < 0.2,
    )


def test_any_text_is_its_records_however_it_is_cut(monkeypatch):
    """No character is lost, and neither the size of chunks nor that of blocks changes what a record is."""
    dice = random.Random(1)
    for longest in (20, 1 << 24):
        monkeypatch.setattr(rules, "LONGEST", longest)
        for _ in range(1500):
            text, dialect = any_text(dice), any_dialect(dice)
            if dialect.line_end == "\r":
                text = text.replace("\n", "")
            width = dice.randint(2, 4)
            numeric = [2] if width > 2 and dice.random() < 0.5 else []
            whole = read(text, width, dialect, numeric=numeric)
            for _ in range(3):
                size, step = dice.randint(1, 40), dice.randint(1, 20)
                assert read(text, width, dialect, size, step, numeric) == whole, (text, dialect, width)


def test_any_text_loses_no_line():
    dice = random.Random(2)
    for _ in range(3000):
        text = any_text(dice)
        found = read(text)
        lines = text.count("\n") + (not text.endswith("\n") and text != "")
        spanned = sum(piece.count("\n") - 1 for piece, fields, _ in found if fields and "\n" in piece[:-1])
        ends = sum("\n" in piece[:-1] and not piece.endswith("\n") for piece, fields, _ in found if fields)
        assert len(found) == lines - spanned - ends


def test_what_the_standard_library_writes_reads_back():
    dice = random.Random(3)
    for _ in range(500):
        rows = [["".join(dice.choices('ab ,"\n\r', k=dice.randrange(5))) for _ in range(3)] for _ in range(6)]
        mark = dice.choice(["\n", "\r\n"])
        lines = []
        writer = csv.writer(
            type("Out", (), {"write": staticmethod(lines.append)})(),
            quoting=csv.QUOTE_ALL,
            lineterminator=mark,
        )
        writer.writerows(rows)
        assert values("".join(lines), dialect=Dialect(multiline=True)) == rows


def test_a_line_without_end_is_no_table(monkeypatch):
    monkeypatch.setattr(cutting, "_LONGEST_LINE", 100)
    with pytest.raises(DataError):
        list(blocks(["x" * 50] * 5, Grammar(Dialect(), 3), size=10))
