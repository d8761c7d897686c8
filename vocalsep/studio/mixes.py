"""What is made of finished stems: mixes for download, versions in another key or tempo, archives."""

from __future__ import annotations

import contextlib
import pathlib
import zipfile
from collections.abc import Iterator

import numpy as np

from ..audio.formats import output_format
from ..audio.key_tempo import KeyTempo
from ..audio.sink import Sink
from ..audio.stem_file import StemSink, name_stems
from ..dsp.exact_sum import STEMS
from ..errors import OutputError, UsageError
from ..system.atomic_files import reason
from ..tags import read_tags, write_tags
from .library import Library, Song
from .stems import blocks, encoded

FORMATS = ("wav", "flac", "mp3", "m4a")
BITRATE = 256_000
# Versions in other keys and tempos that are kept of one song.
MOST_VERSIONS = 4


class Mixes:
    """Makes files of a library's stems.

    Parameters
    ----------
    library : Library
    """

    def __init__(self, library: Library):
        self.library = library

    def mix(self, song: Song, vocals: float, accompaniment: float, key: float, tempo: float, form: str) -> pathlib.Path:
        """Write a mix of both stems and return its temporary file.

        Parameters
        ----------
        song : Song
            One that is done.
        vocals, accompaniment : float
            Linear gains.
        key, tempo : float
            Semitones and percent.
        form : str
            One of `FORMATS`.

        Raises
        ------
        UsageError, AudioError, OutputError
            The format is unknown, cannot hold the song, or the disk is full.
        """
        gains = {"vocals": vocals, "accompaniment": accompaniment}
        try:
            return self._written(song, gains, key, tempo, form, "Karaoke")
        except OSError as error:
            raise OutputError(f"the mix cannot be written: {reason(error)}") from None

    def stem_file(self, song: Song) -> pathlib.Path:
        """Write mixture and stems into a stem file and return its temporary file; raises as `mix`."""
        try:
            with self.library.making(".mp4") as path:
                sink = StemSink(path, sample_rate=song.sample_rate, channels=song.channels, bitrate=BITRATE)
                try:
                    for vocals, accompaniment in self._stems(song):
                        sink.write(vocals, accompaniment)
                    sink.finish()
                finally:
                    sink.abandon()
                self._write_tags(song, path, "")
                name_stems(path)
                return path
        except OSError as error:
            raise OutputError(f"the stem file cannot be written: {reason(error)}") from None

    def archive(self, song: Song, form: str) -> pathlib.Path:
        """Write both stems into a zip and return its temporary file; raises as `mix`."""
        try:
            with self.library.making(".zip") as path:
                # Sound does not get smaller by packing; and a clock that says 1970 is no reason to have no archive.
                with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
                    for stem in STEMS:
                        gains = {name: float(name == stem) for name in STEMS}
                        written = self._written(song, gains, 0.0, 100.0, form, stem.capitalize())
                        try:
                            archive.write(written, f"{file_name(song)} - {stem}.{form}")
                        finally:
                            written.unlink(missing_ok=True)
                return path
        except OSError as error:
            raise OutputError(f"the archive cannot be written: {reason(error)}") from None

    def version(self, song: Song, key: float, tempo: float) -> int:
        """Make both stems in another key and tempo, and return their length in samples; raises OutputError."""
        paths = [self.version_path(song, stem, key, tempo) for stem in STEMS]
        try:
            if not all(path.exists() for path in paths):
                for stem, path in zip(STEMS, paths, strict=True):
                    self._write_version(song, stem, key, tempo, path)
                self._forget_versions(song, keep=paths)
            return paths[0].stat().st_size // song.frame_bytes
        except OSError as error:
            raise OutputError(f"the version cannot be written: {reason(error)}") from None

    def version_path(self, song: Song, stem: str, key: float, tempo: float) -> pathlib.Path:
        """Return where a stem in another key and tempo is, once it is made."""
        return self.library.place(song) / f"{stem}_{key:+.2f}_{tempo:.1f}.pcm"

    def _write_version(self, song: Song, stem: str, key: float, tempo: float, path: pathlib.Path) -> None:
        shift = KeyTempo(song.channels, song.sample_rate, key, tempo)
        with self.library.making(".pcm") as scratch:
            with scratch.open("wb") as file:
                for block in blocks(self.library.stem(song, stem), song.channels, song.bits):
                    file.write(encoded(shift.push(block), song.bits))
                file.write(encoded(shift.flush(), song.bits))
            scratch.rename(path)

    def _forget_versions(self, song: Song, keep: list[pathlib.Path]) -> None:
        made = []
        for path in self.library.place(song).glob("*_*_*.pcm"):
            # Others may be forgetting at the same time.
            with contextlib.suppress(FileNotFoundError):
                made.append((path.stat().st_mtime, path))
        for _, path in sorted(one for one in made if one[1] not in keep)[: -len(STEMS) * (MOST_VERSIONS - 1)]:
            path.unlink(missing_ok=True)

    def _written(
        self, song: Song, gains: dict[str, float], key: float, tempo: float, form: str, mark: str
    ) -> pathlib.Path:
        if form not in FORMATS:
            raise UsageError(f"unknown format {form!r}; choose one of {', '.join(FORMATS)}")
        with self.library.making(f".{form}") as path:
            made = output_format(form)
            subtype = made.subtype_for(f"PCM_{song.bits}", None)
            rate, channels = song.sample_rate, song.channels
            with Sink(
                path,
                made,
                sample_rate=rate,
                channels=channels,
                subtype=subtype,
                bitrate=BITRATE,
                layout=song.layout,
            ) as sink:
                shift = KeyTempo(channels, rate, key, tempo) if key or tempo != 100 else None
                for block in self._mixed(song, gains):
                    sink.write(block if shift is None else shift.push(block))
                if shift is not None:
                    sink.write(shift.flush())
                sink.finish()
            self._write_tags(song, path, mark)
            return path

    def _write_tags(self, song: Song, path: pathlib.Path, mark: str) -> None:
        original = self.library.original(song)
        write_tags(path, read_tags(original).marked(mark, pathlib.PurePath(song.name).stem))

    def _stems(self, song: Song) -> Iterator[tuple[np.ndarray, ...]]:
        both = (blocks(self.library.stem(song, stem), song.channels, song.bits) for stem in STEMS)
        return zip(*both, strict=True)

    def _mixed(self, song: Song, gains: dict[str, float]) -> Iterator[np.ndarray]:
        for vocals, accompaniment in self._stems(song):
            yield vocals * np.float32(gains["vocals"]) + accompaniment * np.float32(gains["accompaniment"])


def file_name(song: Song) -> str:
    """Return a song's name without suffix, safe as part of a file's name on any system."""
    bare = pathlib.PurePath(song.name).stem
    return "".join("_" if letter in '<>:"/\\|?*' else letter for letter in bare).strip(" .") or "song"
