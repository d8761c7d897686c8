"""Progress bars that changes of the system clock cannot stop or mislead."""

from __future__ import annotations

import time
from typing import Any

from tqdm import tqdm


class Bar(tqdm):  # type: ignore[misc]
    """`tqdm.tqdm` on the monotonic clock.

    By the system clock, a bar stands still for a day after a step back of a day, and shows a day for a song after a
    step ahead.
    """

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self._time = time.monotonic
        if not self.disable:
            self.start_t = self.last_print_t = time.monotonic()
