"""Plot spectrograms and scores."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..dsp.front_end import FrontEndConfig
from ..dsp.streaming_stft import Stft
from ..system.plotting import new_figure, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .methods import ReferenceTrack
    from .results import TrackResult

N_FFT = 2048
HOP = N_FFT // 4
# Samples that are transformed at a time.
BLOCK = 1 << 20
LEAST = 1e-5
RANGE_DB = 80.0
# Plots of tracks show this many seconds from the middle.
SHOWN_S = 20.0
COLUMNS = 900
COLOURS = ("#30638e", "#d1495b", "#edae49", "#00798c", "#7f6a93", "#8c8c8c", "#4c956c", "#b56576")


def spectrograms(panels: Mapping[str, np.ndarray | tuple[str, str]], sample_rate: int, start_s: float = 0.0) -> Figure:
    """Draw magnitudes under each other, and masks.

    Parameters
    ----------
    panels : mapping of ndarray (channels, samples), or of pairs of str
        Sounds by title, the mixture first. A pair of titles stands for a mask: the share of the second sound's
        magnitudes that the first has.
    sample_rate : int
        Hz.
    start_s : float
        Time in seconds at which the sounds begin.
    """
    # Not librosa's STFT: numba compiles what it needs for 20 s when it is first used.
    import librosa.display

    sounds = {title: panel for title, panel in panels.items() if not isinstance(panel, tuple)}
    samples = next(iter(sounds.values())).shape[-1]
    joined = max(1, -(-samples // (COLUMNS * HOP)))
    magnitudes = {title: _magnitude(sound, joined) for title, sound in sounds.items()}
    loudest = next(iter(magnitudes.values())).max(initial=LEAST)
    figure = new_figure(10, 2.1 * len(panels))
    for axes, (title, panel) in zip(
        np.atleast_1d(figure.subplots(len(panels), 1, sharex=True)), panels.items(), strict=True
    ):
        if isinstance(panel, tuple):
            part, whole = (magnitudes[sound] for sound in panel)
            shown = np.clip(np.divide(part, whole, out=np.zeros_like(part), where=whole > loudest * 1e-5), 0, 1)
            scale: dict[str, Any] = {"cmap": "viridis", "vmin": 0, "vmax": 1}
            number_format = "%.1f"
        else:
            shown = 20 * np.log10(np.maximum(magnitudes[title], LEAST) / loudest)
            scale = {"cmap": "magma", "vmin": -RANGE_DB, "vmax": 0}
            number_format = "%+.0f dB"
        image = librosa.display.specshow(
            shown, sr=sample_rate, hop_length=joined * HOP, n_fft=N_FFT, x_axis="time", y_axis="log", ax=axes, **scale
        )
        axes.set(title=title, ylabel="Hz")
        axes.label_outer()
        figure.colorbar(image, ax=axes, format=number_format)
    if start_s:
        axes.set_xlabel(f"time from {start_s:.1f} s")
    return figure


def save_track_plot(path: pathlib.Path, track: ReferenceTrack, estimate: np.ndarray, name: str) -> None:
    """Draw mixture, estimate, truth and mask of one track; raises OutputError."""
    total = track.mixture.shape[1]
    length = min(total, round(SHOWN_S * track.sample_rate))
    start = (total - length) // 2
    cut = slice(start, start + length)
    estimated = f"vocals, {name}"
    figure = spectrograms(
        {
            "mixture": track.mixture[:, cut],
            estimated: estimate[:, cut],
            "true vocals": track.vocals[:, cut],
            f"mask, {name}": (estimated, "mixture"),
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


def _magnitude(sound: np.ndarray, joined: int) -> np.ndarray:
    """Return the magnitude (bins, columns) of all channels' mean power: in each column the loudest of `joined` frames.

    The middle of frame ``t`` is at sample ``t * HOP``.
    """
    channels, samples = sound.shape
    transform = Stft(FrontEndConfig(n_fft=N_FFT, hop=HOP, bins=1), channels)
    powers = [_power(transform.push(block)) for block in np.split(sound, range(BLOCK, samples, BLOCK), axis=1)]
    powers.append(_power(transform.flush()))
    # The middle of the first frame lies a hop before the first sample.
    power = np.concatenate(powers, axis=1)[:, 1 : samples // HOP + 2]
    padded = np.pad(power, ((0, 0), (0, -power.shape[1] % joined)))
    magnitude: np.ndarray = np.sqrt(padded.reshape(len(power), -1, joined).max(axis=2))
    return magnitude


def _power(spectrum: np.ndarray) -> np.ndarray:
    power: np.ndarray = (np.abs(spectrum) ** 2).mean(axis=0)
    return power
