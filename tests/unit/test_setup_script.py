"""setup.sh on machines that lack something: a copy of it, with stand-ins for Python, pip and apt-get on a bare PATH."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = [
    "awk",
    "bash",
    "cat",
    "chmod",
    "cp",
    "dirname",
    "env",
    "flock",
    "grep",
    "head",
    "id",
    "mkdir",
    "rm",
    "sed",
    "sleep",
    "tail",
    "tee",
    "touch",
]

LOCKED = {
    "requirements-build.lock": ["tools"],
    "requirements.lock": ["numpy", "pyspark", "zipp"],
    "requirements-dev.lock": ["numpy", "pyspark", "pytest", "zipp"],
}

# Stands in for a Python: knows its version, makes a .venv that holds itself, and notes what pip is asked.
PYTHON = """#!/usr/bin/env bash
version={version} home={home}
case "$*" in
  -V) echo "Python $version.0" ;;
  *version_info*not\\ in*) [ "$version" = 3.11 ] || [ "$version" = 3.12 ] ;;
  *%d.%d*) echo "$version" ;;
  *import\\ ensurepip*) [ -e "$home/venv" ] ;;
  *-m\\ venv*) mkdir -p .venv/bin .venv/lib/python3/site-packages && cp "$0" .venv/bin/python ;;
  *-m\\ pip\\ --version) ;;
  *-m\\ pip\\ config\\ list) cat "$home/pip.conf" 2>/dev/null ;;
  *\\ pip\\ install*)
    echo "$*" >>"$home/pip.log"
    env | sed -n '/^UV_/p;/^SSL_CERT_FILE/p' >"$home/settings.log"
    [ ! -e "$home/offline" ] || exit 1
    sed -n 's/==.*//p' "${{@: -1}}" >>"$home/installed.log" ;;
  -) [ -e "$home/java" ] && echo /java || {{ echo 'Spark needs Java 17 and there is none'; exit 3; }} ;;
  *hashlib*) echo "$version $(cat)" | head -c 300 ;;
  *datasets*) echo "$*" >>"$home/fetch.log" ;;
esac
"""


class Machine:
    """A clone and a PATH with nothing on it but what a test puts there."""

    def __init__(self, folder):
        self.clone, self.bin, self.home = folder / "my clone", folder / "bin", folder / "home"
        for path in (self.clone, self.bin, self.home):
            path.mkdir()
        shutil.copy(ROOT / "setup.sh", self.clone)
        for lock in ("requirements.lock", "requirements-dev.lock", "requirements-build.lock"):
            (self.clone / lock).write_text(
                "".join(f"{name}==1 \\\n    --hash=sha256:00\n" for name in LOCKED[lock])
            )
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool))

    def has(self, name, text):
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def has_python(self, version="3.11", name="python3", venv=True, java=True):
        self.has(name, PYTHON.format(version=version, home=self.home))
        for thing, there in (("venv", venv), ("java", java)):
            if there:
                (self.home / thing).touch()

    def has_apt(self, installs):
        """An apt-get that makes what it installs appear: thing -> package."""
        lines = [f'*install*{package}) touch "{self.home}/{thing}" ;;' for thing, package in installs.items()]
        script = f'echo "$*" >>"{self.home}/apt.log"\ncase "$*" in {" ".join(lines)} *update*) ;; *) exit 100 ;; esac\n'
        self.has("apt-get", f"#!/usr/bin/env bash\n{script}")

    def setup(self, *words, **environ):
        return subprocess.run(
            ["bash", str(self.clone / "setup.sh"), *words],
            env={"PATH": str(self.bin), "HOME": str(self.home), **environ},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def noted(self, what):
        path = self.home / f"{what}.log"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_it_installs_with_hashes_and_is_quick_when_nothing_changed(machine):
    machine.has_python()
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert re.search(r"Python 3\.11\.0\b.*\.venv\b.*Java 17\b.*/java$", done.stdout, re.MULTILINE)
    assert sorted(machine.noted("installed")) == ["numpy", "pyspark", "tools", "zipp"]
    assert all("--require-hashes" in line for line in machine.noted("pip"))
    again = machine.setup(MAKELEVEL="1")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert len(machine.noted("installed")) == 4
    (machine.clone / "requirements.lock").write_text("other==2\n")
    assert machine.setup().returncode == 0
    assert machine.noted("installed")[4:] == ["tools", "other"]


def test_with_dev_the_packages_of_tests_come_too_and_serve_for_both(machine):
    machine.has_python("3.12")
    assert machine.setup("--dev").returncode == 0
    assert sorted(machine.noted("installed")) == ["numpy", "pyspark", "pytest", "tools", "zipp"]
    assert machine.setup().returncode == machine.setup("--dev").returncode == 0
    assert len(machine.noted("installed")) == 5


def test_an_interrupted_installation_is_taken_up_again(machine):
    machine.has_python()
    (machine.home / "offline").touch()
    done = machine.setup()
    assert done.returncode == 1
    assert re.search(r"not be installed\b.*\bgoes on", done.stderr, re.DOTALL)
    (machine.home / "offline").unlink()
    assert machine.setup().returncode == 0
    assert sorted(machine.noted("installed")) == ["numpy", "pyspark", "tools", "zipp"]


def test_what_pip_is_told_about_mirrors_holds_for_uv_unless_it_is_told_otherwise(machine):
    machine.has_python()
    (machine.home / "pip.conf").write_text(
        ":env:.index-url='one?a=b'\n"
        "global.index-url='two'\n"
        "global.extra-index-url='more'\n"
        "global.cert='/certificates.pem'\n"
        "install.find-links='/no/such/folder'\n"
        "global.timeout='60'\n"
    )
    assert machine.setup(UV_INDEX="mine").returncode == 0
    assert sorted(machine.noted("settings")) == [
        "SSL_CERT_FILE=/certificates.pem",
        "UV_DEFAULT_INDEX=one?a=b",
        "UV_INDEX=mine",
    ]


@pytest.mark.parametrize(("word", "name"), [("s", "movielens/latest-small"), ("f", "movielens/latest")])
def test_data_is_fetched_when_asked(machine, word, name):
    machine.has_python()
    assert machine.setup(word).returncode == 0
    assert machine.noted("fetch") == [f"-m datasets fetch {name}"]


def test_without_a_suitable_python_it_says_what_there_is_and_what_to_install(machine):
    machine.has_python("3.13")
    machine.has("apt-get", "#!/usr/bin/env bash\nexit 100\n")
    done = machine.setup()
    assert done.returncode == 1
    assert "found Python 3.13.0" in done.stderr
    assert "apt-get install python3.11" in done.stderr
    machine.has_python("3.12", name="python3.12")
    assert machine.setup().returncode == 0


def test_the_python_that_is_named_is_taken_or_refused(machine):
    machine.has_python("3.11")
    machine.has_python("3.10", name="old")
    machine.has_python("3.12", name="new")
    done = machine.setup(PYTHON="old")
    assert done.returncode == 1
    assert re.search(r"PYTHON=old\b.*\b3\.11 or 3\.12\b.*\b3\.10\.0\b", done.stderr)
    assert re.search(r"Python 3\.12\.0\b.*\.venv", machine.setup(PYTHON="new").stdout)
    made = machine.setup(PYTHON="python3").stdout
    assert re.search(r"\.venv\b.*\bPython 3\.11\.0\b", made)
    assert "3.12" not in made


def test_a_python_without_venv_gets_it_from_apt_or_says_how(machine):
    machine.has_python(venv=False)
    done = machine.setup()
    assert done.returncode == 1
    assert re.search(r"\bvenv\b.*missing", done.stderr)
    assert machine.noted("pip") == []
    machine.has_apt({"venv": "python3.11-venv"})
    machine.has("sudo", '#!/usr/bin/env bash\nwhile [[ "$1" == -* ]]; do shift; done\nexec "$@"\n')
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert re.search(r"python3\.11-venv\b.*apt-get", done.stdout)
    assert "python3.11-venv" in machine.noted("apt")[0]


def test_a_missing_java_is_installed_by_apt_after_its_lists_are_renewed(machine):
    machine.has_python(java=False)
    script = f"""#!/usr/bin/env bash
