"""Ctrl-C, and again, and again: no traceback, nothing left, and the same command goes on."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from conftest import RATE, tones, write
from faults.cases import CASES

from vocalsep.audio.decoding import open_source

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")

# Where an interruption comes while Python runs code that was made from text, as dataclasses are, the interpreter ends
# itself with the signal in the end; a shell calls that 130 too.
INTERRUPTED = (130, -signal.SIGINT)


def interrupt(process, gaps, group):
    """Send SIGINT, to all processes as a terminal does or to the first alone, and again after each gap."""
    for gap in (0.0, *gaps):
        time.sleep(gap)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT) if group else process.send_signal(signal.SIGINT)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_interrupted_several_times_it_tidies_up_and_goes_on(name, tmp_path):
    rng = random.Random(name)
    case = CASES[name](tmp_path)
    process = case.start()
    try:
        if name == "train":
            wait_for(lambda: (case.out / "last.safetensors").exists(), process)
        elif name == "evaluate":
            wait_for(lambda: list(case.out.rglob("*.json")), process)
        else:
            wait_for(lambda: [*case.out.rglob(".vocalsep-*"), *case.out.rglob("*.pcm")], process)
        began = time.monotonic()
        interrupt(process, [rng.uniform(0.05, 0.5) for _ in range(4)], group=name != "train")
        _, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    assert time.monotonic() - began < 40
    assert process.returncode in INTERRUPTED or process.returncode == 0, stderr.decode()
    assert b"Traceback" not in stderr
    assert b"Exception" not in stderr
    assert not list(case.out.rglob(".vocalsep-*"))
    if name == "studio":
        states = [json.loads(path.read_text())["state"] for path in case.out.glob("*/song.json")]
        assert states
        assert set(states) <= {"interrupted", "done"}
    case.finish()
    assert case.results()


@pytest.mark.parametrize("command", ["split", "evaluate"])
def test_interrupted_while_it_starts_it_says_so_in_one_line(command, tmp_path):
    song = write(tmp_path / "song.wav", np.zeros((2, 60 * RATE)), RATE)
    arguments = {"split": [str(song), "--out", str(tmp_path / "out")], "evaluate": ["--stems", str(tmp_path)]}[command]
    # Python itself needs some time until it is ours to answer.
    for wait in (0.3, 0.6):
        line = [sys.executable, "-m", "vocalsep", command, *arguments]
        process = subprocess.Popen(line, stderr=subprocess.PIPE, start_new_session=True)
        wait_for(lambda: b"vocalsep" in open(f"/proc/{process.pid}/cmdline", "rb").read(), process)  # noqa: B023, SIM115
        time.sleep(wait)
        interrupt(process, [0.05, 0.05], group=True)
        _, stderr = process.communicate(timeout=60)
        if b"Traceback" in stderr:
            assert b"vocalsep/cli" not in stderr
        else:
            assert process.returncode in (*INTERRUPTED, 2)


def test_an_interruption_amid_a_read_for_ffmpeg_is_not_lost(tmp_path):
    """It comes while FFmpeg waits for Python to read, where an exception would be printed and forgotten."""
    code = (
        "import pathlib, sys\n"
        "from vocalsep.audio.decoding import open_source\n"
        "from vocalsep.system.signals import InterruptHandler\n"
        "InterruptHandler(None).install()\n"
        "print('ready', flush=True)\n"
        "try:\n"
        "    while True:\n"
        "        with open_source(pathlib.Path(sys.argv[1])) as source:\n"
        "            next(source.blocks())\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', flush=True)\n"
    )
    song = write(tmp_path / "song.mp3", tones(2), RATE)
    assert open_source(song).info.container == "mp3"
    for wait in (0.05, 0.11, 0.17, 0.23):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(song)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        process.stdout.readline()
        time.sleep(wait)
        process.send_signal(signal.SIGINT)
        guard = threading.Timer(10, process.kill)
        guard.start()
        stdout, stderr = process.communicate()
        guard.cancel()
        assert stdout == b"interrupted\n"
        assert stderr == b""


COMMAND = """
import sys, time
from vocalsep.system.signals import InterruptHandler

def command(busy):
    InterruptHandler(sys._getframe()).install()
    try:
        print("ready", flush=True)
        busy()
        time.sleep(60)
    except KeyboardInterrupt:
        print(getattr(sys.modules.get("slow"), "whole", None), flush=True)
"""


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import command\ncommand.command(lambda: __import__('slow'))", b"True\n"),
        ("import called", b"None\n"),
    ],
    ids=["imports", "is imported"],
)
def test_what_is_being_imported_is_imported_whole(code, expected, tmp_path):
    """An interrupted import completes first (C++ libraries crash half initialized), unless a program runs within it."""
    (tmp_path / "command.py").write_text(COMMAND)
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(1)\nwhole = True\n")
    (tmp_path / "called.py").write_text("import command, time\ncommand.command(lambda: time.sleep(60))\n")
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=tmp_path)
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate(timeout=30)
    assert stdout == expected


def wait_for(condition, process, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.01)
