"""The driver is killed, Python and JVM at once, as when the host runs out of memory."""

import os
import signal
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import psutil

from cluster.settings import Settings
from experiments.run.harness import Harness
from experiments.spec.trial import Trial
from experiments.studies.drills import act, victims
from experiments.studies.drills.drill import Drilled, Ground


class Driver:
    """The application cannot survive it: it is run again. Executors and Python workers must not stay behind."""

    what = "the driver, its Python and its JVM"
    recovered = "the end of the last executor and Python worker that it left, when the cluster is free again"
    fixed: Mapping[str, Any] = MappingProxyType({})

    def refusal(self, settings: Settings, trial: Trial) -> str | None:
        return act.on_workers(settings, trial)

    def run(self, ground: Ground) -> Drilled:
        leaders: list[int] = []

        def hit() -> str:
            leader = victims.driver(ground.folder / "disturbed")
            leaders.append(leader.pid)
            count = len(victims.group(leader.pid))
            os.killpg(leader.pid, signal.SIGKILL)
            return f"the driver ({count} processes)"

        def remaining() -> list[psutil.Process]:
            groups = [process for leader in leaders for process in victims.group(leader)]
            return [*groups, *victims.leftovers(ground.settings.run_dir)]

        with Harness(ground.settings) as harness:
            harness.use(ground.undisturbed.trial.shape)
            came = act.disturb(ground, harness, hit)
            free, came.left = victims.gone(remaining, act.LEFT_S)
            came.recovery_s = free - came.fault.struck() if free is not None else None
            act.compared(ground, harness, came)
        return act.drilled(ground, came)


DRILL = Driver()
