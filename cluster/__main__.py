"""Command line of `python -m cluster`: start, show and stop services."""

import argparse
import dataclasses
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from cluster import cluster_state, doctor
from cluster.backends.docker import compose, contents, image
from cluster.backends.docker.backend import DockerPlace
from cluster.clean import DOWNLOADED, sweep
from cluster.configuration import load
from cluster.lifecycle import BACKENDS, Cluster, in_use
from cluster.log_files import tail
from cluster.services import described
from cluster.settings import Settings
from cluster.status import services_table
from core.errors import ENDED, INTERRUPTED, OK, SERVICE, RecscaleError, ServiceError, UsageError, tell
from core.log import shown
from core.units import size_text

logger = logging.getLogger(__package__)

# MLflow's page of experiments; without the parameter MLflow opens its page for language models.
_RUNS = "/#/experiments?workflowType=machine_learning"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command in (None, "help"):
        parser.print_help()
        return OK
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)  # the terminal was closed
    # The page of the image's contents is written to a file, with nothing else in it.
    with shown(sys.stderr if options.command == "contents" else None):
        return _done(options)


def _done(options: argparse.Namespace) -> int:
    try:
        status = COMMANDS[options.command](load(_sets(options)), options)
        sys.stdout.flush()  # inside the try, so that a closed pipe is caught
    except BrokenPipeError:  # the reader, for example `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except RecscaleError as error:
        return tell("cluster", error)
    except KeyboardInterrupt:
        logger.error("cluster: interrupted; the services that this command started were stopped again")
        return INTERRUPTED
    return status


def _up(settings: Settings, options: argparse.Namespace) -> int:
    _refuse_other_backend(settings)
    cluster = Cluster(settings)
    cluster.up(options.services or None)
    cluster_state.remember(settings.run_dir, [*options.set, *_from_elsewhere(settings)])
    print(services_table(cluster.status()))
    return OK


def _from_elsewhere(settings: Settings) -> list[str]:
    """Return the settings that decide which cluster it is and may come from the environment."""
    given = {"backend": settings.backend, "data": settings.data, "store": settings.store}
    given |= {"host": settings.host} if settings.host != Settings.host else {}
    return [f"{key}={value}" for key, value in given.items() if value is not None]


def _refuse_other_backend(settings: Settings) -> None:
    """Refuse to start while the other backend runs services: both use the same ports and folder."""
    for other in in_use(settings):
        if other.backend != settings.backend and any(
            status.state == "running" for status in Cluster(other).status()
        ):
            raise ServiceError(
                f"services of this folder run with the backend {other.backend}, not {settings.backend}: stop them first "
                f"(make down BACKEND={other.backend}), or give this cluster its own folder and ports "
                "(RECSCALE_RUN_DIR=/folder)"
            )


def _worker(settings: Settings, options: argparse.Namespace) -> int:
    if settings.backend == "docker":
        raise UsageError(
            "backend: docker cannot join a master on another machine, which could not reach a container here; "
            "use the local backend: BACKEND=local"
        )
    cluster = Cluster(settings)
    cluster.join()
    cluster_state.remember(settings.run_dir, [*_sets(options), *_from_elsewhere(settings)])
    print(services_table(cluster.status()))
    return OK


def _mlflow(settings: Settings, _: argparse.Namespace) -> int:
    _refuse_other_backend(settings)
    cluster = Cluster(settings)
    cluster.up({"mlflow"})
    cluster_state.remember(settings.run_dir, [f"backend={settings.backend}"])
    uri = cluster.address("mlflow") or ""
    page = uri.rstrip("/") + _RUNS if uri.startswith("http") else uri
    print(f"MLflow: {page}  (stop it with `make down`)")
    return OK


