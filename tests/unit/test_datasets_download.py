"""Downloads from a real server on this machine: whole, resumed, damaged, out of space, out of reach."""

import hashlib
import http.server
import io
import json
import re
import socket
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from core.errors import DataError, Unreachable
from datasets.fetch.download import download, locate
from datasets.fetch.progress import Progress
from datasets.fetch.unpack import unpack
from datasets.source import Variant

ROOT = Path(__file__).resolve().parents[2]
BODY = bytes(range(256)) * 4096  # 1 MiB


class Publisher(http.server.ThreadingHTTPServer):
    """Serves one body; attributes say how well it behaves."""

    def __init__(self, body=BODY):
        super().__init__(("127.0.0.1", 0), Handler)
        self.body, self.tag, self.ranges, self.cut, self.claim, self.status = (
            body,
            '"one"',
            True,
            None,
            None,
            None,
        )
        self.asked = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/set.zip"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked.append(self.headers.get("Range"))
        if server.status:
            self.send_error(server.status)
            return
        wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range") or "")
        same = self.headers.get("If-Range") in (None, server.tag)
        begin = int(wanted[1]) if wanted and server.ranges and same else 0
        if begin > len(server.body):
            self.send_error(416)
            return
        part = server.body[begin:]
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(server.body) - 1}/{len(server.body)}")
        self.send_header("Content-Length", str(server.claim or len(part)))
        if server.tag:
            self.send_header("ETag", server.tag)
        self.end_headers()
        self.wfile.write(part[: server.cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def publisher():
    server = Publisher()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def archive(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in files.items():
            made.writestr(name, text)
    return out.getvalue()


def variant(server, md5=None):
    return Variant("a set", "ml-test", url=server.url, md5=md5)


def cut_short(publisher, target, at=300_000):
    publisher.cut = at
    with pytest.raises(DataError, match=r"set\.zip.* 300,000 of 1,048,576 bytes"):
        download(publisher.url, target)
    publisher.cut = None
    assert not target.exists()


def test_whole(publisher, tmp_path):
    download(publisher.url, tmp_path / "set.zip")
    assert (tmp_path / "set.zip").read_bytes() == BODY
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip"]


def test_resumes_a_truncated_transfer(publisher, tmp_path):
    cut_short(publisher, tmp_path / "set.zip")
    download(publisher.url, tmp_path / "set.zip")
    assert publisher.asked == [None, "bytes=300000-"]
    assert (tmp_path / "set.zip").read_bytes() == BODY


@pytest.mark.parametrize("change", ["no ranges", "another file", "no marks"])
def test_starts_afresh(publisher, tmp_path, change):
    if change == "no marks":
        publisher.tag = None
    cut_short(publisher, tmp_path / "set.zip")
    if change == "no ranges":
        publisher.ranges = False
    if change == "another file":
        publisher.body, publisher.tag = BODY[::-1], '"two"'
    download(publisher.url, tmp_path / "set.zip")
    assert (tmp_path / "set.zip").read_bytes() == publisher.body


def test_part_longer_than_the_file(publisher, tmp_path):
    (tmp_path / "set.zip.part").write_bytes(BODY * 2)
    (tmp_path / "set.zip.part.json").write_text(json.dumps({"url": publisher.url, "mark": '"one"'}))
    download(publisher.url, tmp_path / "set.zip")
    assert (tmp_path / "set.zip").read_bytes() == BODY


@pytest.mark.parametrize("text", ["", '{"url": ', "[]", '{"url": "x"}', '{"mark": 7}'])
def test_a_damaged_note_of_an_earlier_attempt_makes_it_start_afresh(publisher, tmp_path, text):
    cut_short(publisher, tmp_path / "set.zip")
    (tmp_path / "set.zip.part.json").write_text(text)
    download(publisher.url, tmp_path / "set.zip")
    assert publisher.asked == [None, None]
    assert (tmp_path / "set.zip").read_bytes() == BODY


def test_bytes_of_another_file_are_never_left_beside_the_new_ones_mark(publisher, tmp_path, monkeypatch):
    cut_short(publisher, tmp_path / "set.zip")
    publisher.body, publisher.tag = BODY[::-1], '"two"'

    def killed(answer, *_):
        answer.read()
        raise KeyboardInterrupt

    monkeypatch.setattr("datasets.fetch.download._transfer", killed)
    with pytest.raises(KeyboardInterrupt):
        download(publisher.url, tmp_path / "set.zip")
    monkeypatch.undo()
    download(publisher.url, tmp_path / "set.zip")
    assert (tmp_path / "set.zip").read_bytes() == publisher.body


@pytest.mark.parametrize("text", ["", '{"md5": ', "[]", "{}"])
def test_a_damaged_record_of_the_first_download_accepts_nothing(publisher, tmp_path, text):
    publisher.body = archive({"ml-test/ratings.csv": "1,2,3"})
    (tmp_path / "ml-test.digest.json").write_text(text)
    with pytest.raises(DataError, match=r"ml-test\.digest\.json .*set\.zip"):
        locate(variant(publisher), None, tmp_path)
    assert not (tmp_path / "ml-test").exists()


def test_unreachable_is_told_quickly(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/set.zip"
    with pytest.raises(Unreachable, match=rf"{url} .*RECSCALE_DATA"):
        download(url, tmp_path / "set.zip")


def test_silent_server_is_unreachable(tmp_path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x.zip"
        with pytest.raises(Unreachable, match=rf"{url} .*timed out"):
            download(url, tmp_path / "x.zip", timeout=0.2)


@pytest.mark.parametrize(("status", "kind"), [(404, DataError), (403, Unreachable), (503, Unreachable)])
def test_refusals(publisher, tmp_path, status, kind):
    publisher.status = status
    with pytest.raises(DataError, match=str(status)) as caught:
        download(publisher.url, tmp_path / "set.zip")
    assert type(caught.value) is kind


def test_not_enough_space_is_told_before_the_transfer(publisher, tmp_path):
    publisher.claim = 10**18
    with pytest.raises(DataError, match=rf"{tmp_path}.* 1,000,000,000,0\d\d,\d{{3}},\d{{3}} bytes .*--cache"):
        download(publisher.url, tmp_path / "set.zip")


def test_full_disk_in_the_middle_keeps_the_part(publisher, tmp_path):
    """A limit on the size of files stands in for a disk that fills up: the write fails in the same place."""
    script = (
        "import resource, sys; from pathlib import Path; from datasets.fetch.download import download\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))\n"
        "download(sys.argv[1], Path(sys.argv[2]))"
    )
    target = tmp_path / "set.zip"
    done = subprocess.run(
        [sys.executable, "-c", script, publisher.url, str(target)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"DataError: {tmp_path}" in done.stderr
    assert 0 < (tmp_path / "set.zip.part").stat().st_size <= 600_000
    download(publisher.url, target)
    assert publisher.asked[-1] is not None
    assert target.read_bytes() == BODY


def test_locate_fetches_checks_unpacks(publisher, tmp_path):
    publisher.body = archive({"ml-test/ratings.csv": "1,2,3"})
    digest = hashlib.md5(publisher.body).hexdigest()
    folder = locate(variant(publisher, digest), None, tmp_path / "cache")
    assert (folder / "ratings.csv").read_text() == "1,2,3"
    assert locate(variant(publisher, digest), None, tmp_path / "cache") == folder
    assert len(publisher.asked) == 1
    assert not list((tmp_path / "cache").glob("*.zip*"))


def test_locate_fetches_a_single_file(publisher, tmp_path):
    publisher.body = b"track,name\n"
    songs = Variant("a file", "music", url=publisher.url, files=("songs.csv",))
    folder = locate(songs, None, tmp_path)
    assert folder == tmp_path / "music"
    assert [path.name for path in folder.iterdir()] == ["songs.csv"]
    assert (folder / "songs.csv").read_bytes() == publisher.body
    assert locate(songs, None, tmp_path) == folder
    assert len(publisher.asked) == 1
    record = tmp_path / "songs.csv.digest.json"
    assert json.loads(record.read_text())["md5"] == hashlib.md5(publisher.body).hexdigest()


def test_a_single_file_that_changed_is_refused(publisher, tmp_path):
    songs = Variant("a file", "music", url=publisher.url, files=("songs.csv",))
    file = locate(songs, None, tmp_path) / "songs.csv"
    file.unlink()
    publisher.body, publisher.tag = b"other", '"two"'
    with pytest.raises(DataError, match=r"MD5 \w{32} .*songs\.csv\.digest\.json"):
        locate(songs, None, tmp_path)
    assert not file.exists()


def test_a_folder_shared_with_other_sets_counts_only_with_its_files(tmp_path):
    slices = Variant(
        "files", "music", files=("slice.*.json", "about.txt"), page="https://example.org/members"
    )
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "slice.0.json").write_text("{}")
    with pytest.raises(
        Unreachable, match=r"slice\.\*\.json, about\.txt .*https://example.org/members.*/music/"
    ):
        locate(slices, tmp_path, tmp_path / "cache")
    (tmp_path / "music" / "about.txt").write_text("")
    assert locate(slices, tmp_path, tmp_path / "cache") == tmp_path / "music"
    assert locate(slices, tmp_path / "music", tmp_path / "cache") == tmp_path / "music"
    with pytest.raises(Unreachable, match="RECSCALE_DATA"):
        locate(slices, None, tmp_path / "cache")


def test_data_folder_comes_first(publisher, tmp_path):
    (tmp_path / "data" / "ml-test").mkdir(parents=True)
    assert locate(variant(publisher), tmp_path / "data", tmp_path / "cache") == tmp_path / "data" / "ml-test"
    assert publisher.asked == []


def test_a_data_folder_that_is_not_there_is_not_replaced_by_a_download(publisher, tmp_path):
    for missing in (tmp_path / "no such folder", Path(__file__)):
        with pytest.raises(DataError, match=missing.name):
            locate(variant(publisher), missing, tmp_path / "cache")
    assert publisher.asked == []


def test_wrong_checksum_is_refused_and_deleted(publisher, tmp_path):
    publisher.body = archive({"ml-test/ratings.csv": "1,2,3"})
    with pytest.raises(DataError, match="0" * 32):
        locate(variant(publisher, "0" * 32), None, tmp_path)
    assert not (tmp_path / "ml-test").exists()
    assert not list(tmp_path.glob("*.zip*"))


def test_moving_set_is_compared_with_its_first_download(publisher, tmp_path):
    publisher.body = archive({"ml-test/ratings.csv": "1,2,3"})
    folder = locate(variant(publisher), None, tmp_path)
    record = tmp_path / "ml-test.digest.json"
    assert json.loads(record.read_text())["md5"] == hashlib.md5(publisher.body).hexdigest()
    (folder / "ratings.csv").unlink()
    folder.rmdir()
    publisher.body, publisher.tag = archive({"ml-test/ratings.csv": "1,2,4"}), '"two"'
    with pytest.raises(DataError, match=r"MD5 \w{32} .*ml-test\.digest\.json"):
        locate(variant(publisher), None, tmp_path)
    record.write_text("{")
    with pytest.raises(DataError, match=r"ml-test\.digest\.json"):
        locate(variant(publisher), None, tmp_path)
    record.unlink()
    assert (locate(variant(publisher), None, tmp_path) / "ratings.csv").read_text() == "1,2,4"


def link():
    entry = zipfile.ZipInfo("ml-test/link")
    entry.external_attr = 0o120777 << 16
    return entry


@pytest.mark.parametrize("name", ["../evil", "/evil", "ml-test/../../evil", "..\\evil", link()])
def test_archive_that_leads_out(tmp_path, name):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "set.zip"
    path.write_bytes(archive({"ml-test/a": "a", name: "b"}))
    with pytest.raises(DataError, match=re.escape(repr(getattr(name, "filename", name)))):
        unpack(path, "ml-test", tmp_path / "in")
    assert [found.name for found in tmp_path.rglob("*") if found.is_file()] == ["set.zip"]


@pytest.mark.parametrize(
    ("content", "named"),
    [(b"PK no zip", r"set\.zip"), (archive({"other/a": "a"}), r"set\.zip .* ml-test")],
)
def test_archive_of_another_kind(tmp_path, content, named):
    path = tmp_path / "set.zip"
    path.write_bytes(content)
    with pytest.raises(DataError, match=named):
        unpack(path, "ml-test", tmp_path)
    assert not (tmp_path / "ml-test").exists()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_a_bar_on_a_terminal_and_lines_when_piped():
    terminal, pipe = Terminal(), io.StringIO()
    for out in (terminal, pipe):
        shown = Progress("set.zip", 4_000_000, 1_000_000, out)
        shown.add(1_000_000)
        shown.add(2_000_000)
        shown.finish()
    assert "[##" in terminal.getvalue()
    assert "\r" in terminal.getvalue()
    assert pipe.getvalue().count("\n") == 1
    assert "100%, 4.0 of 4.0 MB" in pipe.getvalue()
    assert "\r" not in pipe.getvalue()
    line = Progress("set.zip", 4_000_000, 1_000_000, pipe)
    line.add(1_000_000)
    assert line.line(2.0) == "set.zip: 50%, 2.0 of 4.0 MB, 0.5 MB/s, 4 s left"
