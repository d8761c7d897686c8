"""Many songs one after another: a bad one is reported and the rest goes on; the summary says what became of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from .engine import Engine
from .errors import VocalsepError
from .planning import Missing, Song
from .rendering import Encoding, Rendered, Track, render

DONE, SKIPPED, FAILED = "done", "skipped", "failed"


@dataclasses.dataclass
class Outcome:
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


class Batch:
    """Run songs one after another and keep what became of each.

    Parameters
    ----------
    encoding : Encoding
    overwrite, skip_existing, salvage : bool
        As the command line's options.
    report : callable
        Called with one line for a person: an error or a remark.

    Attributes
    ----------
    outcomes : list of Outcome
        Complete up to the song at work, also after an interruption.
    """

    def __init__(
        self,
        encoding: Encoding,
        *,
        overwrite: bool,
        skip_existing: bool,
        salvage: bool,
        report: Callable[[str], None],
    ):
        self.encoding = encoding
        self.overwrite = overwrite
        self.skip_existing = skip_existing
        self.salvage = salvage
        self.report = report
        self.outcomes: list[Outcome] = []

    def add_missing(self, missing: Sequence[Missing]) -> None:
        """Report arguments that name no song, as failed."""
        for one in missing:
            self._failed(one.named, one.why)

    def skips(self, tracks: Sequence[Track]) -> bool:
        """Whether all outputs of a song are there already and are to be left alone."""
        return self.skip_existing and all(track.target.exists() for track in tracks)

    def skip(self, song: Song, tracks: list[Track]) -> None:
        """Note that a song is passed over."""
        self.outcomes.append(Outcome(str(song.path), SKIPPED, _targets(tracks)))

    def run(
        self,
        engine: Engine,
        song: Song,
        tracks: list[Track],
        progress: Callable[[int, int | None], None] | None = None,
    ) -> None:
        """Separate one song; whatever goes wrong with it becomes its outcome."""
        source = str(song.path)
        try:
            rendered = render(
                engine,
                song.path,
                [track for track in tracks if not (self.skip_existing and track.target.exists())],
                self.encoding,
                overwrite=self.overwrite,
                salvage=self.salvage,
                progress=progress,
            )
        except VocalsepError as error:
            self._failed(source, str(error))
        except MemoryError:
            self._failed(source, "not enough memory")
        except Exception as error:
            # One song that meets a defect of ours must not cost the user the rest of the batch.
            self._failed(source, f"unexpected {type(error).__name__}: {error}; please report this")
        else:
            for remark in rendered.remarks:
                self.report(f"{source}: {remark}")
            self.outcomes.append(Outcome(source, DONE, _targets(tracks), rendered=rendered))

    def count(self, status: str) -> int:
        """Number of inputs that ended so."""
        return sum(outcome.status == status for outcome in self.outcomes)

    @property
    def exit_code(self) -> int:
        """0 if all went well, 1 if some inputs failed, 2 if all did."""
        failed = self.count(FAILED)
        return 0 if not failed else 2 if failed == len(self.outcomes) else 1

    def _failed(self, source: str, why: str) -> None:
        why = " ".join(why.split())
        self.report(f"{source}: {why}")
        self.outcomes.append(Outcome(source, FAILED, error=why))


def _targets(tracks: Sequence[Track]) -> dict[str, str]:
    return {track.name: str(track.target) for track in tracks}
