"""Decode a file that consists of several audio files, as chained Ogg and files joined by ``cat``."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..errors import AudioError
from .format_converter import FormatConverter
from .layouts import DEFAULT_LAYOUTS
from .source import Source

# Rounding of a conversion of the rate, in seconds.
ROUNDED_S = 1e-3


class JoinedSource(Source):
    """Decode several files one after another, in the format of the first; see `Source`.

    Parameters
    ----------
    sources : sequence of callable
        Functions that open one file each.
    salvage : bool
    """

    def __init__(self, sources: Sequence[Callable[[], Source]], salvage: bool):
        self.current = sources[0]()
        self.sources = [sources[0]]
        info = self.current.info
        lengths = [info.duration]
        for open_file in sources[1:]:
            with contextlib.suppress(AudioError), open_file() as source:
                lengths.append(source.info.duration)
                self.sources.append(open_file)
        self.unreadable = len(sources) - len(self.sources)
        seconds = None if None in lengths else sum(length for length in lengths if length is not None)
        length_tolerance_s = len(sources) * (info.length_tolerance_s + ROUNDED_S)
        samples = None if seconds is None else round(seconds * info.sample_rate)
        super().__init__(dataclasses.replace(info, samples=samples, length_tolerance_s=length_tolerance_s), salvage)

    def close(self) -> None:
        """Close the file that is being read."""
        self.current.close()

    def _decoded(self) -> Iterator[np.ndarray]:
        info = self.info
        if self.unreadable:
            self._damage(f"{self.unreadable} of the {len(self.sources) + self.unreadable} files in it cannot be opened")
        converter = FormatConverter(info, DEFAULT_LAYOUTS[info.channels - 1])
        position_s = 0.0
        for number, open_file in enumerate(self.sources):
            if number:
                self.current.close()
                self.current = open_file()
            source = self.current
            for block in source.blocks():
                layout = DEFAULT_LAYOUTS[len(block) - 1]
                yield from converter.push(block, source.info.sample_rate, layout, position_s)
            position_s += source.read / source.info.sample_rate
            self.repaired += source.repaired
            self.damaged = self.damaged or source.damaged
            self.remarks += source.remarks
        yield from converter.flush()
        self.remarks += converter.remarks()
