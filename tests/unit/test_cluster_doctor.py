"""Java and the doctor: what they look for, and how they say to mend what is missing."""

import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest

from cluster import doctor
from cluster.__main__ import main
from cluster.configuration import load
from cluster.jvm import java
from cluster.processes import free_port
from core.errors import ServiceError


def options(cluster_sets):
    return [part for pair in cluster_sets for part in ("--set", pair)]


def fake_java(home: Path, release: str | None) -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "java").write_text("#!/bin/sh\n")
    (home / "bin" / "java").chmod(0o755)
    if release is not None:
        (home / "release").write_text(f'JAVA_VERSION="{release}"\n')
    return home


def test_the_java_of_the_setting_comes_first_then_java_home_then_path_then_any(tmp_path):
    homes = {name: fake_java(tmp_path / name, "17.0.1") for name in ("set", "home", "path")}
    installed = fake_java(tmp_path / "jvm" / "jdk-17", None)
    environ = {"JAVA_HOME": str(homes["home"]), "PATH": str(homes["path"] / "bin")}
    folders = (str(tmp_path / "jvm"),)
    assert java.find(homes["set"], environ, folders) == homes["set"]
    assert java.find(None, environ, folders) == homes["home"]
    assert java.find(None, {"PATH": environ["PATH"]}, folders) == homes["path"]
    assert java.find(None, {"PATH": ""}, folders) == installed


def test_another_java_is_passed_over_for_a_17(tmp_path):
    old = fake_java(tmp_path / "old", "1.8.0_402")
    new = fake_java(tmp_path / "jvm" / "temurin-25", "25")
    good = fake_java(tmp_path / "jvm" / "temurin-17", "17.0.15")
    assert [java.version(home) for home in (old, new, good, tmp_path)] == [8, 25, 17, None]
    environ = {"JAVA_HOME": str(old), "PATH": ""}
    assert java.find(None, environ, (str(tmp_path / "jvm"),)) == good


def test_without_a_java_17_the_message_says_what_was_found_and_how_to_install_it(tmp_path):
    old = fake_java(tmp_path / "old", "11.0.2")
    with pytest.raises(ServiceError, match=r"Java 11 in .*old.*apt-get install openjdk-17-jre-headless"):
        java.find(None, {"JAVA_HOME": str(old), "PATH": ""}, ())
    with pytest.raises(ServiceError, match=r"java_home=.*old is Java 11"):
        java.find(old)


def test_up_without_java_exits_with_3_and_starts_nothing(tmp_path, cluster_sets, monkeypatch, capsys):
    monkeypatch.setattr(java.find, "__defaults__", ({"PATH": ""}, ()))
    assert main(["up", "spark", *options(cluster_sets)]) == 3
    assert "apt-get install openjdk-17-jre-headless" in capsys.readouterr().err
    assert not list((tmp_path / "run").glob("services/*"))


def found(cluster_sets, check, **values):
    (finding,) = [one for one in doctor.examine(load(cluster_sets, {}), **values) if one.check == check]
    return finding


def test_on_a_machine_that_can_run_it_the_doctor_exits_with_0(cluster_sets, capsys):
    assert (
        main(
            [
                "doctor",
                *options(cluster_sets),
                "--set",
                "spark.memory=512m",
                "--set",
                "spark.driver_memory=512m",
            ]
        )
        == 0
    )
    assert "no check" in capsys.readouterr().out


def test_the_doctor_stops_at_a_shape_beyond_the_machine_and_exits_with_3(cluster_sets, capsys):
    assert main(["doctor", *options(cluster_sets), "--set", "spark.memory=4000g"]) == 3
    assert "--set spark.memory=1g" in capsys.readouterr().out
    assert found([*cluster_sets, "spark.workers=1", "spark.cores=4096"], "cores").state == "warn"


def test_the_doctor_names_who_holds_a_port(cluster_sets):
    setting, _, port = cluster_sets[3].partition("=")
    server = HTTPServer(("127.0.0.1", int(port)), BaseHTTPRequestHandler)
    with server:
        finding = found(cluster_sets, f"port {port}")
    assert finding.state == "stop"
    assert f"pid {os.getpid()}" in finding.found
    assert f"--set {setting}=" in finding.mend


def test_the_doctor_compares_packages_with_their_lock(cluster_sets, tmp_path):
    lock = tmp_path / "requirements.lock"
    good = f"psutil=={version('psutil')} \\\n    --hash=sha256:00\nother==1 ; sys_platform == 'win32' \\\n"
    lock.write_text(good)
    assert found(cluster_sets, "packages", lock=lock).state == "ok"
    lock.write_text(good + "pytest==0.1 \\\nnosuchpackage==2\n")
    finding = found(cluster_sets, "packages", lock=lock)
    assert finding.state == "stop"
    assert f"pytest {version('pytest')} (pinned 0.1)" in finding.found
    assert "nosuchpackage missing" in finding.found
    assert "setup.sh" in finding.mend


def test_the_doctor_looks_at_data_and_external_services(cluster_sets, tmp_path):
    silent = free_port("127.0.0.1")
    wrong = [*cluster_sets, f"data={tmp_path / 'nothing'}", f"mlflow.uri=http://127.0.0.1:{silent}"]
    assert found(wrong, "data").state == "stop"
    finding = found(wrong, "mlflow")
    assert finding.state == "stop"
    assert "RECSCALE_MLFLOW_URI" in finding.mend
