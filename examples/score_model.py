#!/usr/bin/env python3
"""Score a model on validation songs that its training never heard.

    python examples/score_model.py --data ../shared/data [--model default]

Prints the mean uSDR (one ratio of energies a song, as in the Music Demixing Challenge) of vocals and accompaniment,
for the unprocessed mixture and for the model: on MUSDB18's own 14 validation songs (7-second excerpts), on one full
song, and on two MIR-1K singers mixed at 0 dB. The mixture is always the sum of the true stems.
"""

import argparse
import pathlib

import librosa
import numpy as np
from train_first_model import RATE, musdb_songs, read_stems

from vocalsep import Separator


def usdr(truth, estimate):
    """Signal-to-distortion ratio of a whole song in dB."""
    return 10 * np.log10((np.sum(truth**2) + 1e-7) / (np.sum((truth - estimate) ** 2) + 1e-7))


def musdb(data):
    for path in musdb_songs(data)[1]:
        song = read_stems(path)
        # read_stems halves the stems so that they fit 16 bits
        yield song.vocals.samples / 16384, song.accompaniment.samples / 16384, RATE


def folders(paths):
    for folder in paths:
        rate = librosa.get_samplerate(folder / "vocals.ogg")
        stems = [librosa.load(folder / f"{s}.ogg", sr=None, mono=False)[0] for s in ("vocals", "accompaniment")]
        vocals, accompaniment = (np.atleast_2d(stem) for stem in stems)
        yield vocals, accompaniment, rate


def at_0_db(songs):
    for vocals, accompaniment, rate in songs:
        yield vocals * np.sqrt(np.mean(accompaniment**2) / np.mean(vocals**2)), accompaniment, rate


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--model", default="default")
    args = parser.parse_args()
    separator = Separator(args.model)
    sets = {
        "MUSDB18 validation": musdb(args.data),
        "7.Francium": folders([args.data / "everythingisfree" / "7.Francium"]),
        "MIR-1K validation": at_0_db(folders(sorted((args.data / "mir1k/valid").iterdir()))),
    }
    print(f"{'':<20} songs   mixture: vocals accomp.   {args.model}: vocals accomp.")
    for name, songs in sets.items():
        rows = []
        for vocals, accompaniment, rate in songs:
            mixture = (vocals + accompaniment).astype(np.float32)
            stems = separator.separate(mixture, rate)
            pairs = ((vocals, mixture), (accompaniment, mixture), (vocals, stems[0]), (accompaniment, stems[1]))
            rows.append([usdr(*pair) for pair in pairs])
        mean = np.mean(rows, axis=0)
        print(
            f"{name:<20} {len(rows):>5} {mean[0]:>17.2f} {mean[1]:>7.2f} {mean[2]:>18.2f} {mean[3]:>7.2f}", flush=True
        )


if __name__ == "__main__":
    main()
