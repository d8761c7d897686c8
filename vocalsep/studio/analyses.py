"""Key, tempo and beats of songs, found when somebody asks for them first."""

from __future__ import annotations

import json
import pathlib
import threading
import time
from collections.abc import Callable
from typing import Any

from ..analysis import SongAnalyzer
from ..dsp.exact_sum import STEMS
from ..system.atomic_files import write_text
from .error_messages import Code, Problem, StudioError, error_fields, problem_of
from .library import ANALYSIS, Library, LibrarySong
from .stems import read_blocks

NOTHING: dict[str, Any] = {
    "state": "running",
    **error_fields(None),
    "key": None,
    "key_confidence": 0.0,
    "tempo": None,
    "tempo_confidence": 0.0,
    "beats": [],
}


class Analyses:
    """Analyses songs one after another, in a thread that ends when there is nothing left to do.

    Parameters
    ----------
    library : Library
    on_end : callable
        Called with a song whose analysis has ended.
    """

    def __init__(self, library: Library, on_end: Callable[[LibrarySong], None]):
        self.library = library
        self.on_end = on_end
        self._lock = threading.Lock()
        self._closing = False
        self._waiting: list[LibrarySong] = []
        self._thread: threading.Thread | None = None
        # By song: why it failed. It is tried again when the studio starts next.
        self._problems: dict[str, Problem] = {}

    def get(self, song: LibrarySong) -> dict[str, Any]:
        """Return what was found in a song that is done, as the HTTP interface shows it; begin where nothing was."""
        try:
            return {**NOTHING, **json.loads(self._path(song).read_text("utf-8")), "state": "done"}
        except (OSError, ValueError, TypeError):
            pass
        with self._lock:
            if song.id in self._problems:
                return {**NOTHING, "state": "failed", **error_fields(self._problems[song.id])}
            if all(one.id != song.id for one in self._waiting):
                self._waiting.append(song)
            if self._thread is None and not self._closing:
                # A daemon, which a program that ends does not wait for.
                self._thread = threading.Thread(target=self._work, name="analysis", daemon=True)
                self._thread.start()
        return NOTHING

    def stop(self) -> None:
        """Tell the thread to stop."""
        with self._lock:
            self._closing = True
            self._waiting.clear()

    def join(self, deadline: float) -> bool:
        """Wait for the thread to stop, until `time.monotonic` is at the deadline; return whether it has."""
        thread = self._thread
        if thread is not None:
            thread.join(max(0.0, deadline - time.monotonic()))
        return thread is None or not thread.is_alive()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return
                song = self._waiting[0]
            problem = None
            try:
                self._analyze(song)
            except Exception as failure:
                # One song must not end the others' turn.
                problem = problem_of(failure)
            with self._lock:
                self._waiting = [one for one in self._waiting if one is not song]
                if problem is not None:
                    self._problems[song.id] = problem
            if self.library.get(song.id) is not None and not self._closing:
                self.on_end(song)

    def _analyze(self, song: LibrarySong) -> None:
        """Write what is found in the sum of a song's stems."""
        analyzer = SongAnalyzer(song.channels, song.sample_rate)
        stems = (read_blocks(self.library.stem(song, stem), song.channels, song.bits) for stem in STEMS)
        for vocals, accompaniment in zip(*stems, strict=True):
            if analyzer.full or self._closing:
                break
            analyzer.push(vocals + accompaniment)
        if self._closing:
            return
        found = analyzer.finish()
        answer = {
            "key": found.key.name if found.key else None,
            "key_confidence": round(found.key_confidence, 3),
            "tempo": None if found.bpm is None else round(found.bpm, 2),
            "tempo_confidence": round(found.tempo_confidence, 3),
            "beats": list(found.beats),
        }
        now = self.library.get(song.id)
        if now is None or now.audio_taken != song.audio_taken:
            raise StudioError(Code.SONG_CHANGED)
        write_text(self._path(song), json.dumps(answer) + "\n")

    def _path(self, song: LibrarySong) -> pathlib.Path:
        return self.library.song_folder(song) / ANALYSIS
