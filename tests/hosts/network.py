"""Machines made of network namespaces, joined by a switch that is one too: no packet leaves them."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

MARK = b"org.apache.spark"
_SNIFF = f"""
import socket
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
seen = plain = 0
print("ready", flush=True)
try:
    while True:
        frame = wire.recv(65536)
        seen += len(frame)
        plain += {MARK!r} in frame
except KeyboardInterrupt:
    print(seen, plain)
"""


class Network:
    """Some hosts with addresses 10.77.0.1, .2, ... of their own; a context manager."""

    def __init__(self, hosts):
        self.hosts = {name: f"10.77.0.{number}" for number, name in enumerate(hosts, start=1)}
        self._prefix = f"recscale{os.getpid()}"
        self._made = []

    def __enter__(self):
        if os.geteuid() != 0 or shutil.which("ip") is None:
            pytest.fail(
                "these tests make machines of network namespaces, which takes root and the program `ip` "
                "(Debian: apt-get install iproute2); run them with sudo"
            )
        try:
            self._clear_leftovers()
            self._add("switch")
            self._ip("-n", self._name("switch"), "link", "add", "bridge", "type", "bridge")
            self._ip("-n", self._name("switch"), "link", "set", "bridge", "up")
            for host, address in self.hosts.items():
                self._add(host)
                self._plug(host, address)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in self._made:
            self._empty(name)
            subprocess.run(["ip", "netns", "del", name], check=False)
        self._made = []

    def inside(self, host, command):
        """The command as it runs on that host."""
        return ["ip", "netns", "exec", self._name(host), *command]

    def pids(self, host):
        done = subprocess.run(
            ["ip", "netns", "pids", self._name(host)], capture_output=True, text=True, check=True
        )
        return [int(pid) for pid in done.stdout.split()]

    def unplug(self, host):
        self._ip("-n", self._name("switch"), "link", "set", f"to-{host}", "down")

    def sniff(self):
        """Listen on the switch until `heard` is asked."""
        process = subprocess.Popen(
            self.inside("switch", [sys.executable, "-c", _SNIFF]), stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "ready\n"
        return process

    def heard(self, process):
        """Bytes that crossed the switch, and frames in which a name of Spark's classes could be read."""
        process.send_signal(signal.SIGINT)
        seen, plain = process.communicate(timeout=30)[0].split()
        return int(seen), int(plain)

    def _name(self, host):
        return f"{self._prefix}-{host}"

    def _add(self, host):
        self._ip("netns", "add", self._name(host))
        self._made.append(self._name(host))
        self._ip("-n", self._name(host), "link", "set", "lo", "up")

    def _plug(self, host, address):
        switch, name = self._name("switch"), self._name(host)
        plug = f"to-{host}"
        self._ip("-n", switch, "link", "add", plug, "type", "veth", "peer", "name", "eth0", "netns", name)
        self._ip("-n", switch, "link", "set", plug, "master", "bridge", "up")
        self._ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
        self._ip("-n", name, "link", "set", "eth0", "up")

    def _ip(self, *words):
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(
                f"`ip {' '.join(words)}` failed: {done.stderr.strip()}. These tests make machines of network "
                "namespaces: run them as root, in a container only if it may do so (CAP_SYS_ADMIN and CAP_NET_ADMIN)"
            )

    def _clear_leftovers(self):
        """Remove what tests left that were killed at once."""
        listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
        for name, pid in re.findall(r"^(recscale(\d+)-\w+)", listed, re.MULTILINE):
            if not Path(f"/proc/{pid}").exists():
                self._empty(name)
                subprocess.run(["ip", "netns", "del", name], check=False)

    def _empty(self, name):
        """End whatever still runs in a namespace of ours."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for _ in range(50):
                done = subprocess.run(
                    ["ip", "netns", "pids", name], capture_output=True, text=True, check=False
                )
                pids = [int(pid) for pid in done.stdout.split()]
                if not pids:
                    return
                for pid in pids:
                    with suppress(ProcessLookupError):
                        os.kill(pid, number)
                time.sleep(0.1)
