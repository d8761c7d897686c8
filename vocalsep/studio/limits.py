"""What a studio accepts from its visitors."""

from __future__ import annotations

import dataclasses

from ..errors import UsageError
from .error_messages import Code, RequestRefused, StudioError


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds on uploads and on the queue.

    Parameters
    ----------
    max_upload_bytes : int
        Largest file.
    max_minutes : float
        Longest song.
    max_queued : int
        Most songs that wait at once.
    idle_timeout_s : float
        Longest pause within an upload, in seconds.

    Raises
    ------
    UsageError
        A limit is not above 0.
    """

    max_upload_bytes: int = 1_000_000_000
    max_minutes: float = 120.0
    max_queued: int = 200
    idle_timeout_s: float = 30.0

    def __post_init__(self) -> None:
        for name, value in (("the largest upload", self.max_upload_bytes), ("the longest song", self.max_minutes)):
            if not value > 0:
                raise UsageError(f"{name} must be above 0")

    @property
    def too_large(self) -> RequestRefused:
        """The error for a file that is too large."""
        return RequestRefused(Code.FILE_TOO_LARGE, megabytes=f"{self.max_upload_bytes / 1e6:.0f}")

    @property
    def too_long(self) -> StudioError:
        """The error for a song that is too long."""
        return StudioError(Code.SONG_TOO_LONG, minutes=f"{self.max_minutes:g}")
