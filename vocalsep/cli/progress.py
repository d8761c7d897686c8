"""Progress of split and karaoke: a bar for each song on a terminal, or lines of JSON for programs."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..jobs.batch import SongResult
    from ..jobs.planning import Job

BAR_FORMAT = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
# Between two lines of JSON about one song.
INTERVAL_S = 0.25
RUNNING = "running"


class BarProgress:
    """Progress of one song as a bar on standard error.

    Parameters
    ----------
    bar : tqdm
    """

    def __init__(self, bar: Any):
        self._bar = bar

    def opened(self, sample_rate: int, total: int | None) -> None:
        """Do nothing: the bar is there already."""

    def update(self, done: int, total: int | None) -> None:
        """Draw the samples done, of how many."""
        self._bar.total = total
        self._bar.update(done - self._bar.n)


@contextlib.contextmanager
def song_bar(name: str, hidden: bool | None) -> Iterator[BarProgress]:
    """Show a bar for a song until it is done; None hides it where standard error is no terminal."""
    from ..system.progress import Bar

    with Bar(desc=name, disable=hidden, leave=False, bar_format=BAR_FORMAT) as bar:
        yield BarProgress(bar)


class JsonProgress:
    """Progress of one song as lines of JSON on standard error, at most four a second. It can be sent to a process.

    Parameters
    ----------
    song : str
        Path or URL of the song.
    number, songs : int
        Which of how many songs it is, from 1.
    """

    def __init__(self, song: str, number: int, songs: int):
        self._song = {"song": song, "number": number, "songs": songs}
        self._rate = 1
        self._started = self._written = 0.0

    def opened(self, sample_rate: int, total: int | None) -> None:
        """Write the first line: the rate is in Hz, and `total` in samples, None where the file does not say."""
        self._rate = sample_rate
        self._started = time.monotonic()
        self._write(0, total)

    def update(self, done: int, total: int | None) -> None:
        """Write the samples done, of how many, unless the last line is recent."""
        if time.monotonic() - self._written >= INTERVAL_S:
            self._write(done, total)

    def _write(self, done: int, total: int | None) -> None:
        self._written = time.monotonic()
        left = None if total is None or not done else max(0, total - done) / done * (self._written - self._started)
        write_line(
            {
                **self._song,
                "status": RUNNING,
                "done_s": round(done / self._rate, 3),
                "total_s": None if total is None else round(max(done, total) / self._rate, 3),
                "eta_s": None if left is None else round(left, 1),
            }
        )


class JsonBatchProgress:
    """Lines of JSON for a batch: one when each song is finished, besides those of `JsonProgress`.

    Parameters
    ----------
    jobs : sequence of Job
        All of them, in their order.
    """

    def __init__(self, jobs: Sequence[Job]):
        self._numbers = {job.file.source: number for number, job in enumerate(jobs, 1)}

    def song(self, job: Job) -> JsonProgress:
        """Return the progress of one song."""
        return JsonProgress(job.file.source, self._numbers[job.file.source], len(self._numbers))

    def finished(self, result: SongResult, error: str) -> None:
        """Write the line of a finished song; `error` is empty unless it failed."""
        line: dict[str, Any] = {
            "song": result.source,
            # An argument that names no audio file is not one of the songs.
            "number": self._numbers.get(result.source),
            "songs": len(self._numbers),
            "status": result.status,
        }
        if result.rendered is not None:
            seconds = round(result.rendered.samples / result.rendered.info.sample_rate, 3)
            line |= {"done_s": seconds, "total_s": seconds, "eta_s": 0.0}
        if error:
            line["error"] = error
        write_line(line)


def write_line(values: dict[str, Any]) -> None:
    """Write values as one line of JSON in ASCII on standard error; a closed one does not matter."""
    # One call for the whole line: processes that share standard error then do not mix theirs.
    with contextlib.suppress(OSError, AttributeError):
        sys.stderr.write(json.dumps(values) + "\n")
        sys.stderr.flush()
