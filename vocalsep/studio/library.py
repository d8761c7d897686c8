"""The songs of a studio on disk: one folder each, with the uploaded file, both stems and a record of the song."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import re
import secrets
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ..audio.formats import SONG_SUFFIXES
from ..errors import OutputError
from ..system.atomic_files import os_error_text, write_text
from .error_messages import Code, Problem, error_fields, write_error

QUEUED, RUNNING, DONE = "queued", "running", "done"
FAILED, CANCELLED, INTERRUPTED = "failed", "cancelled", "interrupted"
RESTARTABLE = (FAILED, CANCELLED, INTERRUPTED)
STATES = (QUEUED, RUNNING, DONE, *RESTARTABLE)
RECORD = "song.json"
PEAKS = "peaks.json"
ANALYSIS = "analysis.json"
ORIGINAL = "original"
TEMPORARY = ".scratch"
MAX_NAME_LENGTH = 200
# Longer than the steps in which file systems count the time of changes.
SETTLED_NS = 2_000_000_000
ID = re.compile(r"[0-9a-f]{16}")


@dataclasses.dataclass(frozen=True)
class LibrarySong:
    """The record of a song.

    Parameters
    ----------
    id : str
        16 hexadecimal digits, the name of its folder.
    name : str
        The file's name as its user knows it; for display only, never a path.
    suffix : str
        Of the uploaded file.
    state : str
        One of `STATES`.
    error : str
        Why it failed, was cancelled or interrupted, in English, else empty.
    error_code, error_values : str, dict
        The same as data, see `Problem`.
    created : float
        Unix time in seconds.
    sample_rate, channels : int
        Hz; 0 until they are known.
    samples : int or None
        Length per channel: what the file announces, and in the end what it held.
    ready : int
        Samples per channel of both stems on disk.
    bits : int
        16 or 24, of the stems.
    video : bool
        Whether the file holds a moving picture.
    audio_stream : str
        The audio stream that was asked for: a number from 1 or a language's code; empty for the default one.
    audio_taken : int
        Number of the audio stream that is separated; 0 until it is known, or where the format can hold one only.
    audio_streams : list of dict
        All audio streams, as ``vocalsep info`` describes them.
    layout : str
        Which speakers the channels are for, as `audio.layouts` names it; empty where that is not known.
    remarks : list of str
        What its user should know of the file, such as a gap that was filled with silence; complete once it is done.
    title, artist, album, track : str
        From the file's tags, or as its user calls them; empty where there are none.
    cover : bool
        Whether the file holds a picture of its cover.
    lyrics_source : str
        Where its words come from: ``tags``, ``file`` or ``user``; empty without words.
    content_hash : str
        SHA-256 of the uploaded file, in hexadecimal.
    partial : bool
        Whether it was cancelled, and what was separated until then was kept.
    """

    id: str
    name: str
    suffix: str = ""
    state: str = QUEUED
    error: str = ""
    error_code: str = ""
    error_values: dict[str, Any] = dataclasses.field(default_factory=dict)
    created: float = 0.0
    sample_rate: int = 0
    channels: int = 0
    samples: int | None = None
    ready: int = 0
    bits: int = 16
    video: bool = False
    audio_stream: str = ""
    audio_taken: int = 0
    audio_streams: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    layout: str = ""
    remarks: list[str] = dataclasses.field(default_factory=list)
    title: str = ""
    artist: str = ""
    album: str = ""
    track: str = ""
    cover: bool = False
    lyrics_source: str = ""
    content_hash: str = ""
    partial: bool = False

    @property
    def duration(self) -> float | None:
        """Seconds, or None where that is not known yet."""
        return self.samples / self.sample_rate if self.samples is not None and self.sample_rate else None

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * self.bits // 8


class Library:
    """All songs, in memory and on disk; safe to use from several threads.

    Parameters
    ----------
    folder : pathlib.Path
        Created if it is missing. Files and folders in it that are not songs are left alone.

    Raises
    ------
    OutputError
        The folder cannot be created or read.
    """

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self._lock = threading.RLock()
        self._songs: dict[str, LibrarySong] = {}
        self._ids_by_hash: dict[str, set[str]] = defaultdict(set)
        # By song: when a file was last added to its folder or removed, how much of its stems was ready, and its size.
        self._sizes: dict[str, tuple[int, int, int]] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self.temporary_folder, ignore_errors=True)
            self.temporary_folder.mkdir()
            for path in sorted(folder.iterdir()):
                if ID.fullmatch(path.name) and path.is_dir():
                    self._load_song(path)
        except OSError as error:
            raise OutputError(f"cannot be used as a library ({os_error_text(error)})", path=folder) from None

    @property
    def temporary_folder(self) -> pathlib.Path:
        """Folder of files that are not complete yet."""
        return self.folder / TEMPORARY

    @contextlib.contextmanager
    def temporary_file(self, suffix: str) -> Iterator[pathlib.Path]:
        """Create an empty temporary file, and remove it if the body of the ``with`` fails; raises OSError."""
        path = self.temporary_folder / f"{secrets.token_hex(8)}{suffix}"
        path.touch()
        try:
            yield path
        except BaseException:
            # A disk that has become read-only must not hide the first error.
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            raise

    def songs(self) -> list[LibrarySong]:
        """Return all songs, the newest first."""
        with self._lock:
            return sorted(self._songs.values(), key=lambda song: (-song.created, song.id))

    def get(self, song_id: str) -> LibrarySong | None:
        """Return the song with this id, or None."""
        with self._lock:
            return self._songs.get(song_id)

    def duplicate_of(self, song: LibrarySong) -> LibrarySong | None:
        """Return the oldest other song with the same content that came before this one, or None."""
        # Without the lock: with many visitors, taking it for each song of a long list takes longer than all the rest.
        if len(self._ids_by_hash.get(song.content_hash, ())) < 2:
            return None
        with self._lock:
            same = self._ids_by_hash.get(song.content_hash, set()) if song.content_hash else set()
            songs = [self._songs[other] for other in same if other != song.id and other in self._songs]
        before = [other for other in songs if (other.created, other.id) < (song.created, song.id)]
        return min(before, key=lambda other: (other.created, other.id), default=None)

    def song_folder(self, song: LibrarySong) -> pathlib.Path:
        """Return a song's folder."""
        return self.folder / song.id

    def original(self, song: LibrarySong) -> pathlib.Path:
        """Return the path of the uploaded file."""
        return self.song_folder(song) / f"{ORIGINAL}{song.suffix}"

    def stem(self, song: LibrarySong, stem: str) -> pathlib.Path:
        """Return the path of a stem's raw samples."""
        return self.song_folder(song) / f"{stem}.pcm"

    def add(self, upload: pathlib.Path, name: str, **fields: Any) -> LibrarySong:
        """Move an uploaded file into the library.

        Parameters
        ----------
        upload : pathlib.Path
            A complete file, on the library's file system.
        name : str
            As its user knows it.
        **fields
            Further fields of the record.

        Returns
        -------
        song : LibrarySong

        Raises
        ------
        OutputError
            The library cannot be written to.
        """
        suffix = song_suffix(name)
        song = LibrarySong(secrets.token_hex(8), display_name(name), suffix, created=time.time(), **fields)
        folder = self.song_folder(song)
        try:
            folder.mkdir()
            upload.rename(folder / f"{ORIGINAL}{suffix}")
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise write_error("the library cannot be written to", error) from None
        try:
            return self.save(song)
        except OutputError:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def save(self, song: LibrarySong, on_disk: bool = True) -> LibrarySong:
        """Replace a song's record, on disk too unless `on_disk` is False; raises OutputError."""
        with self._lock:
            if on_disk:
                write_text(self.song_folder(song) / RECORD, json.dumps(dataclasses.asdict(song)) + "\n")
            self._remember(song)
        return song

    def update(self, song: LibrarySong, on_disk: bool = True, **fields: Any) -> LibrarySong:
        """Replace fields of a song's record, and leave all others as they are by now.

        Parameters
        ----------
        song : LibrarySong
        on_disk : bool
            Whether the record on disk is replaced too.
        **fields
            See `LibrarySong`.

        Returns
        -------
        song : LibrarySong
            If it was deleted meanwhile, nothing is saved.

        Raises
        ------
        OutputError
        """
        with self._lock:
            stored = self._songs.get(song.id)
            changed = dataclasses.replace(stored or song, **fields)
            return self.save(changed, on_disk) if stored else changed

    def remove(self, song: LibrarySong) -> None:
        """Delete a song and all its files."""
        with self._lock:
            self._songs.pop(song.id, None)
            self._ids_by_hash[song.content_hash].discard(song.id)
            self._sizes.pop(song.id, None)
        # Renamed first: a folder that is half deleted must not be loaded as a song.
        renamed = self.temporary_folder / f"gone-{song.id}"
        try:
            self.song_folder(song).rename(renamed)
        except OSError:
            renamed = self.song_folder(song)
        shutil.rmtree(renamed, ignore_errors=True)

    def delete_stems(self, song: LibrarySong) -> None:
        """Delete a song's stems in all keys and tempos, and what was found in them; open files can still be read."""
        (self.song_folder(song) / ANALYSIS).unlink(missing_ok=True)
        for path in self.song_folder(song).glob("*.pcm"):
            path.unlink(missing_ok=True)

    def size(self, song: LibrarySong) -> int:
        """Return the bytes that a song takes on disk."""
        folder = self.song_folder(song)
        try:
            changed = folder.stat().st_mtime_ns
            known = self._sizes.get(song.id)
            if known is not None and known[:2] == (changed, song.ready):
                return known[2]
            size = sum(path.stat().st_size for path in folder.iterdir())
        except OSError:
            return 0
        # What follows at once may have the same time.
        if time.time_ns() - changed > SETTLED_NS:
            with self._lock:
                if song.id in self._songs:
                    self._sizes[song.id] = (changed, song.ready, size)
        return size

    def _load_song(self, folder: pathlib.Path) -> None:
        """Load a song of an earlier session; mark it as interrupted if it was being separated."""
        try:
            song = LibrarySong(**json.loads((folder / RECORD).read_text("utf-8")))
            valid = song.id == folder.name and song.state in STATES and song.suffix == song_suffix(f"x{song.suffix}")
        except (OSError, ValueError, TypeError):
            valid = False
        if not valid:
            return
        if song.state == RUNNING:
            song = dataclasses.replace(song, state=INTERRUPTED, **error_fields(Problem(Code.STUDIO_CLOSED)))
            # On a full disk the record is written at the next start.
            with contextlib.suppress(OutputError):
                write_text(folder / RECORD, json.dumps(dataclasses.asdict(song)) + "\n")
        self._remember(song)

    def _remember(self, song: LibrarySong) -> None:
        self._songs[song.id] = song
        self._ids_by_hash[song.content_hash].add(song.id)


def song_suffix(name: str) -> str:
    """Return the suffix of a file name if it is one of an audio or video format, else an empty text."""
    suffix = pathlib.PurePath(name).suffix.lower()
    return suffix if suffix in SONG_SUFFIXES else ""


def display_name(name: str) -> str:
    """Return a file name that is safe to display: one line, without folders, of limited length."""
    bare = re.split(r"[/\\]", name)[-1]
    return "".join(letter for letter in bare if letter.isprintable())[:MAX_NAME_LENGTH].strip() or "song"


def default_folder() -> pathlib.Path:
    """Return the library's default folder."""
    import platformdirs

    return pathlib.Path(platformdirs.user_data_dir("vocalsep", appauthor=False)) / "library"
