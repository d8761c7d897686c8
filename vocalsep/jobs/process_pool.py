"""Many jobs in several processes on this machine, each with a model and a share of the threads."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool

from ..errors import VocalsepError
from ..inference.engine import Engine, EngineSettings
from ..system.process_pool import blocked_signals, interruptible, process_pool
from .batch import SongProgress, SongResult, failed_result, run_job
from .outputs import WriteOptions
from .planning import Job


def run_in_processes(
    jobs: Sequence[Job],
    options: WriteOptions,
    settings: EngineSettings,
    processes: int,
    progress: Callable[[Job], SongProgress] | None = None,
) -> Iterator[SongResult]:
    """Run jobs in several processes, and yield each result as it comes.

    The jobs of a process that is killed or crashes are run again, one by one; a job whose process ends so again has
    failed. Closing this generator stops the processes, which leave no unfinished file.

    Parameters
    ----------
    jobs : sequence of Job
    options : WriteOptions
    settings : EngineSettings
        Without `threads`, the cores are shared among the processes.
    processes : int
    progress : callable, optional
        Returns what follows a job; it is pickled, and called in the job's process.

    Raises
    ------
    ModelError, UsageError
        The model is unknown or does not go with the settings.
    """
    if settings.threads is None:
        settings = dataclasses.replace(settings, threads=max(1, (os.cpu_count() or 1) // processes))
    waiting = list(jobs)
    while waiting:
        unfinished = []
        for job, result in _run_round(waiting, options, settings, processes, progress):
            if result is None:
                unfinished.append(job)
            else:
                yield result
        # Jobs are started in their order, so those that were in progress come first.
        unfinished.sort(key=waiting.index)
        suspects, waiting = unfinished[: 2 * processes], unfinished[2 * processes :]
        for suspect in suspects:
            for job, result in _run_round([suspect], options, settings, 1, progress):
                lost = VocalsepError(
                    "its process ended twice without a result", hint="memory may have run out; try fewer processes"
                )
                yield result or failed_result(job.file.source, lost)


def run_in_worker(
    job: Job, options: WriteOptions, settings: EngineSettings, progress: SongProgress | None = None
) -> SongResult:
    """Run a job in a worker process, which keeps its model for the next job."""
    with interruptible():
        return run_job(_worker_engine(settings), job, options, progress)


@functools.cache
def _worker_engine(settings: EngineSettings) -> Engine:
    return settings.open()


def _run_round(
    jobs: Sequence[Job],
    options: WriteOptions,
    settings: EngineSettings,
    processes: int,
    progress: Callable[[Job], SongProgress] | None,
) -> Iterator[tuple[Job, SongResult | None]]:
    """Run jobs in one pool; the result is None for those that were left when a process died."""
    with process_pool(min(processes, len(jobs))) as executor:
        with blocked_signals():
            running = {
                executor.submit(run_in_worker, job, options, settings, progress and progress(job)): job for job in jobs
            }
        for future in concurrent.futures.as_completed(running):
            try:
                yield running[future], future.result()
            except BrokenProcessPool:
                yield running[future], None
