"""The way down of split and karaoke: options, input files, jobs, and each job's result."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import typer

from ..errors import AudioError, UsageError
from ..system.atomic_files import os_error_text, output_error, temporary_folder
from ..system.signals import INTERRUPTED
from .options import STREAM, ProgressStyle, Runner, SeparationOptions
from .progress import JsonBatchProgress, song_bar
from .streams import is_closed
from .summary import print_summary, report_line, report_result

if TYPE_CHECKING:
    from ..inference.engine import Engine
    from ..jobs.batch import BatchResults, SongResult
    from ..jobs.inputs import InputFile, UnusableInput
    from ..jobs.outputs import Encoding, StemMix, WriteOptions
    from ..jobs.planning import Job

STDIN_BLOCK = 1 << 20


@dataclasses.dataclass(frozen=True)
class Inputs:
    """The files that the user named, arguments that name none, and where outputs go.

    Parameters
    ----------
    files : list of InputFile
    unusable : list of UnusableInput
    folder : pathlib.Path
        The output folder; relative where outputs go to a URL.
    url : str
        URL of the output folder; empty for one on this machine.
    """

    files: list[InputFile]
    unusable: list[UnusableInput]
    folder: pathlib.Path
    url: str


@contextlib.contextmanager
def open_inputs(options: SeparationOptions) -> Iterator[Inputs]:
    """Find the input files; standard input becomes a temporary file.

    Raises
    ------
    UsageError
        The options contradict each other.
    AudioError, OutputError
        Standard input cannot be read, or there is no room for it.
    """
    from ..jobs.inputs import find_inputs
    from ..jobs.remote import is_remote

    _check_options(options)
    with contextlib.ExitStack() as stack:
        temporary = pathlib.Path()
        if options.to_stdout or STREAM in options.paths:
            temporary = stack.enter_context(temporary_folder())
        if is_remote(options.out):
            folder, url, ignored = pathlib.Path(), options.out, None
        elif options.to_stdout:
            folder, url, ignored = temporary / "out", "", None
        else:
            folder, url, ignored = pathlib.Path(options.out), "", pathlib.Path(options.out)
        files, unusable = find_inputs(options.paths, options.recursive, ignored)
        if STREAM in options.paths:
            copy = _copy_stdin(temporary)
            files = [dataclasses.replace(file, path=copy) if str(file.path) == STREAM else file for file in files]
        yield Inputs(files, unusable, folder, url)


def plan(
    options: SeparationOptions,
    inputs: Inputs,
    mixes: Sequence[Sequence[StemMix]],
    template: str,
    encoding: Encoding,
) -> list[Job]:
    """Return a job for each input file.

    Parameters
    ----------
    options : SeparationOptions
    inputs : Inputs
    mixes : sequence of sequence of StemMix
        What the outputs of each file hold.
    template : str
        Names of outputs.
    encoding : Encoding

    Raises
    ------
    UsageError
        Two outputs would have one name, or there are several for standard output.
    OutputError
        An output exists, or would replace an input.
    """
    from ..jobs.planning import OutputNaming, check_outputs, plan_jobs

    naming = OutputNaming(inputs.folder, template, encoding.format.suffix, options.model)
    jobs = plan_jobs(inputs.files, mixes, naming, inputs.url)
    if options.to_stdout and (len(jobs) != 1 or len(jobs[0].outputs) != 1):
        raise UsageError("--out - takes one song and one stem; choose it with --stem")
    check_outputs(jobs, overwrite=options.overwrite, skip_existing=options.skip_existing)
    return jobs


def run(options: SeparationOptions, inputs: Inputs, jobs: Sequence[Job], encoding: Encoding) -> None:
    """Run the jobs, and print their results.

    Raises
    ------
    typer.Exit
        With the exit code, where it is not 0.
    """
    from ..jobs.batch import BatchResults

    started = time.monotonic()
    lines = JsonBatchProgress(jobs) if options.progress is ProgressStyle.JSON else None
    batch = BatchResults(options.write_options(encoding), lambda result: report_result(result, options, lines))
    interrupted = False
    try:
        batch.add_unusable(inputs.unusable)
        _run_jobs(options, jobs, batch, lines)
        if options.to_stdout:
            _copy_to_stdout(batch)
    except KeyboardInterrupt:
        interrupted = True
    seconds = time.monotonic() - started
    print_summary(options, batch, len(jobs) + len(inputs.unusable), interrupted, seconds)
    code = INTERRUPTED if interrupted else batch.exit_code
    if code:
        raise typer.Exit(code)


def _check_options(options: SeparationOptions) -> None:
    if options.overwrite and options.skip_existing:
        raise UsageError("--overwrite and --skip-existing exclude each other")
    if options.to_stdout and options.as_json:
        raise UsageError("--out - and --json both want standard output; choose one")
    if options.audio_stream is not None and not options.audio_stream.strip():
        raise UsageError("--audio-stream is empty; give a number from 1 or a language's code")
    if list(options.paths).count(STREAM) > 1:
        raise UsageError("standard input (-) can be read only once")
    if options.to_stdout and is_closed(sys.stdout):
        raise UsageError("--out - wants standard output, which is closed; name a folder with --out")
    if STREAM in options.paths and is_closed(sys.stdin):
        raise UsageError("- stands for standard input, which is closed; name a file instead")


def _copy_stdin(folder: pathlib.Path) -> pathlib.Path:
    """Copy standard input to a file: decoders seek, which a pipe cannot."""
    path = folder / "stdin"
    try:
        with path.open("wb") as file:
            while block := _read_stdin():
                file.write(block)
    except OSError as error:
        raise output_error(folder, error, "standard input cannot be copied to this folder") from None
    return path


def _read_stdin() -> bytes:
    try:
        return sys.stdin.buffer.read(STDIN_BLOCK)
    except OSError as error:
        raise AudioError(f"standard input cannot be read: {os_error_text(error)}") from None


def _copy_to_stdout(batch: BatchResults) -> None:
    for result in batch.results:
        if result.rendered is not None:
            for path in result.outputs.values():
                with open(path, "rb") as file:
                    shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()


def _run_jobs(
    options: SeparationOptions, jobs: Sequence[Job], batch: BatchResults, lines: JsonBatchProgress | None
) -> None:
    from ..system.progress import Bar

    pending = batch.skip_existing(jobs)
    if lines is not None:
        for result in batch.skipped:
            lines.finished(result, "")
    if not pending:
        return
    # By default, tqdm hides the bars where standard error is no terminal.
    hidden = True if options.quiet or lines is not None else None
    with Bar(
        total=len(jobs),
        initial=len(jobs) - len(pending),
        unit="song",
        desc="songs",
        disable=hidden if len(jobs) > 1 else True,
        leave=False,
    ) as bar:
        if options.engine is Runner.RAY or min(options.jobs, len(pending)) > 1:
            for result in _run_in_other_processes(options, pending, batch.options, lines):
                batch.add(result)
                bar.update()
            positions = {job.file.source: position for position, job in enumerate(jobs)}
            batch.results.sort(key=lambda result: positions.get(result.source, -1))
        else:
            _run_here(options, pending, batch, bar.update, hidden, lines)


def _run_here(
    options: SeparationOptions,
    jobs: Sequence[Job],
    batch: BatchResults,
    job_done: Callable[[], object],
    hidden: bool | None,
    lines: JsonBatchProgress | None,
) -> None:
    from ..jobs.batch import run_job

    engine = _open_engine(options)
    for job in jobs:
        if lines is not None:
            batch.add(run_job(engine, job, batch.options, lines.song(job)))
        else:
            with song_bar(job.file.name, hidden) as bar:
                batch.add(run_job(engine, job, batch.options, bar))
        job_done()


def _run_in_other_processes(
    options: SeparationOptions,
    jobs: Sequence[Job],
    write_options: WriteOptions,
    lines: JsonBatchProgress | None,
) -> Iterator[SongResult]:
    """Run jobs in processes of this machine, or on a Ray cluster."""
    settings = options.engine_settings()
    if options.engine is Runner.RAY:
        from ..jobs.ray_cluster import run_on_ray

        return run_on_ray(jobs, write_options, settings)
    from ..jobs.process_pool import run_in_processes

    if not options.quiet:
        report_line(f"model {options.model}, {options.jobs} processes")
    return run_in_processes(jobs, write_options, settings, options.jobs, None if lines is None else lines.song)


def _open_engine(options: SeparationOptions) -> Engine:
    engine = options.engine_settings().open()
    if engine.fallback:
        report_line(f"vocalsep: {engine.fallback}")
    if not options.quiet:
        report_line(f"model {options.model} {engine.where}")
    return engine