def _down(settings: Settings, options: argparse.Namespace) -> int:
    cluster = Cluster(settings)
    stopped = cluster.down(options.services or None)
    left = any(status.state in ("running", "died") for status in cluster.status())
    for backend in set(BACKENDS) - {settings.backend} if not options.services else ():
        # A command that was killed may have left services under a backend that no file names.
        with suppress(ServiceError):  # without a Docker daemon there are no containers
            stopped += Cluster(dataclasses.replace(settings, backend=backend)).down()
    if not left:
        cluster_state.forget(settings.run_dir)
    print(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")
    return OK


def _status(settings: Settings, _: argparse.Namespace) -> int:
    """Show the services of every backend that runs some."""
    found = in_use(settings)
    for one in found:
        cluster = Cluster(one)
        if len(found) > 1:
            print(f"with the backend {one.backend}:")
        print(services_table(cluster.status()))
        for status in cluster.died():
            print(f"{status.name} died: see `make logs S={status.name}`; `make setup` starts it again")
    return OK


def _logs(settings: Settings, options: argparse.Namespace) -> int:
    cluster = Cluster(in_use(settings, options.service)[0])
    log = cluster.log(options.service)
    if options.follow:
        for text in cluster.follow(options.service, options.lines):
            print(text, end="", flush=True)
    if not log.exists():
        logger.error("%s has not run yet: `make setup` starts it", options.service)
        return SERVICE
    print(tail(log, options.lines))
    return OK


def _shell(settings: Settings, options: argparse.Namespace) -> int:
    shell = Cluster(in_use(settings, options.service)[0]).shell(options.service)
    sys.stdout.flush()
    os.execvpe(shell.argv[0], shell.argv, dict(shell.env))  # noqa: S606 - a person's own prompt


def _compose(settings: Settings, _: argparse.Namespace) -> int:
    place = DockerPlace(settings)
    services = described(settings, place)
    print(json.dumps(compose.document(services, settings, image.image(settings.docker.base)), indent=1))
    return OK


def _build(settings: Settings, _: argparse.Namespace) -> int:
    print(f"image: {image.build(settings).tag}")
    return OK


def _contents(settings: Settings, _: argparse.Namespace) -> int:
    image.build(settings)
    print(contents.page(settings), end="")
    return OK


def _doctor(settings: Settings, _: argparse.Namespace) -> int:
    found = doctor.examine(settings)
    print(doctor.findings_table(found))
    stops = sum(finding.state == "stop" for finding in found)
    print(f"{stops} of {len(found)} checks would stop a run" if stops else "no check would stop a run")
    return SERVICE if stops else OK


def _kept(settings: Settings, *, everything: bool) -> list[str]:
    """Remove the data that services of any backend kept outside the run folder."""
    removed = []
    for backend in BACKENDS:
        try:
            removed += Cluster(dataclasses.replace(settings, backend=backend)).clean(everything=everything)
        except ServiceError:
            if backend == settings.backend:
                raise  # of the other backend: without a Docker daemon there are no volumes to remove
    return removed


def _clean(settings: Settings, options: argparse.Namespace) -> int:
    _down(settings, argparse.Namespace(services=[]))
    for name in _kept(settings, everything=options.all):
        print(f"removed {name}")
    removed = sweep(settings.run_dir, everything=options.all)
    for one in removed:
        print(f"removed {one.path} ({size_text(one.size)})")
    if not removed:
        print(f"nothing to remove in {settings.run_dir}")
    kept = [name for name in sorted(DOWNLOADED) if (settings.run_dir / name).exists()]
    if kept:
        print(f"kept the downloads ({', '.join(kept)}): `python -m cluster clean --all` removes them too")
    return OK


def _sets(options: argparse.Namespace) -> list[str]:
    """Return the settings of the command line; joining a master makes that master external and keeps our workers."""
    joining = [f"spark.master={options.master}", "spark.joins=true"] if options.command == "worker" else []
    return [*options.set, *joining]


COMMANDS: dict[str, Callable[[Settings, argparse.Namespace], int]] = {
    "up": _up,
    "down": _down,
    "status": _status,
    "logs": _logs,
    "doctor": _doctor,
    "clean": _clean,
    "mlflow": _mlflow,
    "shell": _shell,
    "compose": _compose,
    "image": _build,
    "contents": _contents,
    "worker": _worker,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cluster", description="Start, show and stop services.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, text in {
        "up": "start missing services, restart those with other settings, wait until all are ready, list them",
        "down": "stop all services that were started here",
        "status": "list the services, their state and their addresses",
        "logs": "show the end of a service's log",
        "doctor": "check Java, Python, packages, memory, ports and disk, and say how to mend each",
        "clean": "stop all services and remove generated files",
        "mlflow": "start only MLflow's server and print its address",
        "shell": "open a shell in a service's environment",
        "compose": "print the compose file of the settings' services",
        "image": "build the image of the containers, unless it is there",
        "contents": "print the list of the image's contents, with a reason for each (docs/image.md)",
        "worker": "start workers on this machine for a Spark master on another one",
    }.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument(
            "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting, as in spark.workers=4"
        )
        if name in ("up", "down"):
            command.add_argument(
                "services", nargs="*", metavar="SERVICE", help="groups or names of services (default: all)"
            )
        if name == "worker":
            command.add_argument(
                "--master", required=True, metavar="URL", help="the master, as in spark://192.168.1.5:7077"
            )
        if name in ("logs", "shell"):
            command.add_argument("service", metavar="SERVICE")
        if name == "logs":
            command.add_argument(
                "-f", "--follow", action="store_true", help="keep printing new lines until Ctrl-C"
            )
            command.add_argument(
                "-n", "--lines", type=int, default=50, help="number of lines from the end (default: 50)"
            )
        if name == "clean":
            command.add_argument("--all", action="store_true", help="remove downloads too")
    commands.add_parser("help", help="show this help")
    return parser


def _end(*_: object) -> NoReturn:
    sys.exit(ENDED)


if __name__ == "__main__":
    sys.exit(main())
