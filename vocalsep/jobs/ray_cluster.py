"""Many jobs on an existing Ray cluster, as tasks that are retried when their machine dies.

All machines read and write the same paths, on a shared file system.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import UsageError, VocalsepError
from ..inference.engine import EngineSettings
from ..system.extras import require
from .batch import SongResult, failed_result
from .outputs import WriteOptions
from .planning import Job
from .process_pool import run_in_worker

# How often a job is started again when its process or machine dies.
MAX_RETRIES = 5


def run_on_ray(jobs: Sequence[Job], options: WriteOptions, settings: EngineSettings) -> Iterator[SongResult]:
    """Run jobs on the cluster that ``RAY_ADDRESS`` names, or that runs on this machine; yield results as they come.

    Every task takes as many processors of a machine as `settings` has threads, by default one. A job whose machine
    dies is started again on another; what it had written under a temporary name is not an output.

    Parameters
    ----------
    jobs : sequence of Job
    options : WriteOptions
    settings : EngineSettings

    Raises
    ------
    MissingExtraError
        Ray is not installed.
    UsageError
        There is no cluster.
    """
    if not jobs:
        return
    require("ray", "a Ray cluster")

    import ray

    try:
        ray.init(address="auto", logging_level=logging.ERROR, log_to_driver=False)
    except ConnectionError:
        raise UsageError(
            "there is no Ray cluster here", hint="start one with `ray start` as its head, or set RAY_ADDRESS"
        ) from None
    threads = settings.threads or 1
    settings = dataclasses.replace(settings, threads=threads)
    run = ray.remote(num_cpus=threads, max_retries=MAX_RETRIES)(run_in_worker)
    running: dict[Any, Job] = {run.remote(job, options, settings): job for job in jobs}
    # Ray reports machines that died on standard output, which may be for a JSON summary alone.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            while running:
                ready, _ = ray.wait(list(running), num_returns=1)
                for reference in ready:
                    job = running.pop(reference)
                    try:
                        yield ray.get(reference)
                    except ray.exceptions.RayError as error:
                        lost = VocalsepError(f"the cluster lost it: {type(error).__name__}")
                        yield failed_result(job.file.source, lost)
        finally:
            for reference in running:
                ray.cancel(reference)
            ray.shutdown()
