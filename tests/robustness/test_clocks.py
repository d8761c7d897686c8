"""A machine whose clock is set a day ahead or back, or to 1970, while a command runs: nothing changes by that."""

import fcntl
import io
import os
import pathlib
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
import zipfile

import pytest
from conftest import RATE, tones, write
from faults.cases import CASES
from test_studio import opened

from vocalsep.system.progress import Bar

LIBRARIES = [
    path for where in ("lib*", "lib*/*") for path in pathlib.Path("/usr").glob(f"{where}/faketime/libfaketimeMT.so.1")
]
needs_faketime = pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed")


def with_clock(monkeypatch, file, says="+0d"):
    """Give commands a wall clock that `file` sets, to be changed at any time; the monotonic one goes on."""
    file.write_text(says)
    monkeypatch.setenv("LD_PRELOAD", str(LIBRARIES[0]))
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(file))
    monkeypatch.setenv("FAKETIME_NO_CACHE", "1")
    monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    monkeypatch.setenv("DONT_FAKE_MONOTONIC", "1")


@needs_faketime
@pytest.mark.slow
@pytest.mark.parametrize("name", ["split", "train"])
def test_results_do_not_depend_on_the_clock(name, tmp_path, monkeypatch):
    plain = CASES[name](tmp_path / "plain")
    plain.finish()
    with_clock(monkeypatch, tmp_path / "clock")
    case = CASES[name](tmp_path / "jumping")
    process = case.start()
    for says in ("+1d", "-1d", "+1d", "@1970-01-02 00:00:00", "+0d"):
        time.sleep(0.5)
        (tmp_path / "clock").write_text(says)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr.decode()
    assert case.lasting(case.results()) == plain.lasting(plain.results())
    rate = re.search(rb"([\d.]+) steps a second", stderr)
    assert rate is None or 0.1 < float(rate[1]) < 100_000


@needs_faketime
@pytest.mark.slow
def test_progress_bar_continues_when_the_clock_is_set_back(tmp_path, monkeypatch):
    song = write(tmp_path / "song.wav", tones(120), RATE)
    with_clock(monkeypatch, tmp_path / "clock")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    command = [sys.executable, "-m", "vocalsep", "split", str(song), "--out", str(tmp_path / "out"), "--threads", "1"]
    process = subprocess.Popen(command, stderr=theirs, stdout=subprocess.DEVNULL)
    os.close(theirs)
    shown, since = b"", b""
    while process.poll() is None:
        if select.select([ours], [], [], 0.1)[0]:
            try:
                part = os.read(ours, 4096)
            except OSError:
                break
            shown += part
            since += part
        if re.search(rb" [1-9]\d?%", shown) and (tmp_path / "clock").read_text() == "+0d":
            (tmp_path / "clock").write_text("-1d")
            since = b""
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert len(re.findall(rb"\d%\|", since)) >= 2
    assert not re.search(rb"\d:\d\d:\d\d|-\d", since)


def test_progress_bar_follows_a_changed_clock(monkeypatch):
    shown, days, clock = io.StringIO(), [0], time.time
    for name in ("time.time", "tqdm.std.time"):
        monkeypatch.setattr(name, lambda: clock() + days[-1] * 86400)
    with Bar(total=100, file=shown, mininterval=0) as bar:
        for day in (-1, 1, 0):
            days.append(day)
            bar.update(10)
            assert 0 <= bar.format_dict["elapsed"] < 60
            assert bar.n == bar.last_print_n
    assert "24:00" not in shown.getvalue()


@needs_faketime
def test_a_studio_without_a_clock(tmp_path, monkeypatch):
    with_clock(monkeypatch, tmp_path / "clock", "@1970-01-02 00:00:00")
    with opened(tmp_path / "library") as studio:
        first = studio.post(write(tmp_path / "a.wav", tones(0.3), RATE), "a.wav").json()["id"]
        assert studio.until(first, "done", "failed")["state"] == "done"
        _, archive = studio.download(first, kind="stems", format="wav")
        assert len(zipfile.ZipFile(io.BytesIO(archive.content)).namelist()) == 2
        (tmp_path / "clock").write_text("+1d")
        second = studio.post(tmp_path / "a.wav", "b.wav").json()["id"]
        (tmp_path / "clock").write_text("-1d")
        assert studio.until(second, "done", "failed")["state"] == "done"
        assert studio.download(second, kind="mix")[1].status_code == 200
