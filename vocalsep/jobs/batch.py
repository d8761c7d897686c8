"""Many jobs: one that fails does not stop the others, and the result of each is kept."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import pathlib
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from ..errors import AudioError, UnexpectedError, VocalsepError
from ..inference.engine import Engine
from ..system.atomic_files import temporary_folder
from .inputs import UnusableInput
from .outputs import OutputSpec, WriteOptions
from .planning import Job
from .remote import download, upload
from .rendering import RenderResult, render

DONE, SKIPPED, FAILED = "done", "skipped", "failed"
STATUSES = (DONE, SKIPPED, FAILED)
logger = logging.getLogger(__name__)


class SongProgress(Protocol):
    """Follows a song on its way."""

    def opened(self, sample_rate: int, total: int | None) -> None:
        """Take the song's rate in Hz and the samples expected, None where the file does not say."""

    def update(self, done: int, total: int | None) -> None:
        """Take the samples done, and the samples expected."""


@dataclasses.dataclass
class SongResult:
    """The result of one input.

    Attributes
    ----------
    source : str
        Path or URL of the input.
    status : str
        ``done``, ``skipped`` or ``failed``.
    outputs : dict of str to str
        Path or URL of each output by name.
    error : VocalsepError or None
        Why it failed.
    traceback : str
        Where the error was raised, for a log.
    rendered : RenderResult or None
    """

    source: str
    status: str
    outputs: dict[str, str] = dataclasses.field(default_factory=dict)
    error: VocalsepError | None = None
    traceback: str = ""
    rendered: RenderResult | None = None


def run_job(engine: Engine, job: Job, options: WriteOptions, progress: SongProgress | None = None) -> SongResult:
    """Separate one file; an error becomes its result."""
    source = job.file.source
    logger.debug("separating %s", source)
    try:
        outputs = [output for output in job.outputs if not (options.skip_existing and output.exists)]
        with _local_job(job, outputs) as (path, local_outputs):
            try:
                if progress is None:
                    rendered = render(engine, path, local_outputs, options)
                else:
                    rendered = render(engine, path, local_outputs, options, progress.update, progress.opened)
            except VocalsepError as error:
                # The user knows a downloaded file by its URL.
                error.path = source if error.path in (None, str(path)) else error.path
                raise
    except VocalsepError as error:
        return failed_result(source, error, traceback.format_exc())
    except MemoryError:
        return failed_result(source, AudioError("not enough memory"), traceback.format_exc())
    except Exception as error:
        # A defect of ours that one file meets must not cost the user the rest of the batch.
        defect = UnexpectedError(f"unexpected {type(error).__name__}: {error}", hint="please report this")
        return failed_result(source, defect, traceback.format_exc())
    return SongResult(source, DONE, _locations(job.outputs), rendered=rendered)


def failed_result(source: str, error: VocalsepError, traceback: str = "") -> SongResult:
    """Return the result of an input that failed."""
    return SongResult(source, FAILED, error=error.about(source), traceback=traceback)


class BatchResults:
    """The results of a batch, kept as they come.

    Parameters
    ----------
    options : WriteOptions
    on_result : callable
        Called with each result that is not skipped.

    Attributes
    ----------
    results : list of SongResult
        Complete but for the jobs in progress, also after an interrupt.
    """

    def __init__(self, options: WriteOptions, on_result: Callable[[SongResult], None]):
        self.options = options
        self.on_result = on_result
        self.results: list[SongResult] = []

    def add(self, result: SongResult) -> None:
        """Keep a result, and report it."""
        self.on_result(result)
        self.results.append(result)

    def add_unusable(self, inputs: Sequence[UnusableInput]) -> None:
        """Keep arguments that name no audio file as failed."""
        for unusable in inputs:
            self.add(failed_result(unusable.argument, unusable.error))

    def skip_existing(self, jobs: Sequence[Job]) -> list[Job]:
        """Return the jobs that have something to do; the others are kept as skipped, if the options say so."""
        if not self.options.skip_existing:
            return list(jobs)
        pending = []
        for job in jobs:
            if all(output.exists for output in job.outputs):
                self.results.append(SongResult(job.file.source, SKIPPED, _locations(job.outputs)))
            else:
                pending.append(job)
        return pending

    @property
    def skipped(self) -> list[SongResult]:
        """The results of songs that were passed over."""
        return [result for result in self.results if result.status == SKIPPED]

    def count(self, status: str) -> int:
        """Return the number of inputs with a status."""
        return sum(result.status == status for result in self.results)

    @property
    def exit_code(self) -> int:
        """0 if no input failed, 1 if some did, 2 if all did."""
        failed = self.count(FAILED)
        return 0 if not failed else 2 if failed == len(self.results) else 1


def _locations(outputs: Sequence[OutputSpec]) -> dict[str, str]:
    return {output.mix.name: output.location for output in outputs}


@contextlib.contextmanager
def _local_job(job: Job, outputs: Sequence[OutputSpec]) -> Iterator[tuple[pathlib.Path, Sequence[OutputSpec]]]:
    """Download a remote input, give its path and local outputs, and upload those that have a URL at the end."""
    file = job.file
    if not file.url and not any(output.url for output in outputs):
        yield file.path, outputs
        return
    with temporary_folder() as folder:
        path = file.path
        if file.url:
            path = folder / "in" / file.path.name
            path.parent.mkdir()
            download(file.url, path)
        local = [
            dataclasses.replace(output, target=folder / "out" / output.target) if output.url else output
            for output in outputs
        ]
        yield path, local
        for output in local:
            if output.url:
                upload(output.target, output.url)
