"""Everything that can be hit is hit in one run of the streams, one part after another, while bad messages come too."""

from collections.abc import Sequence

from experiments.studies.stream_drills.drill import EVERY, Ground, Plain, Setting, StreamDrill
from experiments.studies.stream_drills.kinds import broker, cassandra, disk, query, worker
from experiments.studies.stream_drills.kinds.malformed import KINDS


class Together(Plain):
    """Each part is hit when the streams have recovered from the last one: one start and one reconciliation for all of them."""

    what = "every part, one after another, while 5% of the messages are bad"
    setting = Setting("events", EVERY, workers=2, bad=0.05, kinds=KINDS, rate_s=240.0)

    @property
    def parts(self) -> Sequence[StreamDrill]:
        every: Sequence[StreamDrill] = (worker.DRILL, broker.DRILL, cassandra.DRILL, disk.DRILL, query.DRILL)
        return [one for one in every if one.refusal() is None]

    def prepare(self, ground: Ground) -> None:
        for one in self.parts:
            one.prepare(ground)

    def clear(self, ground: Ground) -> None:
        for one in self.parts:
            one.clear(ground)


DRILL = Together()
