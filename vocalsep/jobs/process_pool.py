"""Many songs in several processes on this machine, each with a model and a share of the threads."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import os
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING

from ..system.process_pool import blocked_signals, interruptible, process_pool
from .batch import SongResult, Task, WriteOptions, failure, separate

if TYPE_CHECKING:
    from ..inference.engine import Engine


@dataclasses.dataclass(frozen=True)
class EngineSettings:
    """What a process needs to build its own `Engine`."""

    model: str
    device: str
    threads: int | None
    overlap: float | None
    hard: bool
    backend: str
    precision: str

    def build(self) -> Engine:
        """Return the separator; raises ModelError or UsageError."""
        from ..inference.engine import Engine

        return Engine(**dataclasses.asdict(self))


def separate_in_processes(
    tasks: Sequence[Task], write_options: WriteOptions, settings: EngineSettings, jobs: int
) -> Iterator[SongResult]:
    """Separate songs in several processes, and yield each outcome as it comes.

    A process that dies takes nothing with it: what was being worked on is done again, song by song, and a song whose
    process dies once more has failed. Where this generator is closed, the processes stop and leave no unfinished file.

    Parameters
    ----------
    tasks : sequence of Task
    write_options : WriteOptions
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
        for task, outcome in _round(waiting, write_options, settings, jobs):
            if outcome is None:
                undone.append(task)
            else:
                yield outcome
        # Songs are begun in their order, so those that were being worked on come first.
        undone.sort(key=waiting.index)
        suspects, waiting = undone[: 2 * jobs], undone[2 * jobs :]
        for suspect in suspects:
            for task, outcome in _round([suspect], write_options, settings, 1):
                yield outcome or failure(task.song.source, "its process died twice, for want of memory perhaps")


def work(task: Task, write_options: WriteOptions, settings: EngineSettings) -> SongResult:
    """Separate one song in a process that keeps its model for the next."""
    with interruptible():
        return separate(_separator(settings), task, write_options)


@functools.cache
def _separator(settings: EngineSettings) -> Engine:
    return settings.build()


def _round(
    tasks: Sequence[Task], write_options: WriteOptions, settings: EngineSettings, jobs: int
) -> Iterator[tuple[Task, SongResult | None]]:
    """Work through tasks in one set of processes; None stands for those that a death has left undone."""
    with process_pool(min(jobs, len(tasks))) as processes:
        with blocked_signals():
            running = {processes.submit(work, task, write_options, settings): task for task in tasks}
        for future in concurrent.futures.as_completed(running):
            try:
                yield running[future], future.result()
            except BrokenProcessPool:
                yield running[future], None
