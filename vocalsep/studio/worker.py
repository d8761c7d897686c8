"""The queue of songs and the thread that works through it, one after another."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import pathlib
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..audio.decoding import open_source, peak
from ..audio.source import Source
from ..dsp.exact_sum import exact_accompaniment
from ..errors import DamagedError, OutputError, VocalsepError
from ..system.atomic_files import write_text
from . import library as states
from .library import PEAKS, Library, Song
from .limits import Limits
from .stems import PEAK_SAMPLES, Peaks, StemWriter

if TYPE_CHECKING:
    from ..inference.engine import Engine

# Pages are told of progress at most this often, in seconds.
NEWS_S = 0.2
WIDE_SUBTYPES = ("PCM_24", "PCM_32", "DOUBLE")


class QueueFull(VocalsepError):
    """As many songs wait as may."""


class Stopped(Exception):
    """The song that is being worked on is not wanted any more."""


class Worker:
    """Separates the library's songs in the order in which they came.

    Parameters
    ----------
    library : Library
    engine : callable
        Loads the model; called in the worker's own thread, until it has succeeded once.
    limits : Limits
        Longest song, and most songs that wait.
    tell : callable
        Told of each change of a song.
    """

    def __init__(self, library: Library, engine: Callable[[], Engine], limits: Limits, tell: Callable[[Song], None]):
        self.library = library
        self.limits = limits
        self.tell = tell
        self._load = engine
        self._engine: Engine | None = None
        self._changed = threading.Condition()
        self._closing = False
        self._unwanted: set[str] = set()
        self._current: str | None = None
        self._peaks: dict[str, Peaks] = {}
        self._queue = [song.id for song in reversed(library.songs()) if song.state == states.QUEUED]
        self._thread = threading.Thread(target=self._work, name="separation", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def close(self) -> None:
        """Stop; the song that is being worked on is marked as interrupted."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout=10)

    def check_room(self) -> None:
        """Raise QueueFull where no song more may wait."""
        with self._changed:
            if len(self._queue) >= self.limits.queue:
                raise QueueFull(f"{self.limits.queue} songs are waiting already; try again later")

    def position(self, song: Song) -> int | None:
        """Return a song's place in the queue, 0 being the one that is worked on, or None."""
        with self._changed:
            if song.id == self._current:
                return 0
            return self._queue.index(song.id) + 1 if song.id in self._queue else None

    def take_in(self, upload: pathlib.Path, name: str, audio_stream: str = "") -> Song:
        """Take a whole file into the library, and put it at the end of the queue; `audio_stream` as in `Song`.

        Raises
        ------
        QueueFull, OutputError
            Nothing is left of the file.
        """
        try:
            with self._changed:
                self.check_room()
                song = self.library.add(upload, name, audio_stream=audio_stream)
                self._queue.append(song.id)
                self.tell(song)
                self._changed.notify_all()
        except VocalsepError:
            upload.unlink(missing_ok=True)
            raise
        return song

    def restart(self, song: Song, audio_stream: str | None = None) -> Song | None:
        """Put a song at the end of the queue again; None where it waits, is worked on, is done or is gone.

        With another `audio_stream`, as in `Song`, one that is done is separated anew.

        Raises
        ------
        QueueFull, OutputError
            It stays as it is.
        """
        with self._changed:
            held = self.library.get(song.id)
            startable = states.RESTARTABLE if audio_stream is None else (*states.RESTARTABLE, states.DONE)
            if held is None or held.state not in startable or held.id == self._current:
                return None
            self.check_room()
            if held.state == states.DONE:
                self.library.forget_sounds(held)
            asked = held.audio_stream if audio_stream is None else audio_stream
            fresh = self.library.put(
                dataclasses.replace(held, state=states.QUEUED, error="", ready=0, audio_stream=asked)
            )
            self._queue.append(song.id)
            self.tell(fresh)
            self._changed.notify_all()
        return fresh

    def cancel(self, song: Song) -> Song:
        """Take a song out of the queue, or stop working on it."""
        with self._changed:
            if song.id in self._queue:
                self._queue.remove(song.id)
                ended = self._ended(song, states.CANCELLED)
                self._tell_waiting()
                return ended
            if song.id == self._current:
                self._unwanted.add(song.id)
                # The thread marks it itself, within a second or so: at the next block of the song.
                while self._current == song.id and not self._closing:
                    self._changed.wait(timeout=10)
        return self.library.get(song.id) or song

    def remove(self, song: Song) -> None:
        """Delete a song, which is not worked on any more then."""
        while True:
            self.cancel(song)
            with self._changed:
                # Somebody else may have restarted it meanwhile.
                if song.id in self._queue or (song.id == self._current and not self._closing):
                    continue
                self.library.remove(song)
                return

    def peaks(self, song: Song) -> dict[str, list[float] | int]:
        """Return the overview of a song's stems as far as it is known."""
        held = self._peaks.get(song.id)
        if held is not None:
            return {"samples_per_peak": PEAK_SAMPLES, **{stem: list(found) for stem, found in held.found.items()}}
        try:
            found = json.loads((self.library.place(song) / PEAKS).read_text("utf-8"))
        except (OSError, ValueError):
            found = {"vocals": [], "accompaniment": []}
        return {"samples_per_peak": PEAK_SAMPLES, **found}

    def _work(self) -> None:
        # The model is loaded before the first song comes: its first sound should not have to wait for that. Where that
        # fails, each song says why.
        with contextlib.suppress(Exception):
            self._ready()
        while True:
            with self._changed:
                while not self._queue and not self._closing:
                    self._changed.wait()
                if self._closing:
                    return
                self._current = self._queue.pop(0)
                song = self.library.get(self._current)
            try:
                if song is not None:
                    self._run(song)
            finally:
                with self._changed:
                    if self._current:
                        self._unwanted.discard(self._current)
                    self._current = None
                    self._changed.notify_all()

    def _ready(self) -> Engine:
        """Return the engine, loaded if it is not yet."""
        self._engine = self._engine or self._load()
        return self._engine

    def _run(self, song: Song) -> None:
        """Separate one song, whatever comes of it."""
        try:
            engine = self._ready()
            song = self.library.put(dataclasses.replace(song, state=states.RUNNING, error="", ready=0))
            self.tell(song)
            self._tell_waiting()
            song = self._separate(engine, song)
            self._ended(song, states.DONE)
        except Stopped:
            song = self.library.get(song.id) or song
            self._ended(song, states.INTERRUPTED if self._closing else states.CANCELLED)
        except VocalsepError as error:
            self._ended(self.library.get(song.id) or song, states.FAILED, _sentence(error))
        except Exception as error:
            # One bad song must not end the queue.
            self._ended(self.library.get(song.id) or song, states.FAILED, f"{type(error).__name__}: {error}")
        finally:
            self._peaks.pop(song.id, None)

    def _separate(self, engine: Engine, song: Song) -> Song:
        library = self.library
        path = library.original(song)
        with open_source(path, stream=song.audio_stream.strip() or None) as source:
            info = source.info
            # A length that is only guessed keeps nobody out: what comes is counted.
            self._check_length((info.samples or 0) if math.isfinite(info.length_tolerance_s) else 0, info.sample_rate)
            bits = 24 if info.subtype in WIDE_SUBTYPES else 16
            gain = 1.0 if info.bounded else 1 / max(1.0, peak(path, stream=info.stream))
            song = dataclasses.replace(
                song,
                sample_rate=info.sample_rate,
                channels=info.channels,
                samples=info.samples,
                bits=bits,
                video=info.video,
                audio_taken=info.stream + 1 if info.streams else 0,
                audio_streams=[dataclasses.asdict(stream) for stream in info.streams],
                layout=info.layout,
            )
            song = library.put(song)
            peaks = self._peaks[song.id] = Peaks()
            told = 0.0
            paths = (library.stem(song, "vocals"), library.stem(song, "accompaniment"))
            with StemWriter(*paths, bits) as writer:
                blocks = (self._checked(song, source, block * np.float32(gain)) for block in source.blocks())
                for mixture, vocals in engine.vocals_of(blocks, info.sample_rate, info.channels, layout=info.layout):
                    stems = exact_accompaniment(mixture, vocals, bits)
                    writer.write(*stems)
                    peaks.push(*stems)
                    song = library.put(dataclasses.replace(song, ready=song.ready + mixture.shape[1]), keep=False)
                    if time.monotonic() - told > NEWS_S:
                        told = time.monotonic()
                        self.tell(song)
        if song.ready == 0:
            raise OutputError("it holds no samples")
        nothing = np.zeros((song.channels, 0), np.float32)
        peaks.push(nothing, nothing, last=True)
        write_text(library.place(song) / PEAKS, json.dumps(peaks.found))
        return dataclasses.replace(song, samples=song.ready)

    def _tell_waiting(self) -> None:
        """Tell of all songs in the queue: their places in it have changed."""
        with self._changed:
            waiting = list(self._queue)
        for song_id in waiting:
            song = self.library.get(song_id)
            if song is not None:
                self.tell(song)

    def _checked(self, song: Song, source: Source, block: np.ndarray) -> np.ndarray:
        """Pass a block on, unless the song is not wanted or too long."""
        if self._closing or song.id in self._unwanted:
            raise Stopped
        self._check_length(source.read, source.info.sample_rate)
        return block

    def _check_length(self, samples: int, sample_rate: int) -> None:
        if samples > self.limits.minutes * 60 * sample_rate:
            raise OutputError(f"it is longer than {self.limits.minutes:g} minutes; --max-minutes allows more")

    def _ended(self, song: Song, state: str, error: str = "") -> Song:
        ended = dataclasses.replace(song, state=state, error=error)
        if state != states.DONE:
            ended = dataclasses.replace(ended, ready=0)
            for stem in ("vocals", "accompaniment"):
                self.library.stem(song, stem).unlink(missing_ok=True)
        if self.library.get(song.id) is None:
            return ended
        try:
            self.library.put(ended)
        except OutputError:
            # A full disk takes no record either: it is right in memory, and on disk it says that it was interrupted.
            self.library.put(ended, keep=False)
        self.tell(ended)
        return ended


def _sentence(error: VocalsepError) -> str:
    # Damaged files are not salvaged here.
    return " ".join((error.reason if isinstance(error, DamagedError) else error.message).split())
