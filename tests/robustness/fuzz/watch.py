"""Run harnesses in a process of their own that may hang, swell or crash, and say which input did it."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import multiprocessing
import os
import pathlib
import random
import re
import resource
import shutil
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Protocol

from vocalsep.errors import VocalsepError

from .defect import Defect

LONGEST_S = 10.0
MOST_BYTES = 1_500_000_000
# What protects the machine where the watching process is too slow to see it.
ADDRESS_BYTES = 16 << 30
GLANCE_S = 0.05
# Opening a harness makes its seeds, some of which are traced networks.
OPENING_S = 300.0
ENDING_S = 10.0
INPUT, NOISE = "input", "noise"
# libsndfile's complaint of a damaged ALAC file. FFmpeg would be silent, but cuts off ends of good ones.
KNOWN_NOISE = "alac_pakt_read_decode"


class Harness(Protocol):
    """One boundary of vocalsep; opened with a folder for its seeds and a folder for the input that it tries."""

    def __init__(self, seeds: pathlib.Path, place: pathlib.Path): ...

    def attempt(self, random_: random.Random) -> None:
        """Make an input in `place`, which is empty, give it to vocalsep, and check what comes of it.

        Raises
        ------
        VocalsepError
            The input was refused, as it may be.
        Defect
            It was taken, and what came of it is wrong.
        """


@dataclasses.dataclass(frozen=True)
class Task:
    """One input: of which harness, and which. With the seed that is all that it is made from."""

    kind: type[Harness]
    case: int

    @property
    def name(self) -> str:
        """Harness and number."""
        return f"{self.kind.__name__.lower()}-{self.case}"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of an input.

    Parameters
    ----------
    task : Task
    accepted : bool
    defect : str
        What went wrong; empty where nothing did.
    seconds : float
    peak_bytes : int
        Largest resident memory of the process while it was at it; 0 where the system does not say.
    """

    task: Task
    accepted: bool = False
    defect: str = ""
    seconds: float = 0.0
    peak_bytes: int = 0


@dataclasses.dataclass(frozen=True)
class Bounds:
    """What an input may take, in seconds and in bytes of resident memory."""

    longest_s: float = LONGEST_S
    most_bytes: int = MOST_BYTES


def run(
    tasks: Sequence[Task], seed: int, folder: pathlib.Path, bounds: Bounds, keep: pathlib.Path | None = None
) -> Iterator[Outcome]:
    """Try all inputs, one after another, whatever becomes of the process that tries them.

    Parameters
    ----------
    tasks : sequence of Task
    seed : int
    folder : pathlib.Path
        For seeds, the input at hand, and what the process says.
    bounds : Bounds
    keep : pathlib.Path, optional
        A folder for inputs that show a defect.
    """
    done = 0
    while done < len(tasks):
        for outcome in _until_it_dies(tasks[done:], seed, folder, bounds, keep):
            yield outcome
            done += 1


def _until_it_dies(
    tasks: Sequence[Task], seed: int, folder: pathlib.Path, bounds: Bounds, keep: pathlib.Path | None
) -> Iterator[Outcome]:
    # Not forked: what is tried has threads, and so may have whoever tries it.
    context = multiprocessing.get_context("spawn")
    results, sending = context.Pipe(duplex=False)
    worker = context.Process(target=_work, args=(tasks, seed, folder, sending, keep), daemon=True)
    worker.start()
    sending.close()
    began, limit_s, place, opened = time.monotonic(), OPENING_S, 0, False
    try:
        while place < len(tasks):
            why = ""
            try:
                if results.poll(GLANCE_S):
                    message = results.recv()
                    opened = message != "opening"
                    began, limit_s = time.monotonic(), bounds.longest_s if opened else OPENING_S
                    if isinstance(message, Outcome):
                        place += 1
                        yield message
                    continue
            except EOFError:
                worker.join()
                why = f"the process died with exit code {worker.exitcode}"
            seconds = time.monotonic() - began
            if not why and seconds > limit_s:
                why = f"still at it after {seconds:.1f} s"
            if not why and _resident_bytes(worker.pid) > bounds.most_bytes:
                why = f"takes {_resident_bytes(worker.pid) / 1e6:.0f} MB"
            if why and not opened:
                raise RuntimeError(f"{tasks[place].kind.__name__} cannot be opened: {why}\n{_said(folder)}")
            if why:
                _keep(folder, tasks[place], keep)
                yield Outcome(tasks[place], defect=why, seconds=seconds)
                return
        worker.join(ENDING_S)
    finally:
        worker.kill()
        worker.join()
        results.close()


def _work(
    tasks: Sequence[Task], seed: int, folder: pathlib.Path, results: Connection, keep: pathlib.Path | None
) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_BYTES, ADDRESS_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    noise = os.open(folder / NOISE, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(noise, stream)
    place = folder / INPUT
    opened: dict[type[Harness], Harness] = {}
    for task in tasks:
        if task.kind not in opened:
            results.send("opening")
            seeds = folder / task.kind.__name__.lower()
            seeds.mkdir(exist_ok=True)
            opened[task.kind] = task.kind(seeds, place)
            os.ftruncate(noise, 0)
        _empty(place)
        results.send("began")
        outcome = _tried(opened[task.kind], task, random.Random(f"{seed} {task.name}"), noise)
        if outcome.defect:
            _keep(folder, task, keep)
        results.send(outcome)


def _tried(harness: Harness, task: Task, random_: random.Random, noise: int) -> Outcome:
    _forget_peak()
    accepted, defect = True, ""
    began = time.monotonic()
    try:
        try:
            harness.attempt(random_)
        finally:
            printed = _printed_text(noise)
        defect = f"wrote to the terminal: {printed!r}" if printed else ""
    except VocalsepError as error:
        accepted = False
        defect = (
            f"wrote to the terminal: {printed!r}" if printed else "" if str(error).strip() else "an error without words"
        )
    except Defect as error:
        defect = str(error)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        where = " < ".join(f"{pathlib.Path(frame.filename).name}:{frame.lineno}" for frame in frames[:-5:-1])
        defect = f"{type(error).__name__}: {str(error)[:200]} ({where})"
    return Outcome(task, accepted, defect, time.monotonic() - began, _peak_bytes())


def _printed_text(noise: int) -> str:
    """Return what a library wrote to the user's terminal, or Python about errors that it could not raise."""
    sys.stderr.flush()
    # What C libraries print waits in a buffer of their own.
    ctypes.CDLL(None).fflush(None)
    printed = os.pread(noise, 300, 0).decode(errors="replace").strip()
    if printed:
        os.ftruncate(noise, 0)
    return "" if printed.startswith(KNOWN_NOISE) else printed


def _said(folder: pathlib.Path) -> str:
    return (folder / NOISE).read_text(errors="replace") if (folder / NOISE).exists() else ""


def _empty(place: pathlib.Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()


def _keep(folder: pathlib.Path, task: Task, keep: pathlib.Path | None) -> None:
    # Of pipes and sockets there are no copies.
    with contextlib.suppress(shutil.Error):
        if keep is not None:
            shutil.copytree(folder / INPUT, keep / task.name, symlinks=True, dirs_exist_ok=True)


def _resident_bytes(pid: int | None) -> int:
    try:
        pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * resource.getpagesize()


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/clear_refs").write_text("5")


def _peak_bytes() -> int:
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path("/proc/self/status").read_text())
    except OSError:
        return 0
    return 1024 * int(found[1]) if found else 0
