"""Text tables: columns that line up, lines that fit."""

from core.text_tables import columns, hanging, table, wrapped


def test_columns_are_aligned():
    assert columns([("a", "long"), ("much longer", "b")]) == ["a            long", "much longer  b"]
    assert columns([("name", "rows", "x"), ("a", "7", "y")], right={1}) == ["name  rows  x", "a        7  y"]
    assert columns([]) == []


def test_a_table_has_names_on_the_left_and_numbers_on_the_right():
    assert table(["model", "s"], [["als", "9.5"], ["popularity", "10.25"]]).splitlines() == [
        "model           s",
        "----------  -----",
        "als           9.5",
        "popularity  10.25",
    ]


def test_a_long_cell_is_wrapped_and_what_continues_is_aligned_to_the_left():
    lines = table(["name", "what"], [["a", "one two three four"], ["b", "-"]], width=16).splitlines()
    assert lines[2:] == ["a     one two", "      three four", "b     -"]


def test_too_many_columns_are_shown_in_parts_with_the_names_in_each():
    header = ["name", *(f"column{n}" for n in range(6))]
    text = table(header, [["a", *"123456"], ["b", *"654321"]], width=34)
    parts = text.split("\n\n")
    assert len(parts) == 2
    assert all(part.startswith("name") and "\na " in part and "\nb " in part for part in parts)
    assert max(map(len, text.splitlines())) <= 34


def test_a_single_row_that_is_too_wide_becomes_a_list():
    row = ["a", "x" * 30]
    assert table(["name", "value"], [row], width=36).splitlines()[-1] == f"a     {row[1]}"
    assert table(["name", "value"], [row], width=20).splitlines() == [
        "name   a",
        f"value  {'x' * 13}",
        f"       {'x' * 13}",
        "       xxxx",
    ]


def test_notes_are_broken_between_words_and_paths_stay_whole():
    path = "/a/path-that/is/longer/than/the/line"
    assert wrapped(f"see {path} there", width=20).splitlines() == ["see", f"  {path}", "  there"]
    assert hanging("name", "one two three", 6, width=14).splitlines() == ["name  one two", "      three"]
