"""A sound on disk, of which any excerpt can be read."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np

from ..audio.decoding import open_source
from ..audio.sndfile import libsndfile_path, wave_order
from ..errors import AudioError

EVERYTHING = 1 << 62
# The last page of Vorbis is truncated to the length of the song; libsndfile returns wrong samples after a seek into it.
OGG_TAIL = 1 << 15
STEPS = np.float32(1 << 15)


@dataclasses.dataclass(frozen=True)
class Clip:
    """Description of a sound on disk, without its samples; it can be pickled.

    Parameters
    ----------
    path : pathlib.Path
    sample_rate : int
        Hz.
    channels : int
    samples : int
        Samples per channel, as declared by the file.
    stream : int
        Index of the audio stream in the file.
    seekable : bool
        Whether the file is seekable; otherwise everything before an excerpt is decoded too.
    gain : float
        Factor by which the file's samples are multiplied.
    original : pathlib.Path, optional
        The user's file, if `path` is a copy of it.
    lossy : bool
        Whether the file is an MP3, AAC, Ogg or the like. Its samples are rounded to 16 bits, as musdb reads them.
    """

    path: pathlib.Path
    sample_rate: int
    channels: int
    samples: int
    stream: int = 0
    seekable: bool = True
    gain: float = 1.0
    original: pathlib.Path | None = None
    lossy: bool = False

    @property
    def user_path(self) -> pathlib.Path:
        """The user's file, even if a copy is read."""
        return self.original or self.path

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.samples / self.sample_rate

    def read(self, start: int = 0, samples: int | None = None) -> np.ndarray:
        """Read an excerpt.

        Parameters
        ----------
        start : int
            First sample.
        samples : int, optional
            Number of samples; past the end there is silence. By default all that follow, which in a lossy file can be
            a few more than it declares.

        Returns
        -------
        ndarray (channels, samples), float32

        Raises
        ------
        AudioError
            The file is missing or damaged.
        """
        count = EVERYTHING if samples is None else samples
        try:
            part = self._seek(start, count) if self.seekable else self._decode(start, count)
        except AudioError as error:
            raise type(error)(error.reason, path=self.user_path, hint=error.hint) from None
        if part.shape[0] != self.channels:
            raise AudioError("has changed since it was opened", path=self.user_path, hint="run the command again")
        excerpt = np.zeros((self.channels, part.shape[1] if samples is None else samples), np.float32)
        excerpt[:, : part.shape[1]] = part * np.float32(self.gain)
        if self.lossy:
            # Lossy codecs leave digital silence above their cut-off, and BSS Eval cannot fit filters to stems that all
            # lack the same band: without the noise of rounding, its ISR, SIR and SAR are wrong by many dB.
            excerpt = np.rint(excerpt * STEPS) / STEPS
        if not np.isfinite(excerpt).all():
            raise AudioError("holds NaN or infinite samples", path=self.user_path, hint="repair it, or leave it out")
        return excerpt

    def _seek(self, start: int, count: int) -> np.ndarray:
        import soundfile

        try:
            with soundfile.SoundFile(libsndfile_path(self.path)) as file:
                # Otherwise, a truncated file would be read as silence, or as a shorter song.
                if file.frames < self.samples:
                    raise AudioError(f"is damaged: it ends at {file.frames} of {self.samples} samples")
                if start >= file.frames:
                    return np.zeros((file.channels, 0), np.float32)
                expected = min(count, file.frames - start)
                position = min(start, max(0, file.frames - OGG_TAIL)) if file.format == "OGG" else start
                file.seek(position)
                part = file.read(start - position + expected, dtype="float32", always_2d=True).T[:, start - position :]
                order = wave_order(file.format, file.channels)
                part = part if order is None else part[order]
        except (soundfile.LibsndfileError, OSError) as error:
            raise AudioError(f"cannot be read ({str(error).rstrip('.')})") from None
        if part.shape[1] < expected:
            raise AudioError("is damaged: it ends before its declared length")
        return part

    def _decode(self, start: int, count: int) -> np.ndarray:
        parts: list[np.ndarray] = []
        position = 0
        with open_source(self.path, stream=self.stream) as source:
            channels = source.info.channels
            for block in source.blocks():
                part = block[:, max(0, start - position) : max(0, start + count - position)]
                if part.shape[1]:
                    parts.append(part.astype(np.float32))
                position += block.shape[1]
                if position >= start + count:
                    break
        return np.concatenate(parts, axis=1) if parts else np.zeros((channels, 0), np.float32)


def open_clip(path: pathlib.Path, stream: int = 0) -> Clip:
    """Describe a sound on disk; if its file does not declare its length, it is decoded to measure it.

    Raises
    ------
    AudioError
        The file is missing, empty or not audio.
    """
    try:
        with open_source(path, stream=stream) as source:
            info = source.info
            samples = info.samples
            if source.seekable:
                # A truncated song is an error, not a shorter song.
                samples = max(samples or 0, source.header_samples)
            elif samples is None or info.length_tolerance_s == float("inf"):
                samples = sum(block.shape[1] for block in source.blocks())
            return Clip(
                path=path,
                sample_rate=info.sample_rate,
                channels=info.channels,
                samples=samples,
                stream=stream,
                seekable=source.seekable,
                lossy=info.lossy,
            )
    except AudioError as error:
        raise error.about(path) from None
