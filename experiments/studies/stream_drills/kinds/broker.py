"""Kafka's broker is killed while messages are sent and read, and started again after some seconds."""

import time

from experiments.studies.drills import victims
from experiments.studies.stream_drills.drill import Ground, Plain, Setting

_GONE_S = 5.0


class Broker(Plain):
    """The producer keeps what was not acknowledged and sends it again; the queries wait or start again."""

    what = "Kafka's broker (kill -9), started again after 5 s"
    setting = Setting(rate_s=90.0)

    def strike(self, ground: Ground) -> str:
        victims.kill(victims.service(ground.run_dir, "kafka-1"))
        return "kafka-1"

    def mend(self, ground: Ground) -> bool:
        time.sleep(_GONE_S)
        ground.cluster.up({"kafka"})
        return True


DRILL = Broker()
