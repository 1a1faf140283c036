"""What a command says and exits with when it ends with an error."""

import pytest

from cluster.errors import ServiceError, SettingsError
from datasets.errors import DataError, UsageError
from experiments import __main__ as command_line
from experiments.command import Command
from experiments.errors import RecordingError
from jobs.errors import JobError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        *(
            (UsageError("no"), 2),
            (SettingsError("no"), 2),
            (ServiceError("no"), 3),
            (RecordingError("no"), 3),
        ),
        *((JobError("no"), 1), (DataError("no"), 1), (KeyboardInterrupt(), 130)),
    ],
)
def test_each_error_has_its_code_and_no_traceback(monkeypatch, capsys, error, code):
    def ends(_):
        raise error

    monkeypatch.setattr(command_line, "COMMANDS", {"ends": Command("ends", ends, lambda _: None)})
    assert command_line.main(["ends"]) == code
    assert "Traceback" not in capsys.readouterr().err
