"""Convert sound whose rate or channels change within a file to one format, at the same duration."""

from __future__ import annotations

import numpy as np

from .layouts import DEFAULT_LAYOUTS
from .resample import Resampler
from .sink import interleaved_frame
from .source import SourceInfo


class FormatConverter:
    """Convert sound after a change of format within a file to the format of its beginning.

    Parameters
    ----------
    info : SourceInfo
        Format of the beginning.
    layout : str
        Its channel layout, by FFmpeg's name.
    """

    def __init__(self, info: SourceInfo, layout: str):
        self.info = info
        self.layout = layout
        self._changes = 0
        self._first = ""
        self._format: tuple[int, int] = (info.sample_rate, info.channels)
        self._matrix: np.ndarray | None = None
        self._resampler: Resampler | None = None

    def push(self, block: np.ndarray, sample_rate: int, layout: str, time_s: float) -> list[np.ndarray]:
        """Convert a block (channels, samples) that starts at `time_s` seconds; return the blocks that are ready."""
        ready = []
        if (sample_rate, len(block)) != self._format:
            ready = self.flush()
            self._change_format(sample_rate, len(block), layout, time_s)
        if self._matrix is not None:
            block = self._matrix.astype(block.dtype) @ block
        if self._resampler is not None:
            block = self._resampler.push(block)
        if self._matrix is not None or self._resampler is not None:
            block = self._clipped(block)
        return [*ready, block]

    def flush(self) -> list[np.ndarray]:
        """Return samples that the conversion of the rate still buffers."""
        if self._resampler is None:
            return []
        rest = self._clipped(self._resampler.flush())
        self._resampler = None
        return [rest]

    def remarks(self) -> list[str]:
        """Describe the first change of format and the number of changes; empty without any."""
        if not self._changes:
            return []
        count = f" (the first of {self._changes} changes)" if self._changes > 1 else ""
        info = self.info
        target = f"{info.channels} channels" if info.channels > 1 else "one channel"
        return [f"changes from {self._first}{count}: all of it is brought to {info.sample_rate} Hz and {target}"]

    def _change_format(self, sample_rate: int, channels: int, layout: str, time_s: float) -> None:
        info = self.info
        old_rate, old_channels = self._format
        if not self._changes:
            changed = [f"{old_rate} to {sample_rate} Hz"] if sample_rate != old_rate else []
            changed += [f"{old_channels} to {channels} channels"] if channels != old_channels else []
            self._first = f"{' and '.join(changed)} at {time_s:.1f} s"
        self._changes += 1
        self._format = (sample_rate, channels)
        self._matrix = (
            None if channels == info.channels else mixing_matrix(layout, channels, self.layout, info.channels)
        )
        if sample_rate != info.sample_rate:
            self._resampler = Resampler(info.channels, sample_rate, info.sample_rate)

    def _clipped(self, block: np.ndarray) -> np.ndarray:
        block = block.astype(np.float64 if self.info.wide else np.float32, copy=False)
        return np.clip(block, -1, 1) if self.info.bounded else block


def mixing_matrix(layout: str, channels: int, target: str, target_channels: int) -> np.ndarray:
    """Return the matrix (target channels, channels) with which FFmpeg mixes one layout to another.

    It is scaled so that the result stays within full scale, and a single channel keeps its level.
    """
    import av

    def mixed(source: str, mixed_layout: str) -> np.ndarray:
        # One channel at full scale at a time.
        frame = interleaved_frame(np.eye(channels), source, 48000, 0)
        resampler = av.AudioResampler(format="flt", layout=mixed_layout)
        parts = [part.to_ndarray() for part in resampler.resample(frame)]
        return np.concatenate(parts, axis=1).reshape(-1, target_channels).T

    try:
        matrix = mixed(layout, target)
    except (ValueError, av.error.FFmpegError):
        # The layouts are unknown, or FFmpeg cannot mix them.
        matrix = mixed(DEFAULT_LAYOUTS[channels - 1], DEFAULT_LAYOUTS[target_channels - 1])
    scale = matrix.max() if channels == 1 else max(1.0, float(np.abs(matrix).sum(axis=1).max()))
    return matrix / scale if scale > 0 else matrix
