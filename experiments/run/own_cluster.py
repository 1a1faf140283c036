"""Cluster of its own for one measurement: a new folder, ports that are free, and the downloads of the run folder that asks."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cluster import configuration
from cluster.lifecycle import Cluster
from cluster.processes import free_port
from cluster.settings import Settings

_SHARED = ("jars", "classes", "numba")


@contextmanager
def own_cluster(
    settings: Settings, folder: Path, sets: Sequence[str], clear: Callable[[Cluster], None] = lambda _: None
) -> Iterator[Cluster]:
    """Give a cluster in a new folder, on ports that are free now; nothing runs yet.

    Args:
        settings: name the run folder whose downloads are shared.
        folder: of the cluster; what one that was broken off left there is stopped and removed.
        sets: settings of the cluster, as "spark.workers=2".
        clear: called before such a folder is removed, when its services are stopped.
    """
    old = Cluster(configuration.load([f"run_dir={folder}"], {})) if folder.exists() else None
    if old is not None:
        old.down()
        clear(old)
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for name in _SHARED:
        there = settings.run_dir / name
        there.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(there.resolve())
    keys = ("spark.master_port", "spark.master_ui_port", "kafka.port", "kafka.controller_port", "cassandra.port",
            "cassandra.storage_port")  # fmt: skip
    ports: list[int] = []
    for _ in keys:
        ports.append(free_port("127.0.0.1", avoid=ports))
    chosen = (f"{key}={port}" for key, port in zip(keys, ports, strict=True))
    yield Cluster(configuration.load([*chosen, f"run_dir={folder}", *sets], {}))
