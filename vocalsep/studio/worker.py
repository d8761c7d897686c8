"""The queue of songs, and the thread that separates them one after another."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import pathlib
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..audio.decoding import open_source
from ..audio.source import Source
from ..dsp.exact_sum import STEMS
from ..errors import OutputError, VocalsepError
from ..jobs.separation import clip_guard_gain, separate_source, source_remarks
from ..system.atomic_files import write_text
from ..system.background import lower_priority
from ..system.cancellation import Cancellation, CancelledError
from .error_messages import Code, Problem, StudioError, error_fields, problem_of
from .library import (
    CANCELLED,
    DONE,
    FAILED,
    INTERRUPTED,
    PEAKS,
    QUEUED,
    RESTARTABLE,
    RUNNING,
    Library,
    LibrarySong,
)
from .limits import Limits
from .stems import PEAK_SAMPLES, StemWriter, WaveformPeaks

if TYPE_CHECKING:
    from ..inference.engine import Engine

# Shortest time between two reports of a song's progress, in seconds.
REPORT_INTERVAL_S = 0.2
# See `lower_priority`: practice and answers go before separation.
NICENESS = 5
SUBTYPES_OF_24_BITS = ("PCM_24", "PCM_32", "DOUBLE")


class SeparationStopped(Exception):
    """The song that is being separated was cancelled, or the studio is closing."""


class Worker:
    """Separates the library's songs in the order of the queue.

    Parameters
    ----------
    library : Library
    load_engine : callable
        Loads the model; called in the worker's own thread, until it has succeeded once.
    limits : Limits
        Longest song, and most songs that wait.
    on_change : callable
        Called with a song at each change of its record.
    on_queue : callable
        Called with the ids of the songs that wait, the next one first, when songs have left the queue.
    """

    def __init__(
        self,
        library: Library,
        load_engine: Callable[[], Engine],
        limits: Limits,
        on_change: Callable[[LibrarySong], None],
        on_queue: Callable[[list[str]], None],
    ):
        self.library = library
        self.limits = limits
        self.on_change = on_change
        self.on_queue = on_queue
        self._load_engine = load_engine
        self._loaded_engine: Engine | None = None
        self._changed = threading.Condition()
        self._closing = False
        # Songs to stop, and whether what is separated is kept.
        self._cancelled: dict[str, bool] = {}
        self._current: str | None = None
        # Of the current song.
        self._cancellation = Cancellation()
        self._peaks: dict[str, WaveformPeaks] = {}
        self._queue = [song.id for song in reversed(library.songs()) if song.state == QUEUED]
        self._thread = threading.Thread(target=self._work, name="separation", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Tell the thread to stop, and to mark the song that is being separated as interrupted."""
        with self._changed:
            self._closing = True
            self._cancellation.cancel()
            self._changed.notify_all()

    def join(self, deadline: float) -> bool:
        """Wait for the thread to stop, until `time.monotonic` is at the deadline; return whether it has.

        If not, the song is marked as interrupted while the thread is at work.
        """
        if self._thread.is_alive():
            self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            with self._changed, contextlib.suppress(OutputError):
                song = self.library.get(self._current or "")
                if song is not None and song.state == RUNNING:
                    self.library.update(song, state=INTERRUPTED, ready=0, **error_fields(Problem(Code.STUDIO_CLOSED)))
        return not self._thread.is_alive()

    @property
    def model_ready(self) -> bool:
        """Whether the model is loaded."""
        return self._loaded_engine is not None

    def check_room(self) -> None:
        """Raise StudioError if no more songs may wait."""
        with self._changed:
            if len(self._queue) >= self.limits.max_queued:
                raise StudioError(Code.QUEUE_FULL, count=self.limits.max_queued)

    def position(self, song: LibrarySong) -> int | None:
        """Return a song's position in the queue: 0 while it is being separated, None if it is not in the queue."""
        return self.positions().get(song.id)

    def positions(self) -> dict[str, int]:
        """Return the position of each song that is in the queue, by its id, see `position`."""
        with self._changed:
            positions = {song_id: place for place, song_id in enumerate(self._queue, 1)}
            return positions if self._current is None else {**positions, self._current: 0}

    def enqueue(self, upload: pathlib.Path, name: str, **fields: Any) -> LibrarySong:
        """Add an uploaded file to the library and to the end of the queue.

        Parameters
        ----------
        upload : pathlib.Path
            A complete file; it is moved.
        name : str
            As its user knows it.
        **fields
            Further fields of the record, see `LibrarySong`.

        Returns
        -------
        song : LibrarySong

        Raises
        ------
        StudioError, OutputError
            The file is deleted.
        """
        try:
            with self._changed:
                self.check_room()
                song = self.library.add(upload, name, **fields)
                self._append(song)
        except VocalsepError:
            upload.unlink(missing_ok=True)
            raise
        return song

    def restart(self, song: LibrarySong, audio_stream: str | None = None) -> LibrarySong | None:
        """Add a song to the end of the queue again.

        Parameters
        ----------
        song : LibrarySong
        audio_stream : str or None
            The stream to separate, see `LibrarySong`; a song that is done can then be restarted too. None for the same
            as before.

        Returns
        -------
        song : LibrarySong or None
            None if it is in the queue, being separated, deleted, or done and not partial.

        Raises
        ------
        StudioError, OutputError
            The song stays as it is.
        """
        with self._changed:
            stored = self.library.get(song.id)
            if stored is None or stored.id == self._current:
                return None
            finished = stored.state == DONE and (stored.partial or audio_stream is not None)
            if stored.state not in RESTARTABLE and not finished:
                return None
            self.check_room()
            if stored.state == DONE:
                self.library.delete_stems(stored)
            if audio_stream is None:
                audio_stream = stored.audio_stream
            restarted = self.library.update(
                stored,
                state=QUEUED,
                ready=0,
                remarks=[],
                partial=False,
                audio_stream=audio_stream,
                **error_fields(None),
            )
            self._append(restarted)
        return restarted

    def cancel(self, song: LibrarySong, keep: bool = False) -> LibrarySong:
        """Remove a song from the queue, or stop its separation; return its record.

        Parameters
        ----------
        song : LibrarySong
        keep : bool
            Whether what is separated is kept, as a song that is done and partial.
        """
        with self._changed:
            if song.id in self._queue:
                self._queue.remove(song.id)
                self.on_queue(list(self._queue))
                return self._finish(song, CANCELLED, Problem(Code.SONG_CANCELLED))
            if song.id == self._current:
                self._cancelled[song.id] = keep
                self._cancellation.cancel()
                while self._current == song.id and not self._closing:
                    self._changed.wait(timeout=10)
        return self.library.get(song.id) or song

    def remove(self, song: LibrarySong) -> None:
        """Cancel a song and delete it."""
        while True:
            self.cancel(song)
            with self._changed:
                # Another request may have restarted it meanwhile.
                if song.id in self._queue or (song.id == self._current and not self._closing):
                    continue
                self.library.remove(song)
                return

    def peaks(self, song: LibrarySong) -> dict[str, list[float] | int]:
        """Return the peaks of a song's stems, as far as they are separated."""
        running = self._peaks.get(song.id)
        if running is not None:
            return {"samples_per_peak": PEAK_SAMPLES, **{stem: list(peaks) for stem, peaks in running.peaks.items()}}
        try:
            stored = json.loads((self.library.song_folder(song) / PEAKS).read_text("utf-8"))
        except (OSError, ValueError):
            stored = {stem: [] for stem in STEMS}
        return {"samples_per_peak": PEAK_SAMPLES, **stored}

    def _append(self, song: LibrarySong) -> None:
        self._queue.append(song.id)
        self.on_change(song)
        self._changed.notify_all()

    def _work(self) -> None:
        lower_priority(NICENESS)
        # The model is loaded before the first song comes, so that nobody waits for it. If that fails, the songs do.
        with contextlib.suppress(Exception):
            self._engine()
        while True:
            with self._changed:
                while not self._queue and not self._closing:
                    self._changed.wait()
                if self._closing:
                    return
                self._current = self._queue.pop(0)
                self._cancellation = Cancellation()
                song = self.library.get(self._current)
                self.on_queue(list(self._queue))
            try:
                if song is not None:
                    self._run(song)
            finally:
                self._clear_current()

    def _engine(self) -> Engine:
        """Return the engine; load it at the first call."""
        self._loaded_engine = self._loaded_engine or self._load_engine()
        return self._loaded_engine

    def _run(self, song: LibrarySong) -> None:
        """Separate one song, and record how that ended."""
        problem = None
        try:
            engine = self._engine()
            song = self.library.update(song, state=RUNNING, ready=0, remarks=[], **error_fields(None))
            self.on_change(song)
            song = self._separate(engine, song)
            state = DONE
        except SeparationStopped:
            state = INTERRUPTED if self._closing else CANCELLED
            problem = Problem(Code.STUDIO_CLOSED if self._closing else Code.SONG_CANCELLED)
        except Exception as failure:
            # One song must not end the queue.
            state, problem = FAILED, problem_of(failure)
        finally:
            self._peaks.pop(song.id, None)
        if state != DONE:
            song = self.library.get(song.id) or song
        # In one step: a song that is done has no position in the queue, and can be restarted.
        with self._changed:
            self._clear_current()
            self._finish(song, state, problem)

    def _separate(self, engine: Engine, song: LibrarySong) -> LibrarySong:
        """Write a song's stems and peaks, and return its record."""
        library = self.library
        path = library.original(song)
        with open_source(path, stream=song.audio_stream.strip() or None) as source:
            info = source.info
            # A length that is only a guess excludes no song: samples are counted while they are decoded.
            self._check_length((info.samples or 0) if math.isfinite(info.length_tolerance_s) else 0, info.sample_rate)
            bits = 24 if info.subtype in SUBTYPES_OF_24_BITS else 16
            gain = clip_guard_gain(info, bits)
            song = library.update(
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
            peaks = self._peaks[song.id] = WaveformPeaks()
            reported = 0.0
            with (
                StemWriter(library.stem(song, "vocals"), library.stem(song, "accompaniment"), bits) as writer,
                contextlib.closing(
                    separate_source(engine, source, bits=bits, gain=gain, cancellation=self._cancellation)
                ) as blocks,
            ):
                try:
                    for stems in blocks:
                        vocals, accompaniment = (stems[name] for name in STEMS)
                        self._check_wanted(song, source)
                        writer.write(vocals, accompaniment)
                        peaks.push(vocals, accompaniment)
                        song = library.update(song, on_disk=False, ready=song.ready + vocals.shape[1])
                        if time.monotonic() - reported > REPORT_INTERVAL_S:
                            reported = time.monotonic()
                            self.on_change(song)
                except CancelledError:
                    self._check_wanted(song, source)
                    song = library.update(song, on_disk=False, partial=True)
        peaks.flush()
        write_text(library.song_folder(song) / PEAKS, json.dumps(peaks.peaks))
        remarks = source_remarks(source, gain)
        if song.partial:
            remarks = [f"cancelled after {song.ready / song.sample_rate:.0f} s; what was separated until then was kept"]
        return library.update(song, on_disk=False, samples=song.ready, remarks=remarks)

    def _check_wanted(self, song: LibrarySong, source: Source) -> None:
        """Raise SeparationStopped for a song that was cancelled, and StudioError for one that is too long."""
        stopped = song.id in self._cancelled and not (self._cancelled[song.id] and song.ready)
        if self._closing or stopped:
            raise SeparationStopped
        self._check_length(source.read, source.info.sample_rate)

    def _check_length(self, samples: int, sample_rate: int) -> None:
        if samples > self.limits.max_minutes * 60 * sample_rate:
            raise self.limits.too_long

    def _clear_current(self) -> None:
        with self._changed:
            if self._current is not None:
                self._cancelled.pop(self._current, None)
            self._current = None
            self._changed.notify_all()

    def _finish(self, song: LibrarySong, state: str, problem: Problem | None = None) -> LibrarySong:
        """Record and report the last state of a song, and delete the stems of one that is not done."""
        fields: dict[str, Any] = {"state": state, **error_fields(problem)}
        if state != DONE:
            fields["ready"] = 0
            for stem in STEMS:
                self.library.stem(song, stem).unlink(missing_ok=True)
        try:
            song = self.library.update(song, **fields)
        except OutputError:
            # A full disk has no room for the record either. On disk it says that the song was interrupted.
            song = self.library.update(song, on_disk=False, **fields)
        if self.library.get(song.id) is not None:
            self.on_change(song)
        return song
