"""Runs `python -m experiments` in processes that are forked from one that has imported what commands need.

Importing MLflow, Matplotlib and SciPy takes a command several seconds of processor time, which is more than most of them
need for their work. Each command still has a process, an environment and a folder of its own. What is about imports
themselves (plug-ins of another folder, other sources, a person's first command) is started anew instead.
"""

import atexit
import contextlib
import functools
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

_MODULES = (
    "experiments.__main__",
    "experiments.cli.commands.report",
    "experiments.cli.commands.run",
    "experiments.record.recorder",
    "experiments.studies.capacity.record",
    "experiments.studies.drills.session",
    "experiments.studies.search.run",
    "matplotlib.backends.backend_svg",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
)


def run(argv, timeout):
    """Run `python -m experiments` with these arguments; return what `subprocess.run` would, with texts."""
    daemon = _daemon()
    with tempfile.TemporaryDirectory() as folder:
        asked = {
            "argv": argv,
            "env": dict(os.environ),
            "cwd": str(Path.cwd()),
            "folder": folder,
            "timeout": timeout,
        }
        try:
            daemon.stdin.write(json.dumps(asked) + "\n")
            daemon.stdin.flush()
            answer = json.loads(daemon.stdout.readline())
        except BaseException:  # the test is over, and so is its command
            _end(daemon)
            _daemon.cache_clear()
            raise
        out, err = ((Path(folder) / name).read_text(errors="replace") for name in ("out", "err"))
    if answer["code"] is None:
        raise subprocess.TimeoutExpired(argv, timeout, out, err)
    return subprocess.CompletedProcess(argv, answer["code"], out, err)


@functools.cache
def _daemon():
    process = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    atexit.register(_end, process)
    return process


def _end(process):
    """End the daemon and the command that it runs, which is in its process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def main():
    before = dict(os.environ)
    for name in _MODULES:
        import_module(name)
    gc.freeze()  # what is imported is no command's garbage
    made = {key: value for key, value in os.environ.items() if before.get(key) != value}
    replies = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if not pid:
            replies.close()
            _become(asked, made)
            sys.exit(import_module("experiments.__main__").main(asked["argv"]))
        print(json.dumps({"code": _wait(pid, asked["timeout"])}), file=replies, flush=True)


def _become(asked, made):
    """Take on what the command would have had from its start."""
    os.environ.clear()
    os.environ.update({**made, **asked["env"]})
    os.chdir(asked["cwd"])
    for number, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, "out", os.O_WRONLY),
        (2, "err", os.O_WRONLY),
    ):
        given = os.open(Path(asked["folder"]) / name, flags | os.O_CREAT)
        os.dup2(given, number)
        os.close(given)
    sys.argv = ["experiments", *asked["argv"]]


def _wait(pid, timeout):
    """Return the command's exit status; None if it took too long and was killed."""
    late = []

    def kill(*_):
        late.append(pid)
        os.kill(pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, kill)
    signal.alarm(timeout)
    _, status = os.waitpid(pid, 0)
    signal.alarm(0)
    return None if late else os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    main()
