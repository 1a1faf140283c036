"""The streams' driver is killed between the sink's commit and Spark's: the batch is in the lake, and comes again."""

import os
import signal
import time
from contextlib import suppress

from experiments.run.streams import FOLDER
from experiments.studies.drills import victims
from experiments.studies.stream_drills.drill import EVERY, Ground, Plain, Setting
from jobs.streaming import offsets
from jobs.streaming.tables import Table

_WAIT_S = 60.0
_POLL_S = 0.002


class Query(Plain):
    """Killed as soon as the lake has a batch that is not committed; if Spark was faster, its last commit is removed.

    Both leave the same: a batch that is stored, and that the checkpoint does not know.
    """

    what = "the streams' driver (kill -9) between the sink's commit and Spark's"
    setting = Setting("events", EVERY)

    def strike(self, ground: Ground) -> str:
        table = Table.of(ground.run_dir / "lake", ground.setting.topic)
        version, end = table.version(), time.monotonic() + _WAIT_S
        while table.version() == version and time.monotonic() < end:
            time.sleep(_POLL_S)
        newest = max((ground.run_dir / FOLDER).iterdir(), key=lambda path: path.stat().st_mtime)
        leader = victims.driver(newest)
        os.killpg(leader.pid, signal.SIGKILL)
        removed = [name for name in ground.setting.streams if self._uncommit(ground, name)]
        told = f", and the last commits of {' and '.join(removed)} removed" if removed else ""
        return f"the driver{told}"

    def _uncommit(self, ground: Ground, stream: str) -> bool:
        """Remove the last commit unless a batch is stored without one; return whether it was removed."""
        checkpoint = ground.checkpoint(stream)
        done, _ = offsets.committed(checkpoint)
        if done < 0 or offsets.begun(checkpoint) > done:
            return False
        for name in (str(done), f".{done}.crc"):
            with suppress(FileNotFoundError):
                (checkpoint / offsets.COMMITS / name).unlink()
        return True


DRILL = Query()
