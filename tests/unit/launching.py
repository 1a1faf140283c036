"""Applications as processes on this host, without a cluster: a launcher, and requests that fail before Spark starts."""

from cluster import configuration
from cluster.backends.local.driver import LocalDriverHost
from experiments.run import environment
from experiments.run.launcher import Launcher
from jobs.runtime.request import Request


def request(folder, job="train", **changes):
    values = {
        "params": {},
        "spark": {},
        "store": "parquet",
        "store_root": str(folder),
        "work": str(folder / "work"),
    }
    return Request(job=job, events=str(folder / "events.jsonl"), **(values | changes))


def launcher(cluster=None, **changes):
    driver_host = LocalDriverHost(configuration.load([], {}))
    given, own = environment.for_driver(driver_host, None)
    return Launcher(driver_host, cluster, given, own, grace_s=5.0, **changes)
