"""Scores of songs that are set in at many places of the network's time grid, so that chance counts for less.

    python examples/grid.py --musdb MUSDB18 --split valid --model default [--model other.safetensors] [--shifts 8]
    python examples/grid.py --stems FOLDER --spleeter ../shared/peers/spleeter.py --model default

A network with strides meets a song differently when it begins a few frames later, which moves a short song's score by
up to a dB. Each song is heard once for each place, after as much silence; its scores are means over all of them. Prints
in dB, for vocals / accompaniment, means over songs of uSDR and of the median second's SDR (as BSS Eval v4), and against
the first line the mean difference with its standard error.
"""

import argparse
import pathlib

import numpy as np
from spleeter_estimates import RATE, load_spleeter, separate, take_songs, tracks

from vocalsep import Separator
from vocalsep.dsp.metrics import usdr

HOP = 1024
GRID = 64  # frames


def median_seconds(references: np.ndarray, estimates: np.ndarray, sample_rate: int) -> np.ndarray:
    """Median SDR in dB of each source over whole seconds in which none is silent; (sources, channels, samples)."""
    found = []
    for at in range(0, references.shape[2] - sample_rate + 1, sample_rate):
        true, made = (each[:, :, at : at + sample_rate] for each in (references, estimates))
        ratios = [usdr(*pair) for pair in zip(true, made, strict=True)]
        if np.isfinite(ratios).all() and made.any(axis=(1, 2)).all():
            found.append(ratios)
    return np.median(found, axis=0) if found else np.full(len(references), np.nan)


def scores(method, track, shifts: int) -> np.ndarray:
    """Mean over places of (uSDR, median second) x (vocals, accompaniment), in dB."""
    references = np.stack([track.vocals, track.accompaniment])
    found = []
    for shift in range(shifts):
        silence = round(shift * GRID / shifts * HOP * track.sample_rate / RATE)
        mixture = np.pad(track.mixture, ((0, 0), (silence, 0)))
        vocals = method(mixture, track.sample_rate)[:, silence:]
        estimates = np.stack([vocals, track.mixture - vocals])
        whole = [usdr(*pair) for pair in zip(references, estimates, strict=True)]
        found.append([whole, median_seconds(references, estimates, track.sample_rate)])
    return np.mean(found, axis=0)


def line(name: str, found: np.ndarray, first: np.ndarray | None) -> str:
    """One method's line; `found` is (songs, 2 measures, 2 stems)."""
    said = []
    for measure, title in enumerate(("uSDR", "median second")):
        vocals, accompaniment = np.nanmean(found[:, measure], axis=0)
        said.append(f"{title} {vocals:.2f} / {accompaniment:.2f}")
        if first is not None:
            parts = []
            for better in (found[:, measure] - first[:, measure]).T:
                parts.append(f"{np.nanmean(better):+.2f}")
                if np.isfinite(better).sum() > 1:
                    parts[-1] += f" ({np.nanstd(better, ddof=1) / np.sqrt(np.isfinite(better).sum()):.2f})"
            said[-1] += f", better by {' / '.join(parts)}"
    return f"{name}: {'; '.join(said)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    take_songs(parser)
    parser.add_argument("--spleeter", type=pathlib.Path, help="as examples/spleeter_estimates.py takes it; first line")
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--shifts", type=int, default=8)
    args = parser.parse_args()
    methods = {}
    if args.spleeter:
        spleeter, networks = load_spleeter(args.spleeter)
        methods["Spleeter"] = lambda mixture, rate: separate(spleeter, networks, mixture, rate)
    for model in args.model:
        separator = Separator(model)
        methods[model] = lambda mixture, rate, by=separator: by.separate(mixture, rate).vocals
    found = {name: [] for name in methods}
    for track in tracks(args):
        for name, method in methods.items():
            found[name].append(scores(method, track, args.shifts))
    first = None
    for name, each in found.items():
        print(line(name, np.array(each), first))
        first = np.array(each) if first is None else first


if __name__ == "__main__":
    main()
