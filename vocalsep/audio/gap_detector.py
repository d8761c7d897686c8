"""Detect gaps in the timestamps of an audio stream."""

from __future__ import annotations

# Timestamps are rounded to a millisecond or more; a real gap is nearly a frame long or longer.
JITTER_S = 0.01
FRAME_SHARE = 0.75
# Gaps beyond this total are wrong timestamps, or a clock that restarts, as in joined transport streams.
LONGEST_FILL_S = 600.0


class GapDetector:
    """Compare the timestamps of audio frames with the duration of the sound before them.

    A step backwards, or one forwards beyond `LONGEST_FILL_S` of gaps in all, is a restart of the clock and no gap.

    Attributes
    ----------
    gaps : int
        Number of gaps so far.
    filled_s : float
        Their total duration in seconds.
    """

    def __init__(self) -> None:
        self.gaps = 0
        self.filled_s = 0.0
        self._expected_s: float | None = None
        self._end_s: float | None = None

    def gap_before(self, time_s: float | None, seconds: float, next_s: float | None) -> float:
        """Return how many seconds of sound are missing before the next frame.

        Parameters
        ----------
        time_s : float or None
            Timestamp of the frame; None without one.
        seconds : float
            Duration of the frame.
        next_s : float or None
            Timestamp of the frame after it, which distinguishes a step from a single wrong timestamp.
        """
        expected_s = time_s if self._expected_s is None else self._expected_s
        if time_s is None or expected_s is None:
            self._expected_s = None if expected_s is None else expected_s + seconds
            return 0.0
        delay_s = time_s - expected_s
        step_s = 0.0 if self._end_s is None else time_s - self._end_s
        self._end_s = time_s + seconds
        threshold_s = max(JITTER_S, FRAME_SHARE * seconds)
        next_step_s = 0.0 if next_s is None else next_s - self._end_s
        if abs(delay_s) <= threshold_s or (next_step_s < -threshold_s if delay_s > 0 else next_step_s > threshold_s):
            self._expected_s = expected_s + seconds
            return 0.0
        self._expected_s = self._end_s
        # A clock that drifts from the sound makes no gap: only a step does.
        if not (step_s > JITTER_S and 0 < delay_s <= LONGEST_FILL_S - self.filled_s):
            return 0.0
        self.gaps += 1
        self.filled_s += delay_s
        return delay_s
