"""Gaps in the timestamps of a stream of sound."""

from __future__ import annotations

# Timestamps are rounded to a millisecond, and to more by some encoders; what is lost is a frame or more.
JITTER_S = 0.01
FRAME_SHARE = 0.75
# A longer gap is no pause but a new clock, as where transport streams were joined: nobody wants hours of silence.
LONGEST_GAP_S = 600.0


class Timeline:
    """Compares the times that frames of sound bear with the sound that has come so far.

    A step back, or one ahead of more than `LONGEST_GAP_S`, is a clock that begins anew.

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
        self._ended = 0.0

    def gap_before(self, time_s: float | None, seconds: float) -> float:
        """Take the next frame and return how many seconds of sound are missing before it.

        Parameters
        ----------
        time_s : float or None
            When the frame begins; None where it does not say.
        seconds : float
            How long it is.
        """
        if time_s is None:
            if self._due is not None:
                self._due += seconds
                self._ended += seconds
            return 0.0
        late = 0.0 if self._due is None else time_s - self._due
        step = late if self._due is None else time_s - self._ended
        least = max(JITTER_S, FRAME_SHARE * seconds)
        missing = 0.0
        if least < late < LONGEST_GAP_S and step > JITTER_S:
            missing = late
            self.gaps += 1
            self.filled_s += missing
        # A clock that runs a little faster than the sound leaves no gap: only a step of its own does.
        anew = self._due is None or missing or abs(late) > least
        self._due = seconds + (time_s if anew or self._due is None else self._due)
        self._ended = time_s + seconds
        return missing
