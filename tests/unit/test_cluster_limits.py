"""Services with a share of the processors, or on cores of their own: real control groups where the kernel has them.

Where this account cannot make control groups the tests hold as well: then the service must not start.
"""

import errno
import os
import sys

import psutil
import pytest

from cluster.backends.local import cgroups
from cluster.backends.local.backend import Local
from cluster.backends.local.pinning import own_cores
from cluster.configuration import load
from cluster.service import Service
from cluster.settings import UsageError
from core.errors import ServiceError
from tests.waiting import eventually

CHILD = "import time; time.sleep(60)"
PARENT = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {CHILD!r}]); time.sleep(60)"


@pytest.fixture
def backend(tmp_path):
    settings = load([f"run_dir={tmp_path / 'run'}"], {})
    settings.run_dir.mkdir()
    backend = Local(settings)
    yield backend
    for name in set(backend.running()) | backend.orphans():
        backend.stop(name)


def service(**values):
    return Service(name="thing", group="things", url="", argv=(sys.executable, "-c", PARENT), **values)


def enforceable(name="recscale-test-enforceable"):
    try:
        cgroups.remove(cgroups.create(name, 0.5))
    except ServiceError:
        return False
    return True


def pids_in(group):
    return {int(line) for line in (group / "cgroup.procs").read_text().split()}


def group_of(backend):
    (group,) = cgroups.places(cgroups._name(backend.settings.run_dir.resolve(), "thing"))
    return group


def test_a_limit_holds_for_the_service_and_its_children_and_goes_with_it(backend):
    if not enforceable():
        with pytest.raises(ServiceError, match=r"thing.*0\.25"):
            backend.start(service(cpus=0.25))
        assert backend.running() == {}
        return
    running = backend.start(service(cpus=0.25))
    group = group_of(backend)
    eventually(lambda: len(pids_in(group)) == 2 and running.pid in pids_in(group))
    children = {child.pid for child in psutil.Process(running.pid).children()}
    assert pids_in(group) == {running.pid} | children
    quota = group / "cpu.cfs_quota_us"
    text = quota.read_text() if quota.exists() else (group / "cpu.max").read_text()
    assert text.split()[0] == "25000"
    assert Local(backend.settings).stop("thing")
    assert not group.exists()


def test_the_group_of_a_service_whose_record_was_lost_is_removed_too(backend):
    if not enforceable():
        with pytest.raises(ServiceError, match=r"thing.*0\.25.*root"):
            backend.start(service(cpus=0.25))
        return
    backend.start(service(cpus=0.25))
    group = group_of(backend)
    (backend.settings.run_dir / "services" / "thing.json").unlink()
    eventually(lambda: backend.orphans() == {"thing"})
    backend.stop("thing")
    assert not group.exists()


def test_no_limit_makes_no_group(backend):
    backend.start(service())
    assert list(cgroups.places(cgroups._name(backend.settings.run_dir.resolve(), "thing"))) == []


def test_pinned_services_and_their_children_run_on_their_cores_and_we_on_all(backend):
    before = os.sched_getaffinity(0)
    one = min(before)
    running = backend.start(service(pin=(one,)))
    eventually(lambda: psutil.Process(running.pid).children())
    assert psutil.Process(running.pid).cpu_affinity() == [one]
    assert [child.cpu_affinity() for child in psutil.Process(running.pid).children()] == [[one]]
    assert os.sched_getaffinity(0) == before


def test_cores_that_are_not_there_are_refused(backend):
    with pytest.raises(ServiceError, match=r"cores 4000.*spark\.pin"):
        backend.start(service(pin=(4000,)))
    assert backend.running() == {}


def test_cores_go_round():
    assert [own_cores(k, 1, range(4)) for k in (1, 2, 5)] == [(0,), (1,), (0,)]
    assert [own_cores(k, 2, range(3)) for k in (1, 2)] == [(0, 1), (0, 2)]
    assert own_cores(1, 4, range(2)) == (0, 1)


def files(folder, **texts):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name.replace("__", ".")).write_text(text)


