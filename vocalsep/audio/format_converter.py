"""Bring sound of other rates and channels into one format, exactly as long in time."""

from __future__ import annotations

import numpy as np

from .layouts import DEFAULT_LAYOUTS
from .resample import Resampler
from .sink import interleaved_frame
from .source import SourceInfo


class FormatConverter:
    """Converts what follows a change of format amid a file to the format of its beginning.

    Parameters
    ----------
    info : SourceInfo
        The format of the beginning.
    layout : str
        Its channel layout, as FFmpeg names it.

    """

    def __init__(self, info: SourceInfo, layout: str):
        self.info = info
        self.layout = layout
        self._changes = 0
        self._first = ""
        self._format: tuple[int, int] = (info.sample_rate, info.channels)
        self._matrix: np.ndarray | None = None
        self._resampler: Resampler | None = None

    def push(self, block: np.ndarray, sample_rate: int, layout: str, at_s: float) -> list[np.ndarray]:
        """Take samples (channels, samples) that begin after `at_s` seconds; return what is ready, in the one format."""
        ready = []
        if (sample_rate, len(block)) != self._format:
            ready = self.flush()
            self._begin(sample_rate, len(block), layout, at_s)
        if self._matrix is not None:
            block = self._matrix.astype(block.dtype) @ block
        if self._resampler is not None:
            block = self._resampler.push(block)
        if self._matrix is not None or self._resampler is not None:
            block = self._bounded(block)
        return [*ready, block]

    def flush(self) -> list[np.ndarray]:
        """Return what the conversion of rate still holds."""
        if self._resampler is None:
            return []
        rest = self._bounded(self._resampler.flush())
        self._resampler = None
        return [rest]

    def remarks(self) -> list[str]:
        """Say when and how the format changed first, and how often it did."""
        if not self._changes:
            return []
        again = f" (the first of {self._changes} changes)" if self._changes > 1 else ""
        info = self.info
        wanted = f"{info.channels} channels" if info.channels > 1 else "one channel"
        return [f"changes from {self._first}{again}: all of it is brought to {info.sample_rate} Hz and {wanted}"]

    def _begin(self, sample_rate: int, channels: int, layout: str, at_s: float) -> None:
        info = self.info
        old_rate, old_channels = self._format
        if not self._changes:
            changed = [f"{old_rate} to {sample_rate} Hz"] if sample_rate != old_rate else []
            changed += [f"{old_channels} to {channels} channels"] if channels != old_channels else []
            self._first = f"{' and '.join(changed)} at {at_s:.1f} s"
        self._changes += 1
        self._format = (sample_rate, channels)
        self._matrix = (
            None if channels == info.channels else mixing_matrix(layout, channels, self.layout, info.channels)
        )
        if sample_rate != info.sample_rate:
            self._resampler = Resampler(info.channels, sample_rate, info.sample_rate)

    def _bounded(self, block: np.ndarray) -> np.ndarray:
        block = block.astype(np.float64 if self.info.wide else np.float32, copy=False)
        return np.clip(block, -1, 1) if self.info.bounded else block


def mixing_matrix(layout: str, channels: int, target: str, target_channels: int) -> np.ndarray:
    """Return the matrix (target channels, channels) that mixes one layout to another as FFmpeg does.

    Never louder than full scale where the channels are not, and a single channel keeps its level.
    """
    import av

    def mixed(source: str, wanted: str) -> np.ndarray:
        # Each channel by itself, at full scale.
        frame = interleaved_frame(np.eye(channels), source, 48000, 0)
        resampler = av.AudioResampler(format="flt", layout=wanted)
        parts = [part.to_ndarray() for part in resampler.resample(frame)]
        return np.concatenate(parts, axis=1).reshape(-1, target_channels).T

    try:
        matrix = mixed(layout, target)
    except (ValueError, av.error.FFmpegError):
        # Channels without names, or with names that FFmpeg cannot bring together.
        matrix = mixed(DEFAULT_LAYOUTS[channels - 1], DEFAULT_LAYOUTS[target_channels - 1])
    scale = matrix.max() if channels == 1 else max(1.0, float(np.abs(matrix).sum(axis=1).max()))
    return matrix / scale if scale > 0 else matrix
