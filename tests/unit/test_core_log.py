"""Messages of the command lines: their words, streams and levels, whoever speaks, and nothing outside of them."""

import io
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.log import PACKAGES, shown, terminal

logger = logging.getLogger("experiments.invented")


class Screen(io.StringIO):
    def isatty(self):
        return True


def test_a_message_is_its_words_and_errors_go_elsewhere(capsys):
    with shown():
        logger.debug("nobody asked")
        logger.info("[%d/%d] started", 1, 2)
        logger.warning("warning: ratings look like counts")
        logger.error("left out: a file")
    found = capsys.readouterr()
    assert found.out == "[1/2] started\nwarning: ratings look like counts\n"
    assert found.err == "left out: a file\n"


def test_a_command_may_keep_stdout_for_its_result(capsys):
    with shown(sys.stderr):
        logger.info("building")
    assert capsys.readouterr() == ("", "building\n")


def test_a_fault_is_shown_with_its_traceback():
    err = io.StringIO()
    with shown(err=err):
        try:
            {}["lost"]
        except KeyError:
            logger.exception("a fault")
    begin, *_, end = err.getvalue().splitlines()
    assert (begin, end) == ("a fault", "KeyError: 'lost'")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_of_ours_is_shown_and_others_are_left_alone(package):
    out = io.StringIO()
    with shown(out):
        logging.getLogger(f"{package}.some.module").info("ours")
        for name in ("mlflow", "py4j", "kafka", "cassandra", "alembic", f"{package}s"):
            logging.getLogger(name).info("theirs")
    assert out.getvalue() == "ours\n"


def test_afterwards_all_is_as_it_was(capsys, caplog):
    before = [(one.handlers[:], one.level, one.propagate) for one in map(logging.getLogger, PACKAGES)]
    with pytest.raises(RuntimeError), shown():
        raise RuntimeError
    assert [(one.handlers, one.level, one.propagate) for one in map(logging.getLogger, PACKAGES)] == before
    logger.info("to nobody")
    assert capsys.readouterr() == ("", "")
    assert caplog.messages == ["to nobody"]


def test_the_inner_of_two_shows_a_message_once():
    outer, inner = io.StringIO(), io.StringIO()
    with shown(outer):
        with shown(inner):
            logger.info("once")
        logger.info("after")
    assert (outer.getvalue(), inner.getvalue()) == ("after\n", "once\n")


def test_lines_stay_whole_when_several_threads_speak():
    class Slow(io.StringIO):
        """Writes letter by letter, as a terminal may."""

        def write(self, text):
            return sum(super(Slow, self).write(letter) for letter in text)

    out = Slow()
    with shown(out), ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: logger.info("%s", str(number) * 40), range(8)))
    assert sorted(out.getvalue().splitlines()) == [str(number) * 40 for number in range(8)]


def test_a_message_takes_the_place_of_the_line_that_is_redrawn():
    out = Screen()
    with shown(out):
        screen = terminal()
        assert screen is not None
        assert screen.redraws
        screen.draw("fit, 10 s")
        screen.draw("fit")
        logger.info("done")
        logger.info("more")
    assert out.getvalue() == "\rfit, 10 s\rfit      \r   \rdone\nmore\n"
    assert terminal() is None


def test_a_closed_pipe_is_raised_as_by_print():
    class Closed(io.StringIO):
        def write(self, _):
            raise BrokenPipeError

    with shown(Closed()), pytest.raises(BrokenPipeError):
        logger.info("anybody?")


def test_imports_set_nothing_up():
    modules = "core.log, cluster.__main__, experiments.__main__, experiments.run.harness"
    ask = f"import logging, {modules}; print(logging.root.handlers, logging.getLogger('cluster').handlers)"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout == "[] []\n"
