"""Voices that were recorded over a song's track, kept in the song's folder."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import secrets
import threading
import time
from typing import Any

from ..errors import OutputError
from ..system.atomic_files import write_text
from .error_messages import Code, StudioError, write_error
from .library import ID, Library, LibrarySong, display_name, song_suffix

# Of one song.
MAX_RECORDINGS = 50


@dataclasses.dataclass(frozen=True)
class Recording:
    """The record of a recording.

    Parameters
    ----------
    id : str
        16 hexadecimal digits.
    song : str
        The song's id.
    name : str
        For display.
    suffix : str
        Of the file.
    created : float
        Unix time in seconds.
    duration : float
        Seconds.
    start : float
        Seconds of the track, as it was played, at which the recording begins.
    latency_ms : float
        By how much it is moved earlier: the delay of loudspeakers and microphone.
    level : float
        Linear gain.
    key, tempo : float
        Of the track that it was sung to: semitones and percent.
    """

    id: str
    song: str
    name: str
    suffix: str
    created: float
    duration: float
    start: float = 0.0
    latency_ms: float = 0.0
    level: float = 1.0
    key: float = 0.0
    tempo: float = 100.0

    @property
    def lead_s(self) -> float:
        """Seconds of the track at which the recording's first sample belongs; may be negative."""
        return self.start - self.latency_ms / 1000


class Recordings:
    """The recordings of a library's songs; safe to use from several threads.

    Parameters
    ----------
    library : Library
    """

    def __init__(self, library: Library):
        self.library = library
        self._lock = threading.Lock()

    def all(self, song: LibrarySong) -> list[Recording]:
        """Return a song's recordings, the newest first."""
        found = []
        for path in self.library.song_folder(song).glob("recording-*.json"):
            # What was damaged from outside is left out.
            with contextlib.suppress(OSError, ValueError, TypeError):
                found.append(Recording(**json.loads(path.read_text("utf-8"))))
        return sorted(found, key=lambda recording: (-recording.created, recording.id))

    def get(self, song: LibrarySong, recording_id: str) -> Recording:
        """Return a recording; raises StudioError."""
        if ID.fullmatch(recording_id):
            with contextlib.suppress(OSError, ValueError, TypeError):
                return Recording(**json.loads(self._record(song, recording_id).read_text("utf-8")))
        raise StudioError(Code.NO_RECORDING)

    def sound(self, song: LibrarySong, recording: Recording) -> pathlib.Path:
        """Return the path of a recording's sound, as it was sent."""
        suffix = song_suffix(f"x{recording.suffix}")
        return self.library.song_folder(song) / f"recording-{recording.id}{suffix}"

    def check_room(self, song: LibrarySong) -> None:
        """Raise StudioError if a song can take no more recordings."""
        if len(self.all(song)) >= MAX_RECORDINGS:
            raise StudioError(Code.RECORDINGS_FULL, count=MAX_RECORDINGS)

    def add(self, song: LibrarySong, upload: pathlib.Path, name: str, duration: float, **fields: Any) -> Recording:
        """Keep an uploaded sound as a recording of a song.

        Parameters
        ----------
        song : LibrarySong
        upload : pathlib.Path
            A complete file on the library's file system; it is moved, or deleted on an error.
        name : str
            For display; its suffix tells the format.
        duration : float
            Seconds.
        **fields
            Further fields of the record.

        Raises
        ------
        OutputError
            The library cannot be written to.
        StudioError
            The song has too many recordings.
        """
        suffix = song_suffix(name) or upload.suffix
        shown = pathlib.PurePath(display_name(name)).stem if song_suffix(name) else display_name(name)
        recording = Recording(secrets.token_hex(8), song.id, shown, suffix, time.time(), round(duration, 3), **fields)
        sound = self.sound(song, recording)
        try:
            with self._lock:
                self.check_room(song)
                upload.rename(sound)
                return self.save(song, recording)
        except OSError as error:
            raise write_error("the recording cannot be kept", error) from None
        except OutputError:
            sound.unlink(missing_ok=True)
            raise
        finally:
            upload.unlink(missing_ok=True)

    def save(self, song: LibrarySong, recording: Recording) -> Recording:
        """Write a recording's record; raises OutputError."""
        if self.library.get(song.id) is None:
            raise StudioError(Code.NO_SONG)
        write_text(self._record(song, recording.id), json.dumps(dataclasses.asdict(recording)) + "\n")
        return recording

    def remove(self, song: LibrarySong, recording: Recording) -> None:
        """Delete a recording."""
        self._record(song, recording.id).unlink(missing_ok=True)
        self.sound(song, recording).unlink(missing_ok=True)

    def _record(self, song: LibrarySong, recording_id: str) -> pathlib.Path:
        return self.library.song_folder(song) / f"recording-{recording_id}.json"
