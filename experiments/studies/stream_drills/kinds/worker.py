"""The worker whose executor runs the streams is killed with it; the other one takes over."""

from core.errors import JobError
from experiments.studies.drills import victims
from experiments.studies.stream_drills.drill import Ground, Plain, Setting


class Worker(Plain):
    """Two workers of a core each, of which the streams use one."""

    what = "the worker that runs the streams (kill -9), started again at once"
    setting = Setting(workers=2)

    def strike(self, ground: Ground) -> str:
        running = victims.executors(ground.run_dir)
        if not running:
            raise JobError(
                f"no executor runs on the workers of {ground.run_dir}, so the drill cannot kill one"
            )
        name = victims.owner(running[0])
        victims.kill(victims.service(ground.run_dir, name))
        return name

    def mend(self, ground: Ground) -> bool:
        ground.cluster.up({"spark"})
        return True


DRILL = Worker()
