"""Sort songs whose stems a teacher estimated, before a network is trained on them.

    python examples/screen_labels.py LABELS OUT [--model default] [--quietest-db -25] [--agreement-db 0]

LABELS holds a folder for each song, with its vocals and accompaniment. The script writes links: OUT/songs/NAME/ for
songs with singing, OUT/instrumentals/NAME.* (the accompaniment) where the teacher found no vocals, and neither where
another model's vocals have nothing in common with the teacher's. OUT/labels.tsv says what was measured of each song, in
dB: the level of the teacher's vocals against the mixture, and the uSDR of the model's vocals with the teacher's as
reference.
"""

import argparse
import pathlib
import sys

import numpy as np

from vocalsep import Separator, VocalsepError
from vocalsep.datasets.songs import Song
from vocalsep.datasets.stems import find_songs
from vocalsep.dsp.metrics import usdr

STEMS = ("vocals", "accompaniment")


def measure(song: Song, separator: Separator) -> tuple[float, float]:
    """Return the level of the vocals against the mixture, and how far the separator agrees with them, in dB."""
    vocals, accompaniment = song.stems(STEMS, 0, song.samples)
    mixture = vocals + accompaniment
    level_db = 10 * np.log10((np.square(vocals).sum() + 1e-12) / (np.square(mixture).sum() + 1e-12))
    return float(level_db), usdr(vocals, separator.separate(mixture, song.sample_rate).vocals)


def link(target: pathlib.Path, source: pathlib.Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.symlink_to(source.resolve())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labels", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--model", default="default", help="the model that the teacher is compared with [default]")
    parser.add_argument("--quietest-db", type=float, default=-25, help="level from which on there is singing [-25]")
    parser.add_argument("--agreement-db", type=float, default=0, help="least agreement of model and teacher [0]")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    separator = Separator(args.model)
    counts = {"songs": 0, "instrumentals": 0, "dropped": 0}
    with (args.out / "labels.tsv").open("w", encoding="utf-8") as table:
        print("song", "kind", "level_db", "agreement_db", sep="\t", file=table)
        for song in find_songs(args.labels, lambda line: print(line, file=sys.stderr)):
            try:
                level_db, agreement_db = measure(song, separator)
            except VocalsepError as error:
                print(error, file=sys.stderr)
                continue
            kind = "songs" if agreement_db >= args.agreement_db else "dropped"
            if level_db < args.quietest_db:
                kind = "instrumentals"
            counts[kind] += 1
            for file in (clip.user_path for clip in song.clips):
                if kind == "songs":
                    link(args.out / kind / song.name / file.name, file)
                elif kind == "instrumentals" and file.stem == "accompaniment":
                    link(args.out / kind / f"{song.name}{file.suffix}", file)
            print(song.name, kind, f"{level_db:.1f}", f"{agreement_db:.1f}", sep="\t", file=table, flush=True)
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))


if __name__ == "__main__":
    main()
