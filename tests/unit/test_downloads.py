"""Downloads of models from a web server of the tests' own, which does what real ones do wrong."""

import dataclasses
import hashlib
import http.server
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from vocalsep.errors import DiskFullError, ModelError, UsageError
from vocalsep.model_store import download as downloading
from vocalsep.model_store.download import download, file_name, remove_download

CONTENT = bytes(range(256)) * 4000


@dataclasses.dataclass
class Behaviour:
    """How the server answers; `cut_after` bytes it closes the connection, `stall_after` it sends no more."""

    content: bytes = CONTENT
    etag: str = '"one"'
    ranges: bool = True
    length: bool | str = True
    cut_after: list = dataclasses.field(default_factory=list)
    stall_after: int | None = None
    status: int = 200
    redirect: str = ""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        does = self.server.does
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        if does.redirect and self.path != "/there":
            self.send_response(302)
            self.send_header("Location", does.redirect)
            self.end_headers()
            return
        start = 0
        if asked and does.ranges and self.headers.get("If-Range") == does.etag:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(does.content) - 1}/{len(does.content)}")
        else:
            self.send_response(does.status)
        body = does.content[start:]
        if does.length:
            self.send_header("Content-Length", str(len(body)) if does.length is True else does.length)
        if does.etag:
            self.send_header("ETag", does.etag)
        self.end_headers()
        if does.stall_after is not None:
            self.wfile.write(body[: does.stall_after])
            self.wfile.flush()
            self.server.stalled.set()
            self.server.go_on.wait(20)
            return
        self.wfile.write(body[: does.cut_after.pop(0)] if does.cut_after else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(downloading, "WAIT_S", 0.0)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.does, server.ranges = Behaviour(), []
        server.stalled, server.go_on = threading.Event(), threading.Event()
        server.url = f"http://127.0.0.1:{server.server_port}/models/a%20song.onnx?download=true"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


def test_a_file_is_downloaded_and_verified(server, tmp_path):
    whole = download(server.url, tmp_path, sha256=hashlib.sha256(CONTENT).hexdigest().upper())
    assert whole.name == "a song.onnx"
    assert whole.read_bytes() == CONTENT
    assert server.ranges == [None]
    remove_download(whole)
    assert list(tmp_path.iterdir()) == []


def test_a_lost_connection_goes_on_where_it_stopped(server, tmp_path):
    server.does.cut_after = [300_000, 100_000]
    assert download(server.url, tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-", "bytes=400000-"]


def test_a_download_goes_on_in_another_process(server, tmp_path):
    server.does.cut_after = [300_000, *[0] * 10]
    with pytest.raises(ModelError, match="the same command goes on"):
        download(server.url, tmp_path)
    assert not list(tmp_path.rglob("*.onnx"))
    server.does.cut_after, server.ranges[:] = [], []
    assert download(server.url, tmp_path).read_bytes() == CONTENT
    assert server.ranges == ["bytes=300000-"]


def test_a_file_that_has_changed_begins_anew(server, tmp_path):
    server.does.cut_after = [300_000, *[0] * 10]
    with pytest.raises(ModelError):
        download(server.url, tmp_path)
    server.does = Behaviour(content=CONTENT[::-1], etag='"two"')
    assert download(server.url, tmp_path).read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("change", [{"ranges": False}, {"etag": ""}, {"length": False, "etag": ""}], ids=str)
def test_servers_that_cannot_go_on_begin_anew(server, tmp_path, change):
    server.does = Behaviour(**change)
    if server.does.length:
        server.does.cut_after = [300_000]
    assert download(server.url, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("length", ["-5", "abc", "\xb2", "9" * 5000], ids=lambda text: text[:5])
def test_lengths_that_are_none_are_passed_over(server, tmp_path, length):
    server.does.length = length
    assert download(server.url, tmp_path).read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing(server, tmp_path):
    with pytest.raises(ModelError, match="not the one given"):
        download(server.url, tmp_path, sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="64 hexadecimal digits"):
        download(server.url, tmp_path, sha256="12")


def test_errors_of_the_server_are_one_line(server, tmp_path):
    server.does.status = 404
    with pytest.raises(ModelError, match=r"answers 404 .*check the address"):
        download(server.url, tmp_path)
    assert len(server.ranges) == 1
    server.does.status = 503
    with pytest.raises(ModelError, match=r"cannot be downloaded .*try again later"):
        download(server.url, tmp_path)
    for address in ("file:///etc/passwd", "http://", "ftp://127.0.0.1/a", "http://[::1/a", "http://.../a"):
        with pytest.raises(UsageError, match="not a web address"):
            download(address, tmp_path)
    server.does = Behaviour(redirect="file:///etc/passwd")
    with pytest.raises(ModelError):
        download(server.url, tmp_path)
    server.does = Behaviour(redirect="http://[::1/a")
    with pytest.raises(ModelError, match="the server's answer makes no sense"):
        download(server.url, tmp_path)
    server.does = Behaviour(redirect="/there")
    assert download(server.url, tmp_path).read_bytes() == CONTENT


def test_no_server_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(downloading, "WAIT_S", 0.0)
    with pytest.raises(ModelError, match="cannot be downloaded"):
        download("http://127.0.0.1:9/a.onnx", tmp_path)


def test_limits(server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloading, "LARGEST_DOWNLOAD", 500_000)
    for length in (True, False):
        server.does = Behaviour(length=length)
        with pytest.raises(ModelError, match="larger than"):
            download(server.url, tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size > 100_000]


def test_a_full_disk_is_known_before(server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloading.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(DiskFullError, match=r"the disk is full.*1 MB"):
        download(server.url, tmp_path)


def test_names_of_files():
    assert file_name("https://host/a/b%20c.onnx?x=1#y") == "b c.onnx"
    assert "/" not in file_name("https://host/a/b%2Fc.onnx")
    assert file_name("https://host") == "download"
    assert file_name("https://host/..") not in ("..", "")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT to one process")
def test_ctrl_c_keeps_the_part(server, tmp_path):
    server.does.stall_after = 300_000
    environment = {**os.environ, "VOCALSEP_MODELS": str(tmp_path)}
    command = [sys.executable, "-m", "vocalsep", "models", "add", server.url]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert server.stalled.wait(60)
    part = wait_for_part(tmp_path, 300_000)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert part.read_bytes() == CONTENT[:300_000]
    assert not list(tmp_path.rglob("*.onnx"))


def wait_for_part(folder: pathlib.Path, size: int) -> pathlib.Path:
    for _ in range(200):
        for part in folder.rglob(downloading.PART):
            if part.stat().st_size == size:
                return part
        time.sleep(0.05)
    raise AssertionError("nothing arrived")
