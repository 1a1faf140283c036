"""Cassandra's node is killed while `feedback` and `refresh` write to it, and started again at once."""

from experiments.studies.drills import victims
from experiments.studies.stream_drills.drill import EVERY, FEEDBACK, Ground, Plain, Setting


class Cassandra(Plain):
    """The lake goes on; `feedback` and `refresh` write their batches again when the node is back."""

    what = "Cassandra's node (kill -9), started again at once"
    setting = Setting("events", EVERY, FEEDBACK)

    def strike(self, ground: Ground) -> str:
        victims.kill(victims.service(ground.run_dir, "cassandra-1"))
        return "cassandra-1"

    def mend(self, ground: Ground) -> bool:
        ground.cluster.up({"cassandra"})
        return True


DRILL = Cassandra()
