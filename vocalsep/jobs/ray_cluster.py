"""Many songs on an existing Ray cluster: tasks that are tried again when the machine that had them dies.

The machines read and write the same paths as this one, on a shared file system.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import UsageError
from .batch import SongResult, Task, WriteOptions, failure
from .process_pool import EngineSettings, work

# How often a song is begun again when the process or the machine that had it dies.
RETRIES = 5


def separate_on_ray(
    tasks: Sequence[Task], write_options: WriteOptions, settings: EngineSettings
) -> Iterator[SongResult]:
    """Separate songs on the cluster that ``RAY_ADDRESS`` names, or that runs on this machine; yield outcomes.

    Every task takes as many of a machine's processors as `settings` has threads, one where it does not say. A song
    whose machine dies is begun again elsewhere; what it had written under a temporary name is not an output.

    Parameters
    ----------
    tasks : sequence of Task
    write_options : WriteOptions
    settings : EngineSettings

    Raises
    ------
    UsageError
        Ray is not installed, or there is no cluster.
    """
    try:
        import ray
    except ImportError:
        raise UsageError("--engine ray needs its extra: pip install 'vocalsep[ray]'") from None
    try:
        ray.init(address="auto", logging_level=logging.ERROR, log_to_driver=False)
    except ConnectionError:
        raise UsageError("there is no Ray cluster here; start one with ray start --head, or set RAY_ADDRESS") from None
    threads = settings.threads or 1
    settings = dataclasses.replace(settings, threads=threads)
    run = ray.remote(num_cpus=threads, max_retries=RETRIES)(work)
    waiting: dict[Any, Task] = {run.remote(task, write_options, settings): task for task in tasks}
    # Ray tells of machines that died on standard output, where a summary for programs is to stand alone.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            while waiting:
                ready, _ = ray.wait(list(waiting), num_returns=1)
                for reference in ready:
                    task = waiting.pop(reference)
                    try:
                        yield ray.get(reference)
                    except ray.exceptions.RayError as error:
                        yield failure(task.song.source, f"the cluster lost it: {type(error).__name__}")
        finally:
            for reference in waiting:
                ray.cancel(reference)
            ray.shutdown()
