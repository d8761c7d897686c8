"""Change the key and the tempo of a stream, independently of each other, with FFmpeg's filters (PyAV)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .layouts import DEFAULT_LAYOUTS
from .sink import interleaved_frame

SLOWEST_STEP = 0.5


class KeyTempo:
    """Transpose and stretch blocks of audio.

    The stream is played faster or slower to change its key, and stretched back by FFmpeg's `atempo` (waveform
    similarity overlap-add).

    Parameters
    ----------
    channels : int
    sample_rate : int
        Hz.
    key : float
        Semitones up or down, -12 to 12.
    tempo : float
        Percent of the original tempo, 50 to 200.
    """

    def __init__(self, channels: int, sample_rate: int, key: float, tempo: float):
        import av.filter

        self.sample_rate = sample_rate
        self.tempo = tempo
        self._layout = DEFAULT_LAYOUTS[channels - 1]
        played = round(sample_rate * 2 ** (key / 12))
        stretch = tempo / 100 * sample_rate / played
        steps: list[tuple[str, str]] = []
        if played != sample_rate:
            steps += [("asetrate", str(played)), ("aresample", str(sample_rate))]
        # atempo alone goes down to half speed
        while stretch < SLOWEST_STEP:
            steps.append(("atempo", str(SLOWEST_STEP)))
            stretch /= SLOWEST_STEP
        steps += [("atempo", f"{stretch:.9f}"), ("aformat", "sample_fmts=flt")]
        graph = av.filter.Graph()
        chain = [graph.add_abuffer(sample_rate=sample_rate, format="flt", layout=self._layout)]
        chain += [graph.add(name, argument) for name, argument in steps] + [graph.add("abuffersink")]
        for before, after in itertools.pairwise(chain):
            before.link_to(after)
        graph.configure()
        self._graph: Any = graph
        self._channels = channels
        self._samples_in = 0
        self._samples_out = 0

    def push(self, block: np.ndarray) -> np.ndarray:
        """Process a block (channels, samples); return the samples that are ready."""
        if block.shape[1] == 0:
            return np.zeros((self._channels, 0), np.float32)
        frame = interleaved_frame(block, self._layout, self.sample_rate, self._samples_in)
        self._samples_in += block.shape[1]
        self._graph.push(frame)
        return self._pull()

    def flush(self) -> np.ndarray:
        """Return the rest, cut or padded with zeros so that the total length follows from the tempo."""
        self._graph.push(None)
        rest = self._pull()
        missing = round(self._samples_in * 100 / self.tempo) - self._samples_out + rest.shape[1]
        rest = rest[:, : max(0, missing)]
        return np.pad(rest, ((0, 0), (0, max(0, missing - rest.shape[1]))))

    def _pull(self) -> np.ndarray:
        import av

        parts = [np.zeros((self._channels, 0), np.float32)]
        while True:
            try:
                parts.append(self._graph.pull().to_ndarray().reshape(-1, self._channels).T)
            except (av.error.BlockingIOError, av.error.EOFError):
                break
        out = np.concatenate(parts, axis=1)
        self._samples_out += out.shape[1]
        return out
