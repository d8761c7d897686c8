"""Results of one track, and the paths of its stored figures and plot."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import pathlib
from typing import Any

TRACKS = "tracks"


@dataclasses.dataclass(frozen=True)
class TrackResult:
    """All rows' figures for one track.

    Parameters
    ----------
    track : str
    seconds : float
        Its length, the weight of GNSDR.
    scores : dict
        By row, stem and figure, in dB.
    silent : tuple of str
        ReferenceTrack that are silent and have no score.
    error : str
        Why the track could not be scored, else empty.
    """

    track: str
    seconds: float
    scores: dict[str, dict[str, dict[str, float]]]
    silent: tuple[str, ...] = ()
    error: str = ""


def result_path(folder: pathlib.Path, track: str) -> pathlib.Path:
    """Where a track's figures are kept."""
    return folder / TRACKS / f"{_named(track)}.json"


def plot_path(folder: pathlib.Path, track: str) -> pathlib.Path:
    """Where a track's plot is kept."""
    return folder / TRACKS / f"{_named(track)}.webp"


def plain(value: Any) -> Any:
    """Return a value that strict JSON can hold: nan becomes null, infinity text."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value


def _named(track: str) -> str:
    return hashlib.sha256(track.encode("utf-8", "surrogateescape")).hexdigest()[:16]
