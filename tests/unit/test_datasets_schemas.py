"""Schemas of topics: what was promised to consumers once stays."""

import json

import jsonschema
import pytest

from datasets.topics.declared import DEAD_LETTERS, schema, topics
from tests.conftest import ROOT

FROZEN = ROOT / "tests" / "schemas"
NAMES = sorted({*topics()} - {DEAD_LETTERS})


def promised(found):
    """What a consumer relies on: a field's type, and that it is there; descriptions may be mended."""
    return {
        name: {key: value for key, value in one.items() if key != "description"}
        for name, one in found.items()
    }


def broken(frozen, now):
    """Promises of the frozen copy that the schema does not keep."""
    then, fields = promised(frozen["properties"]), promised(now["properties"])
    return [
        *(name for name in then if fields.get(name) != then[name]),
        *(sorted({*frozen["required"]} ^ {*now["required"]})),
        *(["additionalProperties"] if now["additionalProperties"] is not True else []),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_only_gains_optional_fields(name):
    frozen = json.loads((FROZEN / f"{name}.json").read_text(encoding="utf-8"))
    assert broken(frozen, schema(name)) == []


def test_every_broken_promise_is_found():
    frozen = {"properties": {"a": {"type": "string"}, "b": {"type": "number"}}, "required": ["a"]}
    kept = {**frozen, "additionalProperties": True}
    more = {**kept, "properties": {**frozen["properties"], "c": {"type": "string"}}}
    assert broken(frozen, more) == []
    assert broken(frozen, {**more, "required": ["a", "c"]}) == ["c"]
    assert broken(frozen, {**kept, "required": []}) == ["a"]
    assert broken(frozen, {**kept, "properties": {"a": {"type": "integer"}}}) == ["a", "b"]
    assert broken(frozen, {**kept, "additionalProperties": False}) == ["additionalProperties"]


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_has_what_every_message_has_and_types_that_frames_have(name):
    found = schema(name)
    jsonschema.Draft202012Validator.check_schema(found)
    assert {"id", "timestamp", topics()[name].key} <= {*found["required"]} <= {*found["properties"]}
    for field in found["properties"].values():
        assert field["type"] in {"string", "integer", "number", "boolean", "array"}
        assert field["type"] != "array" or field["items"] == {"type": "string"}
