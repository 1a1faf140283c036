"""Interface of a drill of streams: its kinds, its inputs and its result."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from cluster.lifecycle import Cluster
from cluster.settings import Settings
from jobs.streaming import offsets

LAKE, FEEDBACK, REFRESH = "lake", "feedback", "refresh"
EVERY = LAKE, FEEDBACK, REFRESH


@dataclass(frozen=True)
class Setting:
    """Streams and messages of a kind of drill.

    Attributes:
        topic: that is filled, by the producer of the same name.
        streams: that read it.
        watched: stream whose next committed batch shows that all is well again.
        workers: how many there are, of one core each.
        bad: share of messages that are made wrong on purpose; kinds: of these.
        rate_s: seconds over which the messages are spread from the streams' start on, for parts that must be missed while they are
            sent; 0 for messages that are there before.
    """

    topic: str = "users"
    streams: tuple[str, ...] = (LAKE,)
    watched: str = LAKE
    workers: int = 1
    bad: float = 0.001
    kinds: str = ""
    rate_s: float = 0.0


@dataclass
class Ground:
    """Inputs of a drill, and what its course has seen so far.

    Attributes:
        settings: of a cluster of its own.
        failures: of queries since the last fault.
    """

    kind: str
    seed: int
    total: int
    settings: Settings
    setting: Setting
    cluster: Cluster
    failures: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def run_dir(self) -> Path:
        """Folder of the drill's cluster, streams and lake."""
        return self.settings.run_dir

    def home(self, stream: str) -> Path:
        """Return the folder of the query that reads the topic."""
        return self.run_dir / "streams" / stream / self.setting.topic

    def checkpoint(self, stream: str) -> Path:
        """Return the checkpoint of the query that reads the topic."""
        return self.home(stream) / "checkpoint"

    def committed(self, stream: str) -> int:
        """Return how many messages are in batches that a stream has committed."""
        _, ends = offsets.committed(self.checkpoint(stream))
        return sum(ends.values())

    def batch(self, stream: str) -> int:
        """Return the last batch that a stream has committed, -1 for none."""
        return offsets.committed(self.checkpoint(stream))[0]


@dataclass(frozen=True)
class StreamDrilled:
    """Result of a drill.

    Attributes:
        kind, seed, total: what was drilled.
        victim: what was hit; at: messages that were committed by then.
        cold_start_s: from the start of the application to its first committed batch.
        batch_s: seconds between two commits before the fault, the median.
        recovery_s: from the fault to the first batch that was committed after what was hit was there again; None without a fault.
        restarts: of queries and of the application.
        acknowledged: messages; bad: those made wrong on purpose.
        compared: messages and rows; differing: of them. findings: as rows of a table, empty if all is well.
        reconcile_s: seconds of the comparison. seconds: of the drill.
        identity: of code and packages that it ran with.
        environment: as of an outcome.
        ended_at: time of day.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # a name that it does not know is an error

    kind: str
    seed: int
    total: int
    victim: str
    at: int
    cold_start_s: float
    batch_s: float
    recovery_s: float | None
    restarts: int
    acknowledged: int
    bad: int
    compared: int
    differing: int
    findings: list[list[str]]
    reconcile_s: float
    seconds: float
    notes: list[str]
    identity: str
    environment: dict[str, Any]
    ended_at: float

    @property
    def name(self) -> str:
        """Kind, seed and size in one word."""
        return f"{self.kind}-{self.seed}-{self.total}"

    @property
    def allowed_s(self) -> float:
        """Seconds that a recovery may take that starts the application again: one and a half cold starts, and two batches."""
        return 1.5 * self.cold_start_s + 2 * self.batch_s

    @property
    def good(self) -> bool:
        """Whether everything was reconciled."""
        return self.differing == 0


class StreamDrill(Protocol):
    """One kind of drill. One file in `experiments/studies/stream_drills/kinds` binds an instance to DRILL.

    Attributes:
        what: is hit, for a person.
        setting: what runs meanwhile.
    """

    what: str
    setting: Setting

    @property
    def parts(self) -> "Sequence[StreamDrill]":
        """Drills that hit something, one after another: for most the drill itself."""

    def refusal(self) -> str | None:
        """Say why it cannot be done on this machine, None if it can."""

    def prepare(self, ground: Ground) -> None:
        """Make ready before the streams start; what is made is removed by `clear`."""

    def clear(self, ground: Ground) -> None:
        """Remove what `prepare` made."""

    def strike(self, ground: Ground) -> str:
        """Hit; return what was hit."""

    def mend(self, ground: Ground) -> bool:
        """Bring back what was hit, once it has been missed; return whether it is there again. Called until it is."""


class Plain:
    """A drill with nothing to prepare and nothing to mend."""

    what = ""
    setting = Setting()

    @property
    def parts(self) -> Sequence[StreamDrill]:
        return (self,)

    def refusal(self) -> str | None:
        return None

    def prepare(self, ground: Ground) -> None:
        """Nothing to do."""

    def clear(self, ground: Ground) -> None:
        """Nothing to do."""

    def strike(self, ground: Ground) -> str:  # noqa: ARG002 - as of StreamDrill
        return ""

    def mend(self, ground: Ground) -> bool:  # noqa: ARG002 - as of StreamDrill
        return True
