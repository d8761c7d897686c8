"""Stems in another key and tempo, for practice."""

from __future__ import annotations

import concurrent.futures
import contextlib
import pathlib
from collections.abc import Callable

from ..audio.key_tempo import KeyTempo
from ..dsp.exact_sum import STEMS
from .error_messages import write_error
from .library import Library, LibrarySong
from .stems import encode_pcm, read_blocks

# Keys and tempos of one song that are kept at once.
MAX_VERSIONS = 4


class Versions:
    """Makes and keeps stems in other keys and tempos. All methods take a song that is done.

    Parameters
    ----------
    library : Library
    """

    def __init__(self, library: Library):
        self.library = library

    def make(self, song: LibrarySong, key: float, tempo: float, check: Callable[[], None]) -> int:
        """Write both stems in another key and tempo, unless they exist.

        Parameters
        ----------
        song : LibrarySong
        key, tempo : float
            Semitones and percent.
        check : callable
            Called often; an exception that it raises ends the work, and nothing is left.

        Returns
        -------
        samples : int
            Length per channel.

        Raises
        ------
        OutputError
            The stems cannot be read or written.
        """
        paths = {stem: self.path(song, stem, key, tempo) for stem in STEMS}
        try:
            if not all(path.exists() for path in paths.values()):
                with concurrent.futures.ThreadPoolExecutor(len(STEMS)) as threads:
                    made = [threads.submit(self._write, song, stem, key, tempo, check) for stem in STEMS]
                temporary = [future.result() for future in made if future.exception() is None]
                try:
                    for future in made:
                        future.result()
                    for path, file in zip(paths.values(), temporary, strict=True):
                        file.rename(path)
                finally:
                    for file in temporary:
                        file.unlink(missing_ok=True)
                self._delete_old(song, keep=list(paths.values()))
            return paths[STEMS[0]].stat().st_size // song.frame_bytes
        except OSError as error:
            raise write_error("the version cannot be written", error) from None

    def path(self, song: LibrarySong, stem: str, key: float, tempo: float) -> pathlib.Path:
        """Return the path of a stem in another key and tempo, whether it exists or not."""
        return self.library.song_folder(song) / f"{stem}_{key:+.2f}_{tempo:.1f}.pcm"

    def _write(self, song: LibrarySong, stem: str, key: float, tempo: float, check: Callable[[], None]) -> pathlib.Path:
        shift = KeyTempo(song.channels, song.sample_rate, key, tempo)
        with self.library.temporary_file(".pcm") as path:
            with path.open("wb") as file:
                for block in read_blocks(self.library.stem(song, stem), song.channels, song.bits):
                    check()
                    file.write(encode_pcm(shift.push(block), song.bits))
                file.write(encode_pcm(shift.flush(), song.bits))
            return path

    def _delete_old(self, song: LibrarySong, keep: list[pathlib.Path]) -> None:
        versions = []
        for path in self.library.song_folder(song).glob("*_*_*.pcm"):
            # Another request may be deleting at the same time.
            with contextlib.suppress(FileNotFoundError):
                versions.append((path.stat().st_mtime, path))
        others = sorted(version for version in versions if version[1] not in keep)
        for _, path in others[: -len(STEMS) * (MAX_VERSIONS - 1)]:
            path.unlink(missing_ok=True)
