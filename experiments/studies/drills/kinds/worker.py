"""One worker is killed with its executor, as when its machine fails; it is started again while the application goes on."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from cluster.settings import Settings
from experiments.run.harness import Harness
from experiments.spec.trial import Trial
from experiments.studies.drills import act, victims
from experiments.studies.drills.drill import Drilled, Ground


class Worker:
    """The others go on meanwhile: it needs two workers."""

    what = "a worker with its executor, started again at once"
    recovered = "the first task on an executor of the worker that was started again"
    fixed: Mapping[str, Any] = MappingProxyType({})

    def refusal(self, settings: Settings, trial: Trial) -> str | None:
        return act.on_workers(settings, trial, least=2)

    def run(self, ground: Ground) -> Drilled:
        shape = ground.undisturbed.trial.shape
        name = f"spark-worker-{shape.workers}"

        def hit() -> str:
            count = victims.kill(victims.service(ground.settings.run_dir, name))
            return f"{name} ({count} processes)"

        with Harness(ground.settings) as harness:
            harness.use(shape)
            came = act.disturb(ground, harness, hit, harness.restart_dead)
            came.recovery_s = came.disturbed.tasks.replaced_after(came.fault.moment)
            if came.fault.mended_s is not None:
                came.notes.append(
                    f"the master listed {name} again {came.fault.mended_s:.1f} s after the fault"
                )
            act.swept(ground, came)
            act.compared(ground, harness, came)
        return act.drilled(ground, came)


DRILL = Worker()
