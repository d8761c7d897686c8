"""Many songs one after another: a bad one is reported and the rest goes on; the summary says what became of each."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..errors import VocalsepError
from ..inference.engine import Engine
from .inputs import Missing, Song
from .passage import Passage
from .remote import fetch, store
from .rendering import Encoding, OutputSpec, Rendered, render

DONE, SKIPPED, FAILED = "done", "skipped", "failed"


@dataclasses.dataclass
class SongResult:
    """What became of one input: ``done``, ``skipped`` or ``failed``, with the error's text or the result."""

    source: str
    status: str
    outputs: dict[str, str] = dataclasses.field(default_factory=dict)
    error: str | None = None
    rendered: Rendered | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what the machine-readable summary says of this input."""
        said: dict[str, Any] = {"input": self.source, "status": self.status, "outputs": self.outputs}
        if self.error is not None:
            said["error"] = self.error
        if self.rendered is not None:
            info = self.rendered.info
            said |= {
                "sample_rate": info.sample_rate,
                "channels": info.channels,
                "samples": self.rendered.samples,
                "duration_s": self.rendered.samples / info.sample_rate,
                "took_s": round(self.rendered.seconds, 3),
                "gain_db": round(self.rendered.gain_db, 3),
                "remarks": self.rendered.remarks,
            }
        return said


@dataclasses.dataclass(frozen=True)
class Task:
    """One song and the tracks to make of it. Together with `WriteOptions` it can be sent to another process."""

    song: Song
    tracks: tuple[OutputSpec, ...]


@dataclasses.dataclass(frozen=True)
class WriteOptions:
    """How songs are written: as the command line's options."""

    encoding: Encoding
    overwrite: bool
    skip_existing: bool
    salvage: bool
    stream: str | None = None
    passage: Passage | None = None


def separate(
    engine: Engine, task: Task, write_options: WriteOptions, progress: Callable[[int, int | None], None] | None = None
) -> SongResult:
    """Separate one song; whatever goes wrong with it becomes its outcome."""
    source = task.song.source
    try:
        wanted = [track for track in task.tracks if not (write_options.skip_existing and track.there)]
        with _here(task.song, wanted) as (path, tracks):
            rendered = render(
                engine,
                path,
                tracks,
                write_options.encoding,
                overwrite=write_options.overwrite,
                salvage=write_options.salvage,
                progress=progress,
                stream=write_options.stream,
                passage=write_options.passage,
            )
    except VocalsepError as error:
        return failure(source, error.message)
    except MemoryError:
        return failure(source, "not enough memory")
    except Exception as error:
        # One song that meets a defect of ours must not cost the user the rest of the batch.
        return failure(source, f"unexpected {type(error).__name__}: {error}; please report this")
    return SongResult(source, DONE, _targets(task.tracks), rendered=rendered)


def failure(source: str, why: str) -> SongResult:
    """Return the outcome of an input that failed."""
    return SongResult(source, FAILED, error=" ".join(why.split()))


class Batch:
    """Keeps what became of each song.

    Parameters
    ----------
    write_options : WriteOptions
    report : callable
        Called with one line for a person: an error or a remark.

    Attributes
    ----------
    outcomes : list of SongResult
        Complete up to the songs at work, also after an interruption.
    """

    def __init__(self, write_options: WriteOptions, report: Callable[[str], None]):
        self.write_options = write_options
        self.report = report
        self.outcomes: list[SongResult] = []

    def add_missing(self, missing: Sequence[Missing]) -> None:
        """Report arguments that name no song, as failed."""
        for one in missing:
            self.take(failure(one.named, one.why))

    def skips(self, task: Task) -> bool:
        """Whether all outputs of a song are there already and are to be left alone."""
        return self.write_options.skip_existing and all(track.there for track in task.tracks)

    def skip(self, task: Task) -> None:
        """Note that a song is passed over."""
        self.outcomes.append(SongResult(task.song.source, SKIPPED, _targets(task.tracks)))

    def take(self, outcome: SongResult) -> None:
        """Keep an outcome, and report what a person should know of it."""
        if outcome.error is not None:
            self.report(f"{outcome.source}: {outcome.error}")
        if outcome.rendered is not None:
            for remark in outcome.rendered.remarks:
                self.report(f"{outcome.source}: {remark}")
        self.outcomes.append(outcome)

    def count(self, status: str) -> int:
        """Number of inputs that ended so."""
        return sum(outcome.status == status for outcome in self.outcomes)

    @property
    def exit_code(self) -> int:
        """0 if all went well, 1 if some inputs failed, 2 if all did."""
        failed = self.count(FAILED)
        return 0 if not failed else 2 if failed == len(self.outcomes) else 1


def _targets(tracks: Sequence[OutputSpec]) -> dict[str, str]:
    return {track.name: track.place for track in tracks}


@contextlib.contextmanager
def _here(song: Song, tracks: list[OutputSpec]) -> Iterator[tuple[pathlib.Path, list[OutputSpec]]]:
    """Give a song's path and its tracks on this machine; tracks that have a URL are sent there in the end."""
    if not song.url and not any(track.url for track in tracks):
        yield song.path, tracks
        return
    with tempfile.TemporaryDirectory(prefix="vocalsep-") as folder:
        scratch = pathlib.Path(folder)
        path = song.path
        if song.url:
            path = scratch / "in" / song.path.name
            path.parent.mkdir()
            fetch(song.url, path)
        local = [
            dataclasses.replace(track, target=scratch / "out" / track.target) if track.url else track
            for track in tracks
        ]
        yield path, local
        for track in local:
            if track.url:
                store(track.target, track.url)