echo "$1" >>"{machine.home}/apt.log"
case "$1" in
  update) touch "{machine.home}/lists" ;;
  install) [ -e "{machine.home}/lists" ] && touch "{machine.home}/java" ;;
esac
"""
    machine.has("apt-get", script)
    machine.has("sudo", '#!/usr/bin/env bash\nwhile [[ "$1" == -* ]]; do shift; done\nexec "$@"\n')
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert machine.noted("apt") == ["install", "update", "install"]


@pytest.mark.parametrize(
    ("manager", "says"),
    [
        ("apt-get", "apt-get install openjdk-17-jre-headless"),
        ("dnf", "dnf install java-17-openjdk-headless"),
        ("pacman", "pacman -S jre17-openjdk-headless"),
        ("zypper", "zypper install java-17-openjdk-headless"),
        ("brew", "brew install openjdk@17"),
        ("none", "JAVA_HOME"),
    ],
)
def test_where_java_cannot_be_installed_it_says_how_and_exits_with_3(machine, manager, says):
    machine.has_python(java=False)
    machine.has(manager, "#!/usr/bin/env bash\nexit 100\n")
    done = machine.setup()
    assert done.returncode == 3
    assert "Spark needs Java 17" in done.stderr
    assert says in done.stderr


def test_help_and_wrong_words(machine):
    assert "bash setup.sh [s|f]" in machine.setup("--help").stdout
    done = machine.setup("x")
    assert done.returncode == 2
    assert "unknown argument x" in done.stderr
    assert not (machine.clone / ".venv").exists()


def test_the_lock_for_tests_holds_everything_of_the_other_in_the_same_versions():
    def pins(name):
        return {line.split(" \\")[0] for line in (ROOT / name).read_text().splitlines() if "==" in line}

    assert pins("requirements.lock") <= pins("requirements-dev.lock")


def test_pythons_of_the_environment_keep_compiled_modules_whatever_the_image_says():
    says = "import sys; print(sys.dont_write_bytecode)"
    environ = {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", says], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_java_is_looked_for_by_what_is_there_before_any_package_is_installed(tmp_path):
    script = re.search(r"<<'PY'\n(.*?)^PY$", (ROOT / "setup.sh").read_text(), re.MULTILINE | re.DOTALL)[1]
    environ = {"PYTHONPATH": str(ROOT), "RECSCALE_RUN_DIR": str(tmp_path), "PATH": os.environ["PATH"]}
    for more, status in (({}, 0), ({"RECSCALE_SPARK_WORKERS": "many"}, 2)):
        done = subprocess.run(
            [sys.executable, "-S", "-"],
            input=script,
            env={**environ, **more},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (status, ""), done.stdout
