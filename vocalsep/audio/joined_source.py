"""Files that were joined to one, one after another: chained Ogg, and FLAC and WAV put together by ``cat``."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..errors import AudioError
from .format_converter import FormatConverter
from .layouts import DEFAULT_LAYOUTS
from .source import Source

# What the conversion of a rate may round off.
ROUNDED_S = 1e-3


class JoinedSource(Source):
    """The sound of several files in the format of the first; see `Source`.

    Parameters
    ----------
    sources : sequence of callable
        Each opens one of them.
    salvage : bool
    """

    def __init__(self, sources: Sequence[Callable[[], Source]], salvage: bool):
        self.current = sources[0]()
        self.sources = [sources[0]]
        info = self.current.info
        lengths = [info.duration]
        for opens in sources[1:]:
            with contextlib.suppress(AudioError), opens() as source:
                lengths.append(source.info.duration)
                self.sources.append(opens)
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
        conversion = FormatConverter(info, DEFAULT_LAYOUTS[info.channels - 1])
        ended_s = 0.0
        for number, opens in enumerate(self.sources):
            if number:
                self.current.close()
                self.current = opens()
            source = self.current
            for block in source.blocks():
                layout = DEFAULT_LAYOUTS[len(block) - 1]
                yield from conversion.push(block, source.info.sample_rate, layout, ended_s)
            ended_s += source.read / source.info.sample_rate
            self.repaired += source.repaired
            self.damaged = self.damaged or source.damaged
            self.remarks += source.remarks
        yield from conversion.flush()
        self.remarks += conversion.remarks()
