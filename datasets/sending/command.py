"""The command `produce`: its options, and one run of a producer."""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

from core.errors import ENDED, OK, UsageError
from core.files import write_json
from core.log import terminal
from core.options import nearest, pairs, parse
from core.units import count, duration, positive
from datasets.dataset import find
from datasets.producer import Asked, Message, Producer, Supply
from datasets.producers import PRODUCERS
from datasets.sending.bad import KINDS, chosen, spoiled
from datasets.sending.client import connected
from datasets.sending.clock import evenly, now_ms, poisson, started
from datasets.sending.invented import LANGUAGES, language
from datasets.sending.ledger import Ledger, writable
from datasets.sending.outcome import Outcome
from datasets.sending.sender import Sender, Sent
from datasets.topics.connection import Connection

logger = logging.getLogger(__name__)

BROKERS = "RECSCALE_KAFKA_BOOTSTRAP_SERVERS"
_DATA = "data."
_LEAD_MS = 500  # in which the first messages are made
_LINE_EVERY = 10  # calls of progress, of which there is one a second


def options(parser: argparse.ArgumentParser) -> None:
    """Give the command its options."""
    parser.add_argument(
        "name", metavar="NAME", help=f"of the producer: {', '.join(map(_typed, sorted(PRODUCERS)))}"
    )
    parser.add_argument("--brokers", help=f"host:port,... of Kafka (default: {BROKERS}, else 127.0.0.1:9092)")
    parser.add_argument("--rate", help="messages a second, as in 30e3 (default: as fast as it goes)")
    parser.add_argument("--total", help="messages in all (default: all that there are, or until Ctrl-C)")
    parser.add_argument("--seed", type=int, default=1, help="of all that is invented or drawn (default: 1)")
    parser.add_argument(
        "--start",
        help="time of the first message, as in 2026-01-31T08:00:00Z or milliseconds since 1970 (default: now; without --rate so "
        "that the last one is now)",
    )
    parser.add_argument(
        "--density",
        default="1000",
        help="without --rate: messages to a second of their own time (default: 1000)",
    )
    parser.add_argument("--speed", help="ratings: times as fast as they were given (in place of --rate)")
    parser.add_argument("--dataset", metavar="SOURCE/VARIANT", help="that is replayed or drawn from")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="K=V",
        help="option of the producer, or of the data set as data.K=V; repeatable",
    )
    parser.add_argument(
        "--language", default=LANGUAGES[0], help=f"of invented values: {' or '.join(LANGUAGES)} (default: es)"
    )
    parser.add_argument(
        "--ledger",
        type=Path,
        metavar="FILE",
        help="gets the offsets of acknowledged messages, a line a partition",
    )
    parser.add_argument("--result", type=Path, metavar="FILE", help="gets the numbers of the table as JSON")
    parser.add_argument(
        "--patience",
        default="30s",
        help="time after which an unacknowledged message counts as failed (default: 30s)",
    )
    parser.add_argument(
        "--compare",
        action="store_true",
        help="send --total messages several times: as always, built before, and with kafka-python; then once at --rate",
    )
    parser.add_argument(
        "--bad", default="0", metavar="SHARE", help="of messages that are made wrong on purpose, 0 to 1"
    )
    parser.add_argument(
        "--bad-kinds", metavar="KIND,...", help=f"of {', '.join(KINDS)} (default: the first seven)"
    )


def produce(parsed: argparse.Namespace) -> int:
    """Send what was asked for, and print what became of it.

    Raises:
        RecscaleError: a value is not allowed, or not all was sent as asked.
    """
    producer = _producer(parsed)
    share, kinds = _share(parsed.bad), chosen(parsed.bad_kinds)
    patience_s = duration(parsed.patience, "--patience")
    ledger = Ledger() if parsed.ledger and writable(parsed.ledger) else None
    pace = _Pace(parsed, producer)
    if parsed.compare:
        print(_compared(parsed, producer, pace, patience_s))
        return OK
    connect = partial(Sender, _connection(parsed.brokers), producer.topics, ledger, patience_s, _progress())
    # Reading a data set may take minutes, so Kafka is asked before; but not before all words are known to be right.
    asked = _asked(parsed, pace.speed)
    early = connect() if pace.bounded else None
    supply = producer.supply(asked)
    pace.check(supply)
    sender = early or connect()
    outcome = Outcome(parsed.name, pace.paced, sender.sent, patience_s)
    with _ended_by_signal():
        try:
            start = pace.start(supply)
            messages = spoiled(pace.messages(supply, start), share, kinds, parsed.seed)
            if pace.paced:
                sender.paced(messages, start if parsed.start is None else None)
            else:
                sender.rushed(messages)
        finally:
            if ledger:
                ledger.append(parsed.ledger)
            if parsed.result:
                write_json(parsed.result, outcome.values())
            print(outcome.text(), flush=True)
    outcome.check()
    return OK


