"""Files made of finished stems: mixes for download, archives, and stems in another key or tempo."""

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
from ..errors import UsageError
from ..tags import read_tags, write_tags
from .error_messages import write_error
from .library import Library, LibrarySong
from .stems import encode_pcm, read_blocks

FORMATS = ("wav", "flac", "mp3", "m4a")
BITRATE = 256_000
# Keys and tempos of one song that are kept at once.
MAX_VERSIONS = 4


class Exporter:
    """Writes files of a library's stems. All methods take a song that is done.

    Parameters
    ----------
    library : Library
    """

    def __init__(self, library: Library):
        self.library = library

    def mix(
        self, song: LibrarySong, vocals: float, accompaniment: float, key: float, tempo: float, format_name: str
    ) -> pathlib.Path:
        """Write a mix of both stems to a temporary file.

        Parameters
        ----------
        song : LibrarySong
        vocals, accompaniment : float
            Linear gains.
        key, tempo : float
            Semitones and percent.
        format_name : str
            One of `FORMATS`.

        Returns
        -------
        path : pathlib.Path

        Raises
        ------
        UsageError
            The format is unknown.
        AudioError
            The format cannot hold the song.
        OutputError
            The file cannot be written. DiskFullError where the disk is full.
        """
        gains = {"vocals": vocals, "accompaniment": accompaniment}
        try:
            return self._write_mix(song, gains, key, tempo, format_name, "Karaoke")
        except OSError as error:
            raise write_error("the mix cannot be written", error) from None

    def stem_file(self, song: LibrarySong) -> pathlib.Path:
        """Write the mixture and the stems to a temporary ``.stem.mp4`` and return its path; raises as `mix`."""
        try:
            with self.library.temporary_file(".mp4") as path:
                sink = StemSink(path, sample_rate=song.sample_rate, channels=song.channels, bitrate=BITRATE)
                try:
                    for stems in self._read_stems(song):
                        sink.write(dict(zip(STEMS, stems, strict=True)))
                    sink.finish()
                finally:
                    sink.abandon()
                self._write_tags(song, path, "")
                name_stems(path)
                return path
        except OSError as error:
            raise write_error("the stem file cannot be written", error) from None

    def archive(self, song: LibrarySong, format_name: str) -> pathlib.Path:
        """Write both stems to a temporary zip archive and return its path; raises as `mix`."""
        try:
            with self.library.temporary_file(".zip") as path:
                # Compression gains nothing on audio. Without strict timestamps a clock before 1980 is no error.
                with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
                    for stem in STEMS:
                        gains = {name: float(name == stem) for name in STEMS}
                        file = self._write_mix(song, gains, 0.0, 100.0, format_name, stem.capitalize())
                        try:
                            archive.write(file, f"{file_name(song)} - {stem}.{format_name}")
                        finally:
                            file.unlink(missing_ok=True)
                return path
        except OSError as error:
            raise write_error("the archive cannot be written", error) from None

    def version(self, song: LibrarySong, key: float, tempo: float) -> int:
        """Write both stems in another key and tempo, unless they exist.

        Parameters
        ----------
        song : LibrarySong
        key, tempo : float
            Semitones and percent.

        Returns
        -------
        samples : int
            Length per channel.

        Raises
        ------
        OutputError
            The stems cannot be read or written.
        """
        paths = [self.version_path(song, stem, key, tempo) for stem in STEMS]
        try:
            if not all(path.exists() for path in paths):
                for stem, path in zip(STEMS, paths, strict=True):
                    self._write_version(song, stem, key, tempo, path)
                self._delete_old_versions(song, keep=paths)
            return paths[0].stat().st_size // song.frame_bytes
        except OSError as error:
            raise write_error("the version cannot be written", error) from None

    def version_path(self, song: LibrarySong, stem: str, key: float, tempo: float) -> pathlib.Path:
        """Return the path of a stem in another key and tempo, whether it exists or not."""
        return self.library.song_folder(song) / f"{stem}_{key:+.2f}_{tempo:.1f}.pcm"

    def _write_version(self, song: LibrarySong, stem: str, key: float, tempo: float, path: pathlib.Path) -> None:
        shift = KeyTempo(song.channels, song.sample_rate, key, tempo)
        with self.library.temporary_file(".pcm") as temporary:
            with temporary.open("wb") as file:
                for block in read_blocks(self.library.stem(song, stem), song.channels, song.bits):
                    file.write(encode_pcm(shift.push(block), song.bits))
                file.write(encode_pcm(shift.flush(), song.bits))
            temporary.rename(path)

    def _delete_old_versions(self, song: LibrarySong, keep: list[pathlib.Path]) -> None:
        versions = []
        for path in self.library.song_folder(song).glob("*_*_*.pcm"):
            # Another request may be deleting at the same time.
            with contextlib.suppress(FileNotFoundError):
                versions.append((path.stat().st_mtime, path))
        others = sorted(version for version in versions if version[1] not in keep)
        for _, path in others[: -len(STEMS) * (MAX_VERSIONS - 1)]:
            path.unlink(missing_ok=True)

    def _write_mix(
        self, song: LibrarySong, gains: dict[str, float], key: float, tempo: float, format_name: str, title_mark: str
    ) -> pathlib.Path:
        if format_name not in FORMATS:
            raise UsageError(f"unknown format {format_name!r}; choose one of {', '.join(FORMATS)}")
        with self.library.temporary_file(f".{format_name}") as path:
            audio_format = output_format(format_name)
            with Sink(
                path,
                audio_format,
                sample_rate=song.sample_rate,
                channels=song.channels,
                subtype=audio_format.subtype_for(f"PCM_{song.bits}", None),
                bitrate=BITRATE,
                layout=song.layout,
            ) as sink:
                shift = KeyTempo(song.channels, song.sample_rate, key, tempo) if key or tempo != 100 else None
                for block in self._mix_stems(song, gains):
                    sink.write(block if shift is None else shift.push(block))
                if shift is not None:
                    sink.write(shift.flush())
                sink.finish()
            self._write_tags(song, path, title_mark)
            return path

    def _write_tags(self, song: LibrarySong, path: pathlib.Path, title_mark: str) -> None:
        original = self.library.original(song)
        write_tags(path, read_tags(original).with_title_mark(title_mark, pathlib.PurePath(song.name).stem))

    def _read_stems(self, song: LibrarySong) -> Iterator[tuple[np.ndarray, ...]]:
        stems = (read_blocks(self.library.stem(song, stem), song.channels, song.bits) for stem in STEMS)
        return zip(*stems, strict=True)

    def _mix_stems(self, song: LibrarySong, gains: dict[str, float]) -> Iterator[np.ndarray]:
        for vocals, accompaniment in self._read_stems(song):
            yield vocals * np.float32(gains["vocals"]) + accompaniment * np.float32(gains["accompaniment"])


def file_name(song: LibrarySong) -> str:
    """Return a song's name without suffix, safe as part of a file name on any system."""
    bare = pathlib.PurePath(song.name).stem
    return "".join("_" if letter in '<>:"/\\|?*' else letter for letter in bare).strip(" .") or "song"
