"""What commands end with: the words of errors that are known, and the traceback of those that are not."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from core.errors import (
    DataError,
    JobError,
    RecordingError,
    RecscaleError,
    ServiceError,
    Unreachable,
    UnreadableError,
    UsageError,
)
from experiments import __main__ as main
from tests.conftest import PACKAGES

CODES = {
    RecordingError("the server went away"): 3,
    ServiceError("it died"): 3,
    UsageError("no such thing"): 2,
    UsageError("no such setting"): 2,
    DataError("no such file"): 1,
    Unreachable("no network"): 1,
    JobError("it failed"): 1,
    UnreadableError(Path("x.json"), "is damaged"): 1,
}


def ending_with(monkeypatch, error):
    def command(_):
        raise error

    arguments = SimpleNamespace(command=command)
    monkeypatch.setattr(main, "parser", lambda _: SimpleNamespace(parse_args=lambda _: arguments))


@pytest.mark.parametrize("error", CODES, ids=lambda error: type(error).__name__)
def test_a_known_error_is_told_in_its_words(monkeypatch, capsys, error):
    ending_with(monkeypatch, error)
    assert main.main([]) == CODES[error]
    assert capsys.readouterr().err == f"experiments: {error}\n"


def test_an_interruption_says_how_to_go_on(monkeypatch, capsys):
    ending_with(monkeypatch, KeyboardInterrupt())
    assert main.main([]) == 130
    assert "goes on from there" in capsys.readouterr().err


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch):
    ending_with(monkeypatch, KeyError("key"))
    with pytest.raises(KeyError):
        main.main([])


def test_every_error_of_the_packages_is_known():
    def below(cls):
        return {cls, *(found for sub in cls.__subclasses__() for found in below(sub))}

    ours = {
        cls
        for cls in below(Exception)
        if cls.__module__.partition(".")[0] in PACKAGES
        and not issubclass(cls, ValueError)  # a value that a caller handles
    }
    assert {cls for cls in ours if not issubclass(cls, RecscaleError)} == set()
