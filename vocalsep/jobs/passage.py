"""A passage of a song: where it starts and how long it is."""

from __future__ import annotations

import dataclasses
import math
import re

from ..errors import UsageError

# Hours and minutes may be left out; only the last number may have decimals.
CLOCK = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)", re.ASCII)


@dataclasses.dataclass(frozen=True)
class Passage:
    """A part of a song that is wanted.

    Parameters
    ----------
    start : float
        Seconds from the song's start.
    duration : float or None
        Seconds; None for all that follows.

    Raises
    ------
    UsageError
        There is no such passage in any song.
    """

    start: float = 0.0
    duration: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and self.start >= 0):
            raise UsageError(f"a passage starts at 0 s or later, not at {self.start:g}")
        if self.duration is not None and not (math.isfinite(self.duration) and self.duration > 0):
            raise UsageError(f"a passage lasts longer than 0 s, not {self.duration:g}")

    def samples(self, sample_rate: int) -> tuple[int, int | None]:
        """Return its first sample and that behind its last, None for the song's end."""
        first = round(self.start * sample_rate)
        return first, None if self.duration is None else first + max(1, round(self.duration * sample_rate))


def seconds(text: str) -> float:
    """Understand a time: seconds such as ``83.5``, or ``1:23.5`` and ``1:02:03``; raises UsageError."""
    found = CLOCK.fullmatch(text.strip())
    hours, minutes, rest = (float(part or 0) for part in found.groups()) if found else (0.0, 0.0, math.nan)
    carried = found is not None and ((found[1] and minutes >= 60) or (found[2] and rest >= 60))
    total = 3600 * hours + 60 * minutes + rest
    if carried or not math.isfinite(total):
        raise UsageError(f"{text!r} is no time; write it as 83.5 or as 1:23.5")
    return total
