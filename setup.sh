#!/usr/bin/env bash
# Prepares everything that the commands need: .venv with the pinned packages, and Java 17.
set -euo pipefail

usage() {
  cat <<'TEXT'
bash setup.sh [s|f] [--dev]

  Makes .venv with Python 3.11 or 3.12, installs the packages of requirements.lock into it, and sees to Java 17
  (not where services run in containers, RECSCALE_BACKEND=docker: their image brings its own).
  Quick when nothing changed; an interrupted installation is taken up again.

  s        also fetch the small MovieLens data set (about 1 MB)
  f        also fetch the full MovieLens data set (about 350 MB)
  --dev    also install what tests and checks need

  PYTHON=/path/to/python3.11    the Python to make .venv with
TEXT
}

say() { printf 'setup: %s\n' "$*"; }
fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$root"
dev='' data='' changed=''
for argument in "$@"; do
  case $argument in
    s) data=movielens/latest-small ;;
    f) data=movielens/latest ;;
    --dev) dev=1 ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      usage >&2
      printf 'setup: unknown argument %s\n' "$argument" >&2
      exit 2
      ;;
  esac
done
trap 'printf "setup: interrupted; run it again to go on\n" >&2; kill $(jobs -p) 2>/dev/null || true; exit 130' INT TERM

# Ours alone: what else is installed on this machine must not reach into .venv, nor into what runs here.
unset PYTHONHOME VIRTUAL_ENV
export PYTHONPATH=$root
python=$root/.venv/bin/python

suits() { # is this program a Python that the packages are pinned for?
  "$1" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' >/dev/null 2>&1
}

install_hint() { # how this system's own package manager is told to install one of: python venv java
  local manager
  for manager in apt-get dnf pacman zypper brew; do
    command -v "$manager" >/dev/null 2>&1 && break
    manager=''
  done
  case $manager:$1 in
    apt-get:python) echo 'apt-get install python3.11 python3.11-venv (or python3.12 python3.12-venv)' ;;
    apt-get:venv) echo "apt-get install python$2-venv" ;;
    apt-get:java) echo 'apt-get install openjdk-17-jre-headless' ;;
    dnf:java) echo 'dnf install java-17-openjdk-headless' ;;
    dnf:*) echo 'dnf install python3.11' ;;
    pacman:java) echo 'pacman -S jre17-openjdk-headless' ;;
    pacman:*) echo 'pacman -S uv && uv python install 3.11' ;;
    zypper:java) echo 'zypper install java-17-openjdk-headless' ;;
    zypper:*) echo 'zypper install python311' ;;
    brew:java) echo 'brew install openjdk@17' ;;
    brew:*) echo 'brew install python@3.11' ;;
    *:java) echo 'a Java 17 of your system, or one unpacked anywhere that JAVA_HOME names' ;;
    *) echo 'Python 3.11 of your system, or one that PYTHON names' ;;
  esac
}

apt_install() { # install one Debian package, if this is such a system and we may
  command -v apt-get >/dev/null 2>&1 || return 1
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || return 1
    sudo=(sudo)
    [ -t 0 ] || sudo=(sudo -n)
  fi
  say "installing $1 with apt-get"
  if ! {
    apt_get install -y -q --no-install-recommends "$1" ||
      { apt_get update -q && apt_get install -y -q --no-install-recommends "$1"; }
  } >.run/apt.log 2>&1; then
    tail -n 5 .run/apt.log >&2
    return 1
  fi
}

