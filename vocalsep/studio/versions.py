"""Stems in another key and tempo, for practice: what is heard next is made first."""

from __future__ import annotations

import concurrent.futures
import contextlib
import pathlib
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np

from ..audio.key_tempo import KeyTempo
from ..dsp.exact_sum import STEMS
from ..system.background import run_in_thread
from .error_messages import Code, StudioError, write_error
from .library import DONE, Library, LibrarySong
from .stems import decode_pcm, encode_pcm, read_blocks

# Keys and tempos of one song that are kept at once.
MAX_VERSIONS = 4
# What is made before a version is played, in seconds.
PLAYABLE_S = 12.0
# Length of the fade between what was made first and what comes before it, in seconds.
FADE_S = 0.02
# Blocks that are made at once: of versions that somebody waits for, and of the rest of others.
MAX_URGENT, MAX_OTHER = 2, 2
# Versions that are begun at once; others wait.
MAX_GROWING = 16
CHECK_S = 0.1


class VersionStopped(Exception):
    """A version is not wanted any more."""


class GrowingVersion:
    """Both stems of a song in another key and tempo, while they are made: from one sample on, then what is before it.

    Parameters
    ----------
    song : LibrarySong
    key, tempo : float
    first : int
        Sample of the song from which it is made.

    Attributes
    ----------
    files : dict of str to pathlib.Path
        By stem: a file of its full length, which is filled.
    before, after : dict of str to int
        By stem, the sample up to which it is made: of what is before the first one, and of what follows it.
    waiting : int
        Requests that wait for it.
    kept : bool
        Whether it is made to its end without anybody who waits.
    stopped, ended : bool
        Whether it is not wanted any more; whether its making has ended.
    error : Exception or None
        Why it could not be made.
    """

    def __init__(self, song: LibrarySong, key: float, tempo: float, first: int):
        self.song = song
        self.key, self.tempo = key, tempo
        self.first = first
        self.files: dict[str, pathlib.Path] = {}
        self.waiting = 0
        self.kept = self.stopped = self.ended = False
        self.error: Exception | None = None
        self.before = dict.fromkeys(STEMS, 0)
        self.after = dict.fromkeys(STEMS, self.place(first))

    @property
    def samples(self) -> int:
        """Length per channel."""
        return self.place(self.song.samples or 0)

    @property
    def playable(self) -> bool:
        """Whether so much is made that it can be played while the rest is."""
        wanted = self.place(self.first) + round(PLAYABLE_S * self.song.sample_rate)
        return min(self.after.values()) >= min(self.samples, wanted)

    def place(self, sample: int) -> int:
        """Return where a sample of the song is in the version."""
        return round(sample * 100 / self.tempo)

    def available(self, sample: int) -> int:
        """Return the sample up to which both stems are made without a gap from one on; that one where it is not."""
        made = self.before if sample < self.place(self.first) else self.after
        return max(sample, min(made.values()))


