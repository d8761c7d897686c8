"""What a studio takes from its users."""

from __future__ import annotations

import dataclasses

from ..errors import UsageError


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds on what is uploaded.

    Parameters
    ----------
    upload_bytes : int
        Largest file.
    minutes : float
        Longest song.
    queue : int
        Most songs that wait at once.
    patience_s : float
        Longest pause within an upload, in seconds.
    """

    upload_bytes: int = 1_000_000_000
    minutes: float = 120.0
    queue: int = 200
    patience_s: float = 30.0

    def __post_init__(self) -> None:
        for name, value in (("--max-upload", self.upload_bytes), ("--max-minutes", self.minutes)):
            if not value > 0:
                raise UsageError(f"{name} must be above 0")
