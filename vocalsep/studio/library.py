"""Songs on disk: one folder each, with what was dropped, both stems, and what is known of them."""

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
from collections.abc import Iterator
from typing import Any

from ..audio.formats import SONG_SUFFIXES
from ..errors import OutputError, UsageError
from ..system.atomic_files import reason, write_text

QUEUED, RUNNING, DONE = "queued", "running", "done"
FAILED, CANCELLED, INTERRUPTED = "failed", "cancelled", "interrupted"
RESTARTABLE = (FAILED, CANCELLED, INTERRUPTED)
STATES = (QUEUED, RUNNING, DONE, *RESTARTABLE)
RECORD = "song.json"
PEAKS = "peaks.json"
ORIGINAL = "original"
SCRATCH = ".scratch"
LONGEST_NAME = 200
ID = re.compile(r"[0-9a-f]{16}")


@dataclasses.dataclass(frozen=True)
class Song:
    """What is known of a song.

    Parameters
    ----------
    id : str
        16 hexadecimal digits, the name of its folder.
    name : str
        The file's name as its user knows it; for showing only, never a path.
    suffix : str
        Of the file that was dropped.
    state : str
        One of `STATES`.
    error : str
        Why it failed, else empty.
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
    """

    id: str
    name: str
    suffix: str = ""
    state: str = QUEUED
    error: str = ""
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

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * self.bits // 8


class Library:
    """All songs, in memory and on disk; safe to use from several threads.

    Parameters
    ----------
    folder : pathlib.Path
        Made if it is missing. What is in it and is no song of ours is left alone.

    Raises
    ------
    OutputError
        The folder cannot be made or read.
    """

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self._lock = threading.RLock()
        self._songs: dict[str, Song] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self.scratch, ignore_errors=True)
            self.scratch.mkdir()
            for path in sorted(folder.iterdir()):
                if ID.fullmatch(path.name) and path.is_dir():
                    self._take_in(path)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be used as a library ({reason(error)})") from None

    @property
    def scratch(self) -> pathlib.Path:
        """Folder of what is on its way."""
        return self.folder / SCRATCH

    @contextlib.contextmanager
    def making(self, suffix: str) -> Iterator[pathlib.Path]:
        """Give an empty temporary file; where what is entered with it fails, nothing is left; raises OSError."""
        path = self.scratch / f"{secrets.token_hex(8)}{suffix}"
        path.touch()
        try:
            yield path
        except BaseException:
            # A disk that became read-only is not to hide what went wrong.
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            raise

    def songs(self) -> list[Song]:
        """Return all songs, the newest first."""
        with self._lock:
            return sorted(self._songs.values(), key=lambda song: (-song.created, song.id))

    def get(self, song_id: str) -> Song | None:
        """Return a song, or None where there is none of that id."""
        with self._lock:
            return self._songs.get(song_id)

    def place(self, song: Song) -> pathlib.Path:
        """Return a song's folder."""
        return self.folder / song.id

    def original(self, song: Song) -> pathlib.Path:
        """Return the file that was dropped."""
        return self.place(song) / f"{ORIGINAL}{song.suffix}"

    def stem(self, song: Song, stem: str) -> pathlib.Path:
        """Return the raw samples of a stem."""
        return self.place(song) / f"{stem}.pcm"

    def add(self, upload: pathlib.Path, name: str, **known: Any) -> Song:
        """Take in a whole file, which moves into the library; raises OutputError."""
        suffix = suffix_of(name)
        song = Song(secrets.token_hex(8), shown(name), suffix, created=time.time(), **known)
        home = self.place(song)
        try:
            home.mkdir()
            upload.rename(home / f"{ORIGINAL}{suffix}")
        except OSError as error:
            shutil.rmtree(home, ignore_errors=True)
            raise OutputError(f"the library cannot be written to ({reason(error)})") from None
        try:
            return self.put(song)
        except OutputError:
            shutil.rmtree(home, ignore_errors=True)
            raise

    def put(self, song: Song, keep: bool = True) -> Song:
        """Replace what is known of a song, on disk too unless `keep` is False; raises OutputError."""
        with self._lock:
            if keep:
                write_text(self.place(song) / RECORD, json.dumps(dataclasses.asdict(song)) + "\n")
            self._songs[song.id] = song
        return song

    def remove(self, song: Song) -> None:
        """Delete a song and all its files."""
        with self._lock:
            self._songs.pop(song.id, None)
        # Moved away first: a folder that is half deleted must not be found as a song.
        gone = self.scratch / f"gone-{song.id}"
        try:
            self.place(song).rename(gone)
        except OSError:
            gone = self.place(song)
        shutil.rmtree(gone, ignore_errors=True)

    def forget_sounds(self, song: Song) -> None:
        """Delete a song's stems and all versions of them; who is reading them can go on."""
        for path in self.place(song).glob("*.pcm"):
            path.unlink(missing_ok=True)

    def size(self, song: Song) -> int:
        """Return the bytes that a song takes on disk."""
        try:
            return sum(path.stat().st_size for path in self.place(song).iterdir())
        except OSError:
            return 0

    def _take_in(self, path: pathlib.Path) -> None:
        """Read a song of an earlier session; one that was being worked on is marked as interrupted."""
        try:
            said = json.loads((path / RECORD).read_text("utf-8"))
            song = Song(**said)
            usable = song.id == path.name and song.state in STATES and song.suffix == suffix_of(f"x{song.suffix}")
        except (OSError, ValueError, TypeError):
            usable = False
        if not usable:
            return
        if song.state == RUNNING:
            song = dataclasses.replace(
                song, state=INTERRUPTED, error="the studio was closed while it was working on it"
            )
            # On a full disk it is marked the next time.
            with contextlib.suppress(OutputError):
                write_text(path / RECORD, json.dumps(dataclasses.asdict(song)) + "\n")
        self._songs[song.id] = song


def suffix_of(name: str) -> str:
    """Return the suffix of a file's name where it is one that songs have, else an empty one."""
    suffix = pathlib.PurePath(name).suffix.lower()
    return suffix if suffix in SONG_SUFFIXES else ""


def shown(name: str) -> str:
    """Return a name that can be shown: one line, no folders, not too long."""
    bare = re.split(r"[/\\]", name)[-1]
    return "".join(letter for letter in bare if letter.isprintable())[:LONGEST_NAME].strip() or "song"


def default_folder() -> pathlib.Path:
    """Return where the user's library is unless they say otherwise; raises UsageError without the extra."""
    try:
        import platformdirs
    except ImportError:
        raise UsageError("the studio needs its extra: pip install 'vocalsep[studio]'") from None
    return pathlib.Path(platformdirs.user_data_dir("vocalsep", appauthor=False)) / "library"