class Versions:
    """Makes and keeps stems in other keys and tempos. All methods take a song that is done.

    Parameters
    ----------
    library : Library
    """

    def __init__(self, library: Library):
        self.library = library
        self._changed = threading.Condition()
        self._closing = False
        self._growing: dict[pathlib.Path, GrowingVersion] = {}
        self._urgent = threading.Semaphore(MAX_URGENT)
        self._other = threading.Semaphore(MAX_OTHER)

    def make(self, song: LibrarySong, key: float, tempo: float, start: float | None, check: Callable[[], None]) -> int:
        """Make both stems in another key and tempo, unless they exist.

        Parameters
        ----------
        song : LibrarySong
        key, tempo : float
            Semitones and percent.
        start : float or None
            Seconds of the song from which on the first `PLAYABLE_S` are waited for; the rest is made afterwards.
            None where all is waited for.
        check : callable
            Called often; an exception that it raises ends the work, unless others want its result.

        Returns
        -------
        samples : int
            Length per channel.

        Raises
        ------
        StudioError
            The song was deleted or is separated again.
        OutputError
            The stems cannot be read or written.
        """
        with self._changed:
            while len(self._growing) >= MAX_GROWING:
                self._changed.wait(CHECK_S)
                check()
            version = self._begin(song, key, tempo, start or 0.0)
            if version is None:
                return self.path(song, STEMS[0], key, tempo).stat().st_size // song.frame_bytes
            version.waiting += 1
            try:
                while not (version.ended or (start is not None and version.playable)):
                    self._changed.wait(CHECK_S)
                    check()
                if version.error is not None:
                    raise version.error
                version.kept |= start is not None
                return version.samples
            finally:
                version.waiting -= 1
                version.stopped |= not (version.waiting or version.kept)

    def path(self, song: LibrarySong, stem: str, key: float, tempo: float) -> pathlib.Path:
        """Return the path of a stem in another key and tempo, whether it exists or not."""
        return self.library.song_folder(song) / f"{stem}_{key:+.2f}_{tempo:.1f}.pcm"

    def open(self, song: LibrarySong, stem: str, key: float, tempo: float) -> tuple[BinaryIO, GrowingVersion | None]:
        """Open a stem in another key and tempo, and return it with its version while that is being made.

        Raises
        ------
        OSError
            It is neither there nor being made.
        """
        path = self.path(song, stem, key, tempo)
        with self._changed:
            version = self._growing.get(self.path(song, STEMS[0], key, tempo))
            if version is not None and stem in version.files:
                return version.files[stem].open("rb"), version
            return path.open("rb"), None

    def stop(self) -> None:
        """Tell all work to end."""
        with self._changed:
            self._closing = True

    def _begin(self, song: LibrarySong, key: float, tempo: float, start: float) -> GrowingVersion | None:
        """Return the version that is being made, or one whose making begins; None where it is complete."""
        path = self.path(song, STEMS[0], key, tempo)
        version = self._growing.get(path)
        if version is not None and not version.stopped:
            return version
        if all(self.path(song, stem, key, tempo).exists() for stem in STEMS):
            return None
        first = min(round(start * song.sample_rate), song.samples or 0)
        version = self._growing[path] = GrowingVersion(song, key, tempo, first)
        run_in_thread(lambda: self._make(version))
        return version

    def _make(self, version: GrowingVersion) -> None:
        song = version.song
        paths = {stem: self.path(song, stem, version.key, version.tempo) for stem in STEMS}
        try:
            with concurrent.futures.ThreadPoolExecutor(len(STEMS)) as threads:
                made = [threads.submit(self._write, version, stem) for stem in STEMS]
            for future in made:
                future.result()
            with self._changed:
                for stem in STEMS:
                    version.files[stem].rename(paths[stem])
                self._forget(version)
            self._delete_old(song, keep=list(paths.values()))
        except OSError as error:
            version.error = write_error("the version cannot be written", error)
        except VersionStopped:
            version.error = StudioError(Code.SONG_CHANGED)
        except Exception as error:
            version.error = error
        finally:
            for file in version.files.values():
                file.unlink(missing_ok=True)
            with self._changed:
                version.ended = True
                self._forget(version)
                self._changed.notify_all()

    def _forget(self, version: GrowingVersion) -> None:
        path = self.path(version.song, STEMS[0], version.key, version.tempo)
        if self._growing.get(path) is version:
            del self._growing[path]

    def _write(self, version: GrowingVersion, stem: str) -> None:
        """Write a stem from the first sample on, and then what is before it, with a fade between them."""
        song = version.song
        fade = min(version.first, round(FADE_S * song.sample_rate))
        with self.library.temporary_file(".pcm") as path:
            version.files[stem] = path
            with path.open("r+b") as file:

                def put(place: int, block: np.ndarray) -> None:
                    file.seek(place * song.frame_bytes)
                    file.write(encode_pcm(block[:, : max(0, version.samples - place)], song.bits))
                    file.flush()

                file.truncate(version.samples * song.frame_bytes)
                begin = version.place(version.first - fade)
                for place, block in self._shifted(version, stem, version.first - fade, song.samples or 0):
                    put(begin + place, block)
                    stop = min(version.samples, begin + place + block.shape[1])
                    self._note(version, version.after, stem, max(version.after[stem], stop))
                self._note(version, version.after, stem, version.samples)
                file.seek(begin * song.frame_bytes)
                length = version.place(version.first) - begin
                later = decode_pcm(file.read(length * song.frame_bytes), song.channels, song.bits)
                rising = np.linspace(0, 1, length, dtype=np.float32)
                for place, block in self._shifted(version, stem, 0, version.first):
                    faded = max(0, begin - place)
                    first = max(0, place - begin)
                    share = rising[first : first + max(0, block.shape[1] - faded)]
                    block[:, faded:] += share * (later[:, first : first + share.size] - block[:, faded:])
                    put(place, block)
                    self._note(version, version.before, stem, place + block.shape[1])

    def _shifted(self, version: GrowingVersion, stem: str, first: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield a passage of a stem in another key and tempo, in blocks and the place of each from the first one."""
        song = version.song
        if first == stop:
            return
        shift = KeyTempo(song.channels, song.sample_rate, version.key, version.tempo)
        place = 0
        for block in read_blocks(self.library.stem(song, stem), song.channels, song.bits, first, stop):
            self._check_wanted(version)
            with self._other if version.playable else self._urgent:
                shifted = shift.push(block)
            yield place, shifted
            place += shifted.shape[1]
        yield place, shift.flush()

    def _note(self, version: GrowingVersion, made: dict[str, int], stem: str, stop: int) -> None:
        """Note that a stem is made up to a sample; tell whoever waits for a version that can be played now."""
        with self._changed:
            was_playable = version.playable
            made[stem] = stop
            if version.playable and not was_playable:
                self._changed.notify_all()

    def _check_wanted(self, version: GrowingVersion) -> None:
        now = self.library.get(version.song.id)
        if self._closing or version.stopped or now is None or now.state != DONE:
            raise VersionStopped

    def _delete_old(self, song: LibrarySong, keep: list[pathlib.Path]) -> None:
        versions = []
        for path in self.library.song_folder(song).glob("*_*_*.pcm"):
            # Another request may be deleting at the same time.
            with contextlib.suppress(FileNotFoundError):
                versions.append((path.stat().st_mtime, path))
        others = sorted(version for version in versions if version[1] not in keep)
        for _, path in others[: -len(STEMS) * (MAX_VERSIONS - 1)]:
            path.unlink(missing_ok=True)
