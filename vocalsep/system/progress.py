"""Progress bars that changes of the system clock cannot stop or mislead."""

from __future__ import annotations

import time
from typing import Any

from tqdm import tqdm


class Bar(tqdm):  # type: ignore[misc]
    """`tqdm.tqdm` whose times stay right when the system clock is changed.

    Otherwise a bar stands still for a day after a step back of a day, and shows a day for a song after a step ahead.
    """

    def __init__(self, *arguments: Any, **options: Any):
        self.clock_offset = _clock_offset()
        super().__init__(*arguments, **options)

    def update(self, n: float | None = 1) -> bool | None:
        """Count `n` more items, and draw the bar if it was not drawn lately."""
        self._follow_clock()
        return super().update(n)

    @property
    def format_dict(self) -> dict[str, Any]:
        """What is drawn, as `tqdm.format_dict`."""
        self._follow_clock()
        return super().format_dict

    def _follow_clock(self) -> None:
        """Move the times of the start and of the last drawing by as much as the clock was set."""
        offset = _clock_offset()
        if not self.disable and hasattr(self, "start_t"):
            self.start_t += offset - self.clock_offset
            self.last_print_t += offset - self.clock_offset
        self.clock_offset = offset


def _clock_offset() -> float:
    """Return the difference of the system clock and the monotonic clock in seconds."""
    return time.time() - time.monotonic()
