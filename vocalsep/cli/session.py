"""One run of split or karaoke: plan, refuse early, work through the songs, and say what became of them."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import pathlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import typer

from .. import __version__
from ..errors import AudioError, OutputError, UsageError, VocalsepError
from ..system.atomic_files import reason
from ..system.signals import INTERRUPTED
from .streams import complain, drop_output, is_absent

if TYPE_CHECKING:
    from ..inference.engine import Engine
    from ..jobs.batch import Batch, SongResult, Task, WriteOptions
    from ..jobs.inputs import Missing, Song
    from ..jobs.passage import Passage
    from ..jobs.process_pool import EngineSettings
    from ..jobs.rendering import Encoding, OutputSpec

STREAM = "-"
STDIN_BLOCK = 1 << 20
RAY = "ray"
BAR_FORMAT = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the user asked for, apart from the tracks themselves."""

    paths: Sequence[str]
    out: str
    recursive: bool
    model: str
    device: str
    threads: int | None
    overlap: float | None
    hard_mask: bool
    backend: str
    precision: str
    skip_existing: bool
    overwrite: bool
    salvage: bool
    json: bool
    quiet: bool
    jobs: int
    engine: str
    audio_stream: str | None = None
    start: float | None = None
    duration: float | None = None

    @property
    def passage(self) -> Passage | None:
        """The part of each song that is asked for, None for all of it; raises UsageError."""
        from ..jobs.passage import Passage

        whole = self.start is None and self.duration is None
        return None if whole else Passage(self.start or 0.0, self.duration)


