"""The disk of lake and checkpoints is full, until somebody frees some space."""

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from core.errors import ServiceError
from experiments.studies.stream_drills.drill import Ground, Plain

_SIZE = "512m"
_BLOCK = 1 << 20
_FOLDERS = ("lake", "streams")


class Disk(Plain):
    """Lake and checkpoints lie on a small file system in memory, which a file fills up. It takes root to mount one."""

    what = "the disk of lake and checkpoints, filled up; freed when a query has failed"

    def refusal(self) -> str | None:
        if os.geteuid() == 0 and Path("/proc/mounts").exists():
            return None
        return "it mounts a small file system (mount -t tmpfs), which takes root on Linux: run it as root, or in a container"

    def prepare(self, ground: Ground) -> None:
        space = _space(ground)
        space.mkdir(parents=True, exist_ok=True)
        _do("mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(space))
        for name in _FOLDERS:
            (space / name).mkdir()
            (ground.run_dir / name).symlink_to(space / name)

    def clear(self, ground: Ground) -> None:
        """Give the file system back; what lay on it stays, for whoever looks for the reason of a difference."""
        space = _space(ground)
        if space.is_mount():
            try:
                for name in _FOLDERS:
                    link = ground.run_dir / name
                    if link.is_symlink():
                        link.unlink()
                        shutil.copytree(space / name, link, symlinks=True)
            finally:
                _do("umount", "--lazy", str(space))

    def strike(self, ground: Ground) -> str:
        block = b"\1" * _BLOCK
        with suppress(OSError), (_space(ground) / "ballast").open("wb", buffering=0) as file:
            while file.write(block) == _BLOCK:
                pass
        return f"the disk ({_SIZE}iB)"

    def mend(self, ground: Ground) -> bool:
        if not ground.failures:
            return False
        (_space(ground) / "ballast").unlink()
        return True


def _space(ground: Ground) -> Path:
    return ground.run_dir / "space"


def _do(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise ServiceError(
            f"{' '.join(command)} failed: {done.stderr.strip()}. The drill disk needs the right to mount: leave it out (KIND=query,...), "
            "or run it as root outside of a container without CAP_SYS_ADMIN"
        )


DRILL = Disk()