class _Pace:
    """Times at which messages are due, and the time of the first one."""

    def __init__(self, parsed: argparse.Namespace, producer: Producer) -> None:
        self.rate = None if parsed.rate is None else positive(parsed.rate, "--rate")
        self.speed = None if parsed.speed is None else positive(parsed.speed, "--speed")
        self._density = positive(parsed.density, "--density")
        self._total = None if parsed.total is None else count(parsed.total, "--total")
        self._start = None if parsed.start is None else started(parsed.start)
        self._seed, self._poisson = parsed.seed, producer.poisson
        if self.speed and not producer.replays:
            raise UsageError(
                f"--speed is for producers that replay what happened (ratings); give {parsed.name} a --rate"
            )
        if self.speed and self.rate:
            raise UsageError("--speed and --rate both say when messages are sent: give one of them")

    @property
    def paced(self) -> bool:
        """Whether messages are sent at times of their own; else as fast as it goes."""
        return bool(self.rate or self.speed)

    @property
    def bounded(self) -> bool:
        """Whether what was asked for says how many messages there are, or when each is due."""
        return self._total is not None or self.paced

    def check(self, supply: Supply) -> None:
        """Refuse to send without end as fast as it goes: messages would soon be from the future.

        Raises:
            UsageError: nothing says how many messages there are.
        """
        if self._limit(supply) is None and not self.paced:
            raise UsageError(
                "--total is missing: without --rate it says how many messages there are, as in --total 1e6"
            )

    def start(self, supply: Supply) -> int:
        """Return the time of the first message: as asked, or soon, or so that the last one of those sent at once is now."""
        if self._start is not None:
            return self._start
        if self.paced:
            return now_ms() + _LEAD_MS
        return now_ms() - int(1000 * (self._limit(supply) or 0) / self._density)

    def messages(self, supply: Supply, start: int) -> "islice[Message]":
        """Return as many of the messages as were asked for."""
        return islice(supply.messages(start, self._times(supply)), self._limit(supply))

    def _limit(self, supply: Supply) -> int | None:
        known = [number for number in (self._total, supply.rows) if number is not None]
        return min(known) if known else None

    def _times(self, supply: Supply) -> Iterator[float]:
        if self.speed and supply.times:
            return supply.times()
        rate = self.rate or self._density
        return poisson(rate, self._seed) if self._poisson else evenly(rate)


def _compared(parsed: argparse.Namespace, producer: Producer, pace: _Pace, patience_s: float) -> str:
    # Its second client takes half a second to import, which every other command would wait for.
    from datasets.sending.comparison import Comparison  # noqa: PLC0415

    if pace.speed or parsed.total is None:
        raise UsageError(
            "--compare needs --total and takes no --speed: for example --compare --total 300e3 --rate 30e3"
        )
    connection, asked = _connection(parsed.brokers), _asked(parsed, None)
    connected(connection, producer.topics, patience_s)
    supply = producer.supply(asked)
    total = min(count(parsed.total, "--total"), supply.rows or sys.maxsize)
    comparison = Comparison(
        parsed.name, producer.topics, lambda: pace.messages(supply, pace.start(supply)), total, patience_s
    )
    return comparison.run(connection, pace.rate)


def _producer(parsed: argparse.Namespace) -> Producer:
    name = parsed.name.replace("-", "_")
    if name not in PRODUCERS:
        raise UsageError(f"unknown producer {parsed.name!r}: {nearest(parsed.name, map(_typed, PRODUCERS))}")
    given = pairs(parsed.set, "--set", "watched=0.5")
    own = {key: value for key, value in given.items() if not key.startswith(_DATA)}
    return parse(PRODUCERS[name], own, f"options of the producer {parsed.name}")


def _asked(parsed: argparse.Namespace, speed: float | None) -> Asked:
    given = pairs(parsed.set, "--set", "data.rows=1000")
    data = {key.removeprefix(_DATA): value for key, value in given.items() if key.startswith(_DATA)}
    if data and not parsed.dataset:
        raise UsageError(
            f"--set {_DATA}{next(iter(data))}=... is an option of a data set: name it, too (--dataset source/variant)"
        )
    dataset = find(parsed.dataset, data) if parsed.dataset else None
    return Asked(
        parsed.seed, language(parsed.language), dataset, parsed.data, parsed.cache, speed, parsed.cache.parent
    )


def _connection(brokers: str | None) -> Connection:
    named = brokers or os.environ.get(BROKERS) or "127.0.0.1:9092"
    addresses = [one.strip() for one in named.split(",") if one.strip()]
    if not addresses:
        raise UsageError(f"--brokers must be host:port, or several between commas, got {named!r}")
    return Connection.of(addresses)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError(f"--bad must be a share from 0 to 1, as in 0.02, got {text!r}")
    return share


def _typed(name: str) -> str:
    return name.replace("_", "-")


def _progress() -> Any:
    """Return what is called about once a second: it draws a line on a terminal, or says one every ten seconds."""
    shown, calls = terminal(), iter(range(1, 10**9))

    def tell(sent: Sent) -> None:
        line = f"{sent.handed:,} messages handed over, {sent.delays.longest_s:.3f} s the longest delay"
        if shown and shown.redraws:
            shown.draw(line)
        elif not next(calls) % _LINE_EVERY:
            logger.info("%s", line)

    return tell


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does: what was handed over is waited for and told."""

    def end(*_: object) -> NoReturn:
        raise SystemExit(ENDED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
