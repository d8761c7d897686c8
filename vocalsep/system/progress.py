"""Progress bars that no change of the machine's clock can stop or mislead."""

from __future__ import annotations

import time
from typing import Any

from tqdm import tqdm


class Bar(tqdm):  # type: ignore[misc]
    """`tqdm.tqdm` by a clock that only goes forward.

    By the wall's, a bar stands still for a day after a step back of a day, and after one ahead a song has taken a day.
    """

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self._time = time.monotonic
        if not self.disable:
            self.start_t = self.last_print_t = time.monotonic()
