"""One executor's JVM is killed; its worker lives, and the master has another one started."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from cluster.settings import Settings
from core.errors import JobError
from experiments.run.harness import Harness
from experiments.spec.trial import Trial
from experiments.studies.drills import act, victims
from experiments.studies.drills.drill import Drilled, Ground


class Executor:
    """Its cached blocks and shuffle files are lost with it."""

    what = "an executor's JVM"
    recovered = "the first task on the executor that the master had started in its place"
    fixed: Mapping[str, Any] = MappingProxyType({})

    def refusal(self, settings: Settings, trial: Trial) -> str | None:
        return act.on_workers(settings, trial)

    def run(self, ground: Ground) -> Drilled:
        with Harness(ground.settings) as harness:
            harness.use(ground.undisturbed.trial.shape)
            came = act.disturb(ground, harness, lambda: _hit(ground))
            came.recovery_s = came.disturbed.tasks.replaced_after(came.fault.moment)
            act.swept(ground, came)
            act.compared(ground, harness, came)
        return act.drilled(ground, came)


def _hit(ground: Ground) -> str:
    found = victims.executors(ground.settings.run_dir)
    if not found:
        raise JobError(
            "no executor runs on the workers of this cluster, so the drill cannot kill one; see make status and "
            "make logs S=spark-worker-1"
        )
    name = victims.owner(found[-1])
    victims.kill(found[-1:])
    return f"an executor of {name}"


DRILL = Executor()