apt_get() { ${sudo[@]+"${sudo[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get "$@" </dev/null; }

choose_python() { # print the Python to make .venv with
  local name others=''
  if [ -n "${PYTHON:-}" ]; then
    suits "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 or 3.12: $("$PYTHON" -V 2>&1 || true)"
    command -v "$PYTHON"
    return
  fi
  for name in python3.11 python3.12 python3 python; do
    command -v "$name" >/dev/null 2>&1 || continue
    if suits "$name"; then
      command -v "$name"
      return
    fi
    others="$others $({ "$name" -V 2>&1 || true; } | head -n 1)"
  done
  fail "Python 3.11 or 3.12 is needed${others:+ (found$others)}. Install it: $(install_hint python)"
}

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

make_venv() {
  local chosen
  [ -z "${PYTHON:-}" ] && [ -f .venv/.recscale-requirements.lock ] && suits "$python" && return
  if suits "$python" && { [ -z "${PYTHON:-}" ] || [ "$(version_of "$python")" = "$(version_of "$PYTHON")" ]; }; then
    "$python" -m pip --version >/dev/null 2>&1 && return
    "$python" -m ensurepip --upgrade >/dev/null 2>&1 && return
  fi
  chosen=$(choose_python)
  if ! "$chosen" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    apt_install "python$(version_of "$chosen")-venv" ||
      fail "$chosen cannot make environments (venv and ensurepip are missing). Install them:" \
        "$(install_hint venv "$(version_of "$chosen")")"
  fi
  say "making .venv with $("$chosen" -V) ($chosen)"
  "$chosen" -m venv --clear .venv || fail "$chosen could not make .venv (see above)"
  changed=1
}

# Images for containers often tell Python to keep no compiled modules. Without them every driver, server and Python
# worker compiles pandas, pyspark and numba anew: seconds of each start. What is kept here is in .venv or ignored by git.
keep_bytecode() {
  local packages
  for packages in .venv/lib/python*/site-packages; do
    printf 'import sys; sys.dont_write_bytecode = False\n' >"$packages/recscale-keep-bytecode.pth"
  done
}

java_home() { # print the Java 17 that the services will use; 2: the settings are wrong, 3: there is none
  "$python" - <<'PY'
import sys
from cluster import configuration
from cluster.jvm import java
from core.errors import RecscaleError
try:
    where = configuration.load()
    print("the image of the containers" if where.backend == "docker" else java.find(where.spark.java_home))
except RecscaleError as error:
    print(error)
    sys.exit(error.exit_status)
PY
}

see_to_java() {
  local found status=0
  found=$(java_home) || status=$?
  [ "$status" -eq 0 ] && return
  if [ "$status" -eq 3 ] && [ -z "${RECSCALE_SPARK_JAVA_HOME:-}" ] && apt_install openjdk-17-jre-headless; then
    java_home >/dev/null && changed=1 && return
  fi
  printf 'setup: %s\n' "$found" >&2
  if [ "$status" -eq 3 ]; then
    printf 'setup: on this system: %s; without such a package unpack one from https://adoptium.net and set JAVA_HOME\n' \
      "$(install_hint java)" >&2
  fi
  exit "$status"
}

stamp() { # what an up-to-date environment was made from
  cat "$@" | "$python" -c 'import hashlib, sys; print(sys.version, hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'
}

# uv takes a tenth of pip's time, and clones share what it has unpacked; but it does not read pip's settings, in which many
# networks name their mirrors.
heed_pip_settings() { # export uv's counterparts of them, unless uv has been told something itself
  local line value name
  while IFS= read -r line; do
    value=${line#*=} line=${line%%=*} name=''
    value=${value#[\'\"]} value=${value%[\'\"]}
    case ${line##*.} in
      index-url) name=UV_DEFAULT_INDEX ;;
      extra-index-url) name=UV_INDEX ;;
      no-index) name=UV_NO_INDEX ;;
      trusted-host) name=UV_INSECURE_HOST ;;
      cert) name=SSL_CERT_FILE ;;
      proxy) name=ALL_PROXY ;;
      find-links) [[ $value == /* && ! -d $value ]] || name=UV_FIND_LINKS ;;
    esac
    if [ -n "$name" ] && [ -z "${!name:-}" ]; then export "$name=$value"; fi
  done < <("$python" -m pip config list 2>/dev/null)
}

# Without looking for dependencies: the lock files name them all.
install() { # install <lock file>: a process that becomes uv, so that an interruption ends uv and not only the shell around it
  (
    heed_pip_settings
    exec env "DIST_EXTRA_CONFIG=$root/.venv/.build.cfg" "$python" -m uv pip install --quiet --python "$python" \
      --no-deps --require-hashes --no-build-isolation -r "$1"
  ) &
  wait $!
}

install_tools() { # what installs the rest; half of pip's time would go into compiling it ahead
  "$python" -m pip install --quiet --no-compile --disable-pip-version-check --no-input --no-deps --require-hashes \
    -r requirements-build.lock
}

install_packages() { # install_packages <lock file> <what for>
  local lock=$1 file=.venv/.recscale-$1
  [ "$(cat "$file" 2>/dev/null || true)" = "$(stamp requirements-build.lock "$lock")" ] && return
  say "installing $(grep -c '^[A-Za-z0-9]' "$lock") pinned packages $2 (the first time this takes a minute or two)"
  rm -f .venv/.recscale-*
  # One package comes as source: its build must not fetch tools that nobody pinned, nor deflate 300 MB of jars.
  printf '[bdist_wheel]\ncompression = stored\n' >.venv/.build.cfg
  if ! { install_tools && install "$lock"; }; then
    fail "the packages could not be installed (see above). Check the connection to the package index and the room" \
      "on the disk (3 GB), then run it again: it goes on where it stopped"
  fi
  changed=1
}

mkdir -p .run
if command -v flock >/dev/null 2>&1; then
  exec 9>.run/.setup.lock
  flock -n 9 || {
    say 'waiting for another setup.sh'
    flock 9
  }
fi

make_venv
keep_bytecode
see_to_java
if [ -n "$dev" ]; then # this lock holds everything that the other does, in the same versions
  install_packages requirements-dev.lock 'to run and to test it'
  stamp requirements-build.lock requirements-dev.lock >.venv/.recscale-requirements-dev.lock
else
  install_packages requirements.lock 'to run it'
fi
stamp requirements-build.lock requirements.lock >.venv/.recscale-requirements.lock
if [ -n "$changed" ] || [ -z "${MAKELEVEL:-}" ]; then
  say "ready: $("$python" -V) in .venv, Java 17 in $(java_home)"
fi
if [ -n "$data" ]; then
  "$python" -m datasets fetch "$data"
fi
