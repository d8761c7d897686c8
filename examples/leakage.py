"""How much a model finds where there is nothing to find.

    python examples/leakage.py --instrumentals FOLDER --voices FOLDER [--model default] [--seconds 60]

Of instrumental music the vocals should stay far below the mixture, of solo singing the accompaniment. Prints the mean
distance in dB over the files of each folder, and the nearest.
"""

import argparse
import pathlib

import numpy as np

from vocalsep import Separator
from vocalsep.datasets.stems import find_sounds


def distances_db(separator: Separator, folder: pathlib.Path, stem: str, seconds: float) -> list[float]:
    """Level of the mixture over that of a stem that should be silent, for the middle of each sound of a folder."""
    found = []
    for sound in find_sounds(folder):
        length = min(sound.samples, round(seconds * sound.sample_rate))
        mixture = sound.read((sound.samples - length) // 2, length)
        stray = getattr(separator.separate(mixture, sound.sample_rate), stem)
        if mixture.any():
            found.append(10 * np.log10(np.square(mixture).sum() / max(np.square(stray).sum(), 1e-12)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instrumentals", type=pathlib.Path, nargs="*", default=[])
    parser.add_argument("--voices", type=pathlib.Path, nargs="*", default=[])
    parser.add_argument("--model", default="default")
    parser.add_argument("--seconds", type=float, default=60.0, help="most of each file, from its middle")
    args = parser.parse_args()
    separator = Separator(args.model)
    for folders, stem in ((args.instrumentals, "vocals"), (args.voices, "accompaniment")):
        for folder in folders:
            found = distances_db(separator, folder, stem, args.seconds)
            spread = f"mean of {len(found)}, nearest {min(found):.1f}"
            print(f"{folder}: {stem} {np.mean(found):.1f} dB below the mixture ({spread})")


if __name__ == "__main__":
    main()