def host(tmp_path, own, mounts):
    """A folder like /proc/self of a process on a host with these hierarchies."""
    lines = [
        f"30 20 0:30 / {tmp_path / 'cgroup' / where} rw - {kind} none {options}"
        for where, kind, options in mounts
    ]
    files(tmp_path / "self", cgroup=own, mountinfo="\n".join(lines))
    return tmp_path / "self"


def test_version_2_uses_the_nearest_group_that_passes_the_controller_on(tmp_path):
    proc = host(tmp_path, "0::/user.slice/app.slice/mine.scope\n", [("", "cgroup2", "rw")])
    root = tmp_path / "cgroup"
    files(root, cgroup__subtree_control="cpu memory\n")
    files(root / "user.slice", cgroup__subtree_control="cpu memory\n")
    files(root / "user.slice" / "app.slice", cgroup__subtree_control="memory\n")
    files(root / "user.slice" / "app.slice" / "mine.scope", cgroup__subtree_control="\n")
    found = cgroups.hierarchy(proc)
    assert found == cgroups.Hierarchy(2, (root / "user.slice", root))
    files(root / "user.slice" / "made", cpu__max="max 100000", cgroup__procs="")
    assert cgroups.create("made", 0.333, proc) == root / "user.slice" / "made"
    assert (root / "user.slice" / "made" / "cpu.max").read_text().startswith("33300 100000")


def test_version_1_is_taken_where_both_are_mounted_and_it_has_the_controller(tmp_path):
    own = "2:cpu,cpuacct:/docker/abc\n0::/docker/abc\n"
    mounts = [
        ("unified", "cgroup2", "rw"),
        ("cpu", "cgroup", "rw,cpu,cpuacct"),
        ("memory", "cgroup", "rw,memory"),
    ]
    proc = host(tmp_path, own, mounts)
    (tmp_path / "cgroup" / "cpu" / "docker" / "abc").mkdir(parents=True)
    root = tmp_path / "cgroup" / "cpu"
    assert cgroups.hierarchy(proc) == cgroups.Hierarchy(1, (root / "docker" / "abc", root))


@pytest.mark.parametrize(
    ("mounts", "named"),
    [
        ([], ["cpu controller", "mounted"]),
        ([("memory", "cgroup", "rw,memory")], ["cpu controller", "mounted"]),
        ([("", "cgroup2", "rw")], ["cpu controller", "no group above this process"]),
        ([("cpu", "cgroup", "rw,cpu")], [os.strerror(errno.ENOENT)]),
    ],
)
def test_where_no_limit_can_be_enforced_that_is_said_with_the_next_step(tmp_path, mounts, named):
    proc = host(tmp_path, "2:cpu:/\n0::/\n", mounts)
    for where, _, _ in mounts:
        (tmp_path / "cgroup" / where).mkdir(parents=True, exist_ok=True)
    with pytest.raises(ServiceError) as caught:
        cgroups.create("recscale-x", 0.5, proc)
    told = str(caught.value)
    assert [name for name in (*named, "recscale-x", "root") if name not in told] == []
    assert not list(tmp_path.rglob("recscale-x"))


def test_a_group_that_cannot_be_entered_starts_nothing(backend, tmp_path):
    made = cgroups.enter(tmp_path / "absent", (sys.executable, "-c", "print('unlimited')"))
    backend.start(Service(name="thing", group="things", url="", argv=made))
    eventually(lambda: not backend.running()["thing"].alive)
    assert "status 71" in backend.running()["thing"].exit
    log = backend.log("thing").read_text()
    assert str(tmp_path / "absent") in log
    assert "unlimited" not in log


def test_what_a_worker_may_take_is_a_setting():
    settings = load(["spark.cpus=0.5", "spark.pin=true"], {})
    assert (settings.spark.cpus, settings.spark.pin) == (0.5, True)
    assert load(["spark.cpus=none"], {}).spark.cpus is None
    for wrong in ("spark.cpus=0", "spark.cpus=nan", "spark.cpus=many", "spark.pin=maybe"):
        key, value = wrong.split("=")
        with pytest.raises(UsageError, match=rf"{key}.*{value}"):
            load([wrong], {})


def test_another_limit_is_another_service():
    one = service()
    assert (
        len({one.digest, service(cpus=0.5).digest, service(cpus=0.25).digest, service(pin=(0,)).digest}) == 4
    )
