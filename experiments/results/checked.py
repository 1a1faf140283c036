"""Dataclasses made of the values of JSON files, with every name and type checked."""

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

Made = TypeVar("Made")


@cache
def checked(made: type[Made], *, whole: bool = True) -> Callable[[dict[str, Any]], Made]:
    """Return what makes a dataclass, and those inside it, of a file's values.

    It raises ValueError, which names each wrong value by its place in the file.

    Args:
        made: the dataclass. One that has `__pydantic_config__` with "extra": "forbid" refuses names that it does not know.
        whole: whether files must hold the fields that have a default, too, but for what may not be known (None).
    """
    # It takes a quarter of a second to import, and few commands read such files.
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415

    fields = dataclasses.fields(made)  # type: ignore[arg-type]
    wanted = {item.name for item in fields if item.default is not None} if whole else set()
    make = TypeAdapter(made).validate_python

    def check(values: dict[str, Any]) -> Made:
        if missing := sorted(wanted - values.keys()):
            raise ValueError(f"{', '.join(missing)} missing")
        try:
            return make(values)
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_context=False)
            told = (
                f"{'.'.join(map(str, item['loc']))}: {item['msg']}, got {item['input']!r:.80}"
                for item in wrong
            )
            raise ValueError("; ".join(told)) from None

    return check