Plan = Callable[["Song", pathlib.Path], "list[OutputSpec]"]


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn every expected error into one line on standard error and exit code 2.

    Files that are named by the user have errors of their own; of what is left, most is standard output on a full disk.
    """
    try:
        yield
    except VocalsepError as error:
        complain(f"vocalsep: {' '.join(str(error).split())}")
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        complain("vocalsep: interrupted")
        raise typer.Exit(INTERRUPTED) from None
    except OSError as error:
        if error.errno == errno.EPIPE:
            # Whoever reads has read enough.
            raise
        drop_output()
        complain(f"vocalsep: {error.filename or 'standard output cannot be written'}: {reason(error)}")
        raise typer.Exit(2) from None


def on_this_machine(named: str) -> pathlib.Path:
    """Return the path of a file that is not fetched from elsewhere; raises UsageError for a URL."""
    from ..jobs.remote import DOWNLOAD, is_remote, is_web

    path = pathlib.Path(named)
    if (is_remote(named) or is_web(named)) and not path.exists():
        raise UsageError(f"{named}: {DOWNLOAD}")
    return path


def check_target(path: pathlib.Path, overwrite: bool) -> None:
    """Raise OutputError where a file stands that must not be replaced, before any work is done for it."""
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists; --overwrite replaces it")


def check_model_target(path: pathlib.Path, overwrite: bool, suffix: str = ".safetensors") -> None:
    """As `check_target`, for a model file: its name has to say what it is; raises UsageError too."""
    if path.suffix != suffix:
        raise UsageError(f"{path}: the name of such a model ends in {suffix}")
    check_target(path, overwrite)


def run(settings: Settings, encoding: Encoding, plan: Plan) -> None:
    """Separate all songs that `settings` names; `plan` gives a song's tracks below an output folder.

    Raises
    ------
    typer.Exit
        With the batch's exit code where it is not 0.
    """
    with one_line_errors(), _scratch(settings) as scratch:
        from ..jobs.batch import Batch, WriteOptions

        _check(settings)
        planned, missing = _planned(settings, scratch, plan)
        write_options = WriteOptions(
            encoding,
            settings.overwrite,
            settings.skip_existing,
            settings.salvage,
            stream=settings.audio_stream,
            passage=settings.passage,
        )
        batch = Batch(write_options, _report)
        interrupted = False
        try:
            batch.add_missing(missing)
            _work(batch, planned, settings)
            if settings.out == STREAM:
                _to_stdout(batch)
        except KeyboardInterrupt:
            interrupted = True
        _summary(batch, settings, len(planned) + len(missing), interrupted)
        code = INTERRUPTED if interrupted else batch.exit_code
        if code:
            raise typer.Exit(code)


@contextlib.contextmanager
def _scratch(settings: Settings) -> Iterator[pathlib.Path]:
    """Give a folder for what comes from and goes to standard input and output; others need none, and may have none."""
    if STREAM not in (settings.out, *settings.paths):
        yield pathlib.Path()
        return
    try:
        folder = tempfile.mkdtemp(prefix="vocalsep-")
    except OSError as error:
        raise OutputError(f"there is no folder for temporary files ({error}); name one with TMPDIR") from None
    try:
        yield pathlib.Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check(settings: Settings) -> None:
    if settings.overwrite and settings.skip_existing:
        raise UsageError("--overwrite and --skip-existing exclude each other")
    if settings.out == STREAM and settings.json:
        raise UsageError("--out - and --json both want standard output; choose one")
    if settings.audio_stream is not None and not settings.audio_stream.strip():
        raise UsageError("--audio-stream is empty; give a number from 1 or a language's code")
    if list(settings.paths).count(STREAM) > 1:
        raise UsageError("standard input (-) can be read only once")
    if settings.out == STREAM and is_absent(sys.stdout):
        raise UsageError("--out - wants standard output, which is closed; name a folder with --out")
    if STREAM in settings.paths and is_absent(sys.stdin):
        raise UsageError("- stands for standard input, which is closed; name a file instead")


def _planned(
    settings: Settings, scratch: pathlib.Path, plan: Plan
) -> tuple[list[tuple[Song, list[OutputSpec]]], list[Missing]]:
    from ..jobs.inputs import check_targets, find_songs, told_apart
    from ..jobs.remote import is_remote

    streamed = settings.out == STREAM
    far = is_remote(settings.out)
    out = pathlib.Path() if far else scratch / "out" if streamed else pathlib.Path(settings.out)
    songs, missing = find_songs(settings.paths, settings.recursive, None if streamed or far else out)
    if STREAM in settings.paths:
        spooled = _spool(scratch)
        songs = [dataclasses.replace(song, path=spooled) if str(song.path) == STREAM else song for song in songs]
    songs = told_apart(songs, lambda song: [track.target for track in plan(song, out)])
    planned = [(song, plan(song, out)) for song in songs]
    if streamed and (len(planned) != 1 or len(planned[0][1]) != 1):
        raise UsageError("--out - takes one song and one stem; choose it with --stem")
    if far:
        planned = [(song, [_sent(track, settings.out) for track in tracks]) for song, tracks in planned]
    targets = [(song, [track.url or track.target for track in tracks]) for song, tracks in planned]
    check_targets(targets, settings.overwrite, settings.skip_existing)
    return planned, missing


def _sent(track: OutputSpec, out: str) -> OutputSpec:
    return dataclasses.replace(track, url=f"{out.rstrip('/')}/{track.target.as_posix()}")


def _spool(scratch: pathlib.Path) -> pathlib.Path:
    # Decoders seek; a pipe cannot.
    spooled = scratch / "stdin"
    try:
        with spooled.open("wb") as file:
            while block := _read_stdin():
                file.write(block)
    except OSError as error:
        raise OutputError(f"standard input cannot be kept in {scratch}: {reason(error)}") from None
    return spooled


def _read_stdin() -> bytes:
    try:
        return sys.stdin.buffer.read(STDIN_BLOCK)
    except OSError as error:
        raise AudioError(f"standard input cannot be read: {reason(error)}") from None


def _work(batch: Batch, planned: list[tuple[Song, list[OutputSpec]]], settings: Settings) -> None:
    from ..jobs.batch import Task, separate
    from ..system.progress import Bar

    if not planned:
        return
    tasks = []
    for song, tracks in planned:
        task = Task(song, tuple(tracks))
        if batch.skips(task):
            batch.skip(task)
        else:
            tasks.append(task)
    # tqdm itself leaves the bars out where standard error is no terminal
    hidden = True if settings.quiet else None
    with Bar(
        total=len(planned),
        initial=len(planned) - len(tasks),
        unit="song",
        desc="songs",
        disable=hidden if len(planned) > 1 else True,
        leave=False,
    ) as bar:
        if settings.engine == RAY or min(settings.jobs, len(tasks)) > 1:
            for outcome in _elsewhere(tasks, batch.write_options, settings):
                batch.take(outcome)
                bar.update()
            places = {song.source: place for place, (song, _) in enumerate(planned)}
            batch.outcomes.sort(key=lambda outcome: places.get(outcome.source, -1))
        elif tasks:
            separator = _separator(settings)
            for task in tasks:
                with _song_bar(task.song, hidden) as progress:
                    batch.take(separate(separator, task, batch.write_options, progress))
                bar.update()


def _elsewhere(tasks: list[Task], write_options: WriteOptions, settings: Settings) -> Iterator[SongResult]:
    """Work in other processes, here or on a cluster."""
    engine = _engine_settings(settings)
    if settings.engine == RAY:
        from ..jobs.ray_cluster import separate_on_ray

        return separate_on_ray(tasks, write_options, engine)
    from ..jobs.process_pool import separate_in_processes

    if not settings.quiet:
        _report(f"model {settings.model}, {settings.jobs} processes")
    return separate_in_processes(tasks, write_options, engine, settings.jobs)


def _engine_settings(settings: Settings) -> EngineSettings:
    from ..jobs.process_pool import EngineSettings

    return EngineSettings(
        settings.model,
        settings.device,
        settings.threads,
        settings.overlap,
        settings.hard_mask,
        settings.backend,
        settings.precision,
    )


def _separator(settings: Settings) -> Engine:
    separator = _engine_settings(settings).build()
    if separator.fallback:
        _report(f"vocalsep: {separator.fallback}")
    if not settings.quiet:
        _report(f"model {settings.model} {separator.where}")
    return separator


@contextlib.contextmanager
def _song_bar(song: Song, hidden: bool | None) -> Iterator[Callable[[int, int | None], None]]:
    from ..system.progress import Bar

    with Bar(desc=song.name, disable=hidden, leave=False, bar_format=BAR_FORMAT) as bar:

        def watch(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield watch


def _report(line: str) -> None:
    from tqdm import tqdm

    # Nobody may be listening any more: that costs no song.
    with contextlib.suppress(OSError):
        tqdm.write(line, file=sys.stderr)


def _to_stdout(batch: Batch) -> None:
    for outcome in batch.outcomes:
        if outcome.rendered is not None:
            for path in outcome.outputs.values():
                with open(path, "rb") as file:
                    shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()


def _summary(batch: Batch, settings: Settings, inputs: int, interrupted: bool) -> None:
    from ..jobs.batch import DONE, FAILED, SKIPPED

    counts = {status: batch.count(status) for status in (DONE, SKIPPED, FAILED)}
    if settings.json:
        said = {
            "version": __version__,
            "model": settings.model,
            "interrupted": interrupted,
            **counts,
            "files": [outcome.to_dict() for outcome in batch.outcomes],
        }
        typer.echo(json.dumps(said, indent=2))
    if interrupted:
        _report(f"vocalsep: interrupted, {counts[DONE]} of {inputs} done; no unfinished file was left")
    elif not settings.quiet and (inputs > 1 or counts[SKIPPED]):
        _report(", ".join(f"{count} {status}" for status, count in counts.items()))
    if not settings.quiet and not settings.json and settings.out != STREAM and inputs == 1 and counts[DONE]:
        for path in batch.outcomes[0].outputs.values():
            typer.echo(path)


def encoding(format_name: str, subtype: str | None, bitrate: str) -> Encoding:
    """Understand --format, --subtype and --bitrate; raises UsageError."""
    from ..audio.formats import output_format
    from ..jobs.rendering import Encoding

    form = output_format(format_name)
    form.subtype_for("FLOAT", subtype)
    return Encoding(form, subtype, _bits_per_second(bitrate))


def target(settings: Settings, song: Song, folder: pathlib.Path, template: str, stem: str, suffix: str) -> pathlib.Path:
    """Where an output goes: the template filled in, below the folder that the song's place gives."""
    from ..jobs.name_template import FOLDER, fields_of, named
    from ..system.names import safe_name

    fields = {
        "name": song.name,
        "source": song.file_name,
        FOLDER: str(song.around),
        "stem": stem,
        "ext": suffix.removeprefix("."),
        "model": pathlib.Path(settings.model).stem,
    }
    place = () if FOLDER in fields_of(template) else map(safe_name, song.place.parts)
    return pathlib.Path(folder, *place, named(template, fields, song.ends))


def _bits_per_second(text: str) -> int:
    number, kilo = (text[:-1], 1000) if text[-1:] in "kK" else (text, 1)
    try:
        bits = round(float(number) * kilo)
    except (ValueError, OverflowError):
        raise UsageError(f"--bitrate {text!r} is not understood; write it as 256k") from None
    if not 8000 <= bits <= 512000:
        raise UsageError(f"--bitrate {text} is out of range; 8k to 512k")
    return bits
