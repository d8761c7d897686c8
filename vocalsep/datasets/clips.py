"""One sound on disk, from which any excerpt can be read."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np

from ..audio.decoding import open_source
from ..audio.sndfile import libsndfile_path, wave_order
from ..errors import AudioError

EVERYTHING = 1 << 62
# Vorbis ends in a page that is cut to the song's length; libsndfile gives other samples where it seeks into that page.
OGG_TAIL = 1 << 15
STEPS = np.float32(1 << 15)


@dataclasses.dataclass(frozen=True)
class Clip:
    """A sound on disk. It holds no samples and can be pickled.

    Parameters
    ----------
    path : pathlib.Path
    sample_rate : int
        Hz.
    channels : int
    samples : int
        Samples per channel, as the file announces.
    stream : int
        Which audio stream of the file.
    seekable : bool
        Whether the file can be read from the middle; otherwise everything before an excerpt is decoded too.
    gain : float
        Factor on the file's samples.
    original : pathlib.Path, optional
        The user's own file, where `path` is a copy of it.
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
    def named(self) -> pathlib.Path:
        """The file as the user knows it."""
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
            How many; past the end there is silence. By default all that follow, which in a lossy file can be a few
            more than it announces.

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
            # The user knows the original, not the copy of it that is read.
            error.path = str(self.named)
            raise
        if part.shape[0] != self.channels:
            raise AudioError(f"{self.named}: has changed since it was found; run the command again")
        excerpt = np.zeros((self.channels, part.shape[1] if samples is None else samples), np.float32)
        excerpt[:, : part.shape[1]] = part * np.float32(self.gain)
        if self.lossy:
            # A decoder leaves digital silence above its cut-off, and BSS Eval cannot fit filters to stems that all
            # lack the same band: without the noise of rounding its ISR, SIR and SAR are wrong by many dB.
            excerpt = np.rint(excerpt * STEPS) / STEPS
        if not np.isfinite(excerpt).all():
            raise AudioError(f"{self.named}: holds NaN or infinite samples; mend it, or leave it out")
        return excerpt

    def _seek(self, start: int, count: int) -> np.ndarray:
        import soundfile

        try:
            with soundfile.SoundFile(libsndfile_path(self.path)) as file:
                # Whoever took its end away would else be heard as silence, or as a shorter song.
                if file.frames < self.samples:
                    raise AudioError(f"is damaged: it ends at {file.frames} of {self.samples} samples")
                if start >= file.frames:
                    return np.zeros((file.channels, 0), np.float32)
                expected = min(count, file.frames - start)
                place = min(start, max(0, file.frames - OGG_TAIL)) if file.format == "OGG" else start
                file.seek(place)
                part = file.read(start - place + expected, dtype="float32", always_2d=True).T[:, start - place :]
                order = wave_order(file.format, file.channels)
                part = part if order is None else part[order]
        except (soundfile.LibsndfileError, OSError) as error:
            raise AudioError(f"cannot be read ({str(error).rstrip('.')})") from None
        if part.shape[1] < expected:
            raise AudioError("is damaged: it ends before its announced length")
        return part

    def _decode(self, start: int, count: int) -> np.ndarray:
        kept: list[np.ndarray] = []
        at = 0
        with open_source(self.path, stream=self.stream) as source:
            channels = source.info.channels
            for block in source.blocks():
                wanted = block[:, max(0, start - at) : max(0, start + count - at)]
                if wanted.shape[1]:
                    kept.append(wanted.astype(np.float32))
                at += block.shape[1]
                if at >= start + count:
                    break
        return np.concatenate(kept, axis=1) if kept else np.zeros((channels, 0), np.float32)


def open_clip(path: pathlib.Path, stream: int = 0) -> Clip:
    """Describe a sound on disk; a length that its file does not announce is found by decoding it.

    Raises
    ------
    AudioError
        The file is missing, empty or no audio; the message begins with its path.
    """
    try:
        with open_source(path, stream=stream) as source:
            info = source.info
            samples = info.samples
            if source.seekable:
                # A song whose end is missing is neither learnt from nor scored as a shorter one.
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
