"""Plot spectrograms and scores."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..system.plotting import new_figure, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .methods import ReferenceTrack
    from .results import TrackResult

N_FFT = 2048
RANGE_DB = 80.0
# Plots of tracks show this many seconds from the middle.
SHOWN_S = 20.0
COLUMNS = 900
COLOURS = ("#30638e", "#d1495b", "#edae49", "#00798c", "#7f6a93", "#8c8c8c", "#4c956c", "#b56576")


def spectrograms(panels: Mapping[str, np.ndarray], sample_rate: int, start_s: float = 0.0) -> Figure:
    """Draw magnitudes under each other, and masks.

    Parameters
    ----------
    panels : mapping of ndarray (channels, samples)
        Sounds by title. One called ``mask`` holds a pair of sounds instead, (2, channels, samples): the share of the
        second that the first is.
    sample_rate : int
        Hz.
    start_s : float
        Time in seconds at which the sounds begin.
    """
    import librosa
    import librosa.display

    first = next(sound for title, sound in panels.items() if not title.startswith("mask"))
    hop = max(N_FFT // 4, -(-first.shape[-1] // COLUMNS))
    loudest = _magnitude(first, hop).max(initial=1e-9)
    figure = new_figure(10, 2.1 * len(panels))
    for axes, (title, sound) in zip(
        np.atleast_1d(figure.subplots(len(panels), 1, sharex=True)), panels.items(), strict=True
    ):
        if title.startswith("mask"):
            part, whole = (_magnitude(each, hop) for each in sound)
            shown = np.clip(np.divide(part, whole, out=np.zeros_like(part), where=whole > loudest * 1e-5), 0, 1)
            scale: dict[str, Any] = {"cmap": "viridis", "vmin": 0, "vmax": 1}
        else:
            shown = librosa.amplitude_to_db(_magnitude(sound, hop), ref=loudest, top_db=None)
            scale = {"cmap": "magma", "vmin": -RANGE_DB, "vmax": 0}
        image = librosa.display.specshow(
            shown, sr=sample_rate, hop_length=hop, n_fft=N_FFT, x_axis="time", y_axis="log", ax=axes, **scale
        )
        axes.set(title=title, ylabel="Hz")
        axes.label_outer()
        figure.colorbar(image, ax=axes, format="%.1f" if title.startswith("mask") else "%+.0f dB")
    if start_s:
        axes.set_xlabel(f"time from {start_s:.1f} s")
    return figure


def save_track_plot(path: pathlib.Path, track: ReferenceTrack, estimate: np.ndarray, name: str) -> None:
    """Draw mixture, estimate, truth and mask of one track; raises OutputError."""
    total = track.mixture.shape[1]
    length = min(total, round(SHOWN_S * track.sample_rate))
    start = (total - length) // 2
    cut = slice(start, start + length)
    figure = spectrograms(
        {
            "mixture": track.mixture[:, cut],
            f"vocals, {name}": estimate[:, cut],
            "vocals, truth": track.vocals[:, cut],
            f"mask, {name}": np.stack([estimate[:, cut], track.mixture[:, cut]]),
        },
        track.sample_rate,
        start / track.sample_rate,
    )
    save(figure, path, overwrite=True)


def boxplots(results: Sequence[TrackResult], figure_name: str) -> Figure:
    """Draw the spread of one figure over tracks, a box for each row, vocals and accompaniment side by side."""
    rows = list(dict.fromkeys(row for result in results for row in result.scores))
    figure = new_figure(10, 1.2 + 0.36 * len(rows))
    for axes, stem in zip(figure.subplots(1, 2), ("vocals", "accompaniment"), strict=True):
        values = [
            [value for result in results if (value := _value(result, row, stem, figure_name)) is not None]
            for row in rows
        ]
        boxes = axes.boxplot(values, orientation="horizontal", patch_artist=True, widths=0.6)
        for place, box in enumerate(boxes["boxes"]):
            box.set(facecolor=COLOURS[place % len(COLOURS)], alpha=0.7)
        for line in boxes["medians"]:
            line.set(color="black")
        axes.set(yticks=range(1, len(rows) + 1), yticklabels=rows, xlabel=f"{figure_name} in dB", title=stem)
        axes.invert_yaxis()
        axes.grid(axis="x", alpha=0.3)
        axes.label_outer()
    return figure


def _value(result: TrackResult, row: str, stem: str, name: str) -> float | None:
    value = result.scores.get(row, {}).get(stem, {}).get(name, math.nan)
    return value if math.isfinite(value) else None


def _magnitude(sound: np.ndarray, hop: int) -> np.ndarray:
    """Return the magnitude (bins, frames) of all channels' mean power; of a long hop, its loudest part."""
    import librosa

    fine = min(hop, N_FFT // 4)
    power = np.mean([np.abs(librosa.stft(channel, n_fft=N_FFT, hop_length=fine)) ** 2 for channel in sound], axis=0)
    joined = -(-hop // fine)
    if joined > 1:
        frames = -(-power.shape[1] // joined) * joined
        padded = np.pad(power, ((0, 0), (0, frames - power.shape[1])))
        power = padded.reshape(power.shape[0], -1, joined).max(axis=2)
    magnitude: np.ndarray = np.sqrt(power)
    return magnitude
