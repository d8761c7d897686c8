"""Gaps in the timestamps of a stream of sound."""

from __future__ import annotations

# Timestamps are rounded to a millisecond, and to more by some encoders; what is lost is a frame or more.
JITTER_S = 0.01
FRAME_SHARE = 0.75
# What goes beyond this in all is no pause but a new clock, as where transport streams were joined, or wrong times:
# nobody wants hours of silence.
LONGEST_FILL_S = 600.0


class GapDetector:
    """Compares the times that frames of sound bear with the sound that has come so far.

    A step back, or one ahead that would make more than `LONGEST_FILL_S` of gaps, is a clock that begins anew.

    Attributes
    ----------
    gaps : int
        Gaps so far.
    filled_s : float
        Their seconds in all.
    """

    def __init__(self) -> None:
        self.gaps = 0
        self.filled_s = 0.0
        self._due: float | None = None
        self._ended: float | None = None

    def gap_before(self, time_s: float | None, seconds: float, next_s: float | None) -> float:
        """Take the next frame and return how many seconds of sound are missing before it.

        Parameters
        ----------
        time_s : float or None
            When the frame begins; None where it does not say.
        seconds : float
            How long it is.
        next_s : float or None
            When the frame behind it begins: that tells a step from a single time that is wrong.
        """
        due = time_s if self._due is None else self._due
        if time_s is None or due is None:
            self._due = None if due is None else due + seconds
            return 0.0
        late = time_s - due
        stepped = 0.0 if self._ended is None else time_s - self._ended
        self._ended = time_s + seconds
        least = max(JITTER_S, FRAME_SHARE * seconds)
        ahead = 0.0 if next_s is None else next_s - self._ended
        if abs(late) <= least or (ahead < -least if late > 0 else ahead > least):
            self._due = due + seconds
            return 0.0
        self._due = self._ended
        # A clock that runs a little faster than the sound leaves no gap: only a step of its own does.
        if not (stepped > JITTER_S and 0 < late <= LONGEST_FILL_S - self.filled_s):
            return 0.0
        self.gaps += 1
        self.filled_s += late
        return late
