"""A part of a song, by its start and duration."""

from __future__ import annotations

import dataclasses
import math
import re

from ..errors import UsageError

# Hours and minutes are optional; only the last number may have decimals.
CLOCK_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)", re.ASCII)


@dataclasses.dataclass(frozen=True)
class TimeRange:
    """A part of a song; by default all of it.

    Parameters
    ----------
    start : float
        Seconds from the start of the song.
    duration : float or None
        Seconds; None for the rest of the song.

    Raises
    ------
    UsageError
        The start is negative, or the duration is not positive.
    """

    start: float = 0.0
    duration: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and self.start >= 0):
            raise UsageError(f"a start is 0 s or later, not {self.start:g} s")
        if self.duration is not None and not (math.isfinite(self.duration) and self.duration > 0):
            raise UsageError(f"a duration is longer than 0 s, not {self.duration:g} s")

    def samples(self, sample_rate: int) -> tuple[int, int | None]:
        """Return the indices of the first sample and of the one after the last, None for the end of the song."""
        first = round(self.start * sample_rate)
        return first, None if self.duration is None else first + max(1, round(self.duration * sample_rate))


def parse_time(text: str) -> float:
    """Return a time in seconds, from text such as ``83.5``, ``1:23.5`` or ``1:02:03``; raises UsageError."""
    match = CLOCK_TIME.fullmatch(text.strip())
    hours, minutes, seconds = (float(part or 0) for part in match.groups()) if match else (0.0, 0.0, math.nan)
    too_large = match is not None and ((match[1] and minutes >= 60) or (match[2] and seconds >= 60))
    total = 3600 * hours + 60 * minutes + seconds
    if too_large or not math.isfinite(total):
        raise UsageError(f"{text!r} is not a time; write it as 83.5 or as 1:23.5")
    return total
