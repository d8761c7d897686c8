"""Many songs in several processes on this machine, each with a model and a share of the threads."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING

from .batch import Manner, Outcome, Task, failure, separate
from .parent import end_with_parent

if TYPE_CHECKING:
    from types import FrameType

    from .separator import Separator

INTERRUPTIONS = {signal.SIGINT, signal.SIGTERM}


@dataclasses.dataclass(frozen=True)
class EngineSettings:
    """What a process needs to build its own `Separator`."""

    model: str
    device: str
    threads: int | None
    overlap: float | None
    hard: bool
    backend: str
    precision: str

    def build(self) -> Separator:
        """Return the separator; raises ModelError or UsageError."""
        from .separator import Separator

        return Separator(**dataclasses.asdict(self))


def in_processes(tasks: Sequence[Task], manner: Manner, settings: EngineSettings, jobs: int) -> Iterator[Outcome]:
    """Separate songs in several processes, and yield each outcome as it comes.

    A process that dies takes nothing with it: what was being worked on is done again, song by song, and a song whose
    process dies once more has failed. Where this generator is closed, the processes stop and leave no unfinished file.

    Parameters
    ----------
    tasks : sequence of Task
    manner : Manner
    settings : EngineSettings
        Without `threads`, the cores are shared out.
    jobs : int
        Processes.

    Raises
    ------
    ModelError, UsageError
        The model is unknown or does not go with the settings.
    """
    if settings.threads is None:
        settings = dataclasses.replace(settings, threads=max(1, (os.cpu_count() or 1) // jobs))
    waiting = list(tasks)
    while waiting:
        undone = []
        for task, outcome in _round(waiting, manner, settings, jobs):
            if outcome is None:
                undone.append(task)
            else:
                yield outcome
        # Songs are begun in their order, so those that were being worked on come first.
        undone.sort(key=waiting.index)
        suspects, waiting = undone[: 2 * jobs], undone[2 * jobs :]
        for suspect in suspects:
            for task, outcome in _round([suspect], manner, settings, 1):
                yield outcome or failure(task.song.source, "its process died twice, for want of memory perhaps")


def work(task: Task, manner: Manner, settings: EngineSettings) -> Outcome:
    """Separate one song in a process that keeps its model for the next."""
    with _interruption():
        return separate(_separator(settings), task, manner)


@functools.cache
def _separator(settings: EngineSettings) -> Separator:
    return settings.build()


class Interruption:
    """A handler of SIGINT that interrupts only work, and that once; no work is begun after it.

    An idle process that died of it instead would have the pool terminate those that are still tidying up.
    """

    def __init__(self) -> None:
        self.working = self.asked = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Take a signal, as a handler does; raises KeyboardInterrupt amid work."""
        first, self.asked = not self.asked, True
        if self.working and first:
            raise KeyboardInterrupt

    def __enter__(self) -> None:
        self.working = True
        if self.asked:
            self.working = False
            raise KeyboardInterrupt

    def __exit__(self, *exception: object) -> None:
        self.working = False

    def end(self) -> None:
        """From another thread: interrupt what is being worked on, and wait until that has been tidied up."""
        os.kill(os.getpid(), signal.SIGINT)
        while self.working:
            time.sleep(0.02)


@functools.cache
def _interruption() -> Interruption:
    return Interruption()


def _ready() -> None:
    """Let a process that was begun in `_without_interruptions` hear what was held back, and watch over its parent."""
    signal.signal(signal.SIGINT, _interruption())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTIONS)
    end_with_parent(_interruption().end)


@contextlib.contextmanager
def _without_interruptions() -> Iterator[None]:
    """Hold signals to stop back, from processes begun meanwhile too: amid its imports, one would tell of it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _round(
    tasks: Sequence[Task], manner: Manner, settings: EngineSettings, jobs: int
) -> Iterator[tuple[Task, Outcome | None]]:
    """Work through tasks in one set of processes; None stands for those that a death has left undone."""
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=context, initializer=_ready)
    try:
        with _without_interruptions():
            running = {pool.submit(work, task, manner, settings): task for task in tasks}
        for future in concurrent.futures.as_completed(running):
            try:
                yield running[future], future.result()
            except BrokenProcessPool:
                yield running[future], None
    except BaseException:
        # A second interruption would leave the pool half shut, and the program waiting for it.
        with _without_interruptions():
            for process in multiprocessing.active_children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid or 0, signal.SIGINT)
            pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()
