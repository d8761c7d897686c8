#!/usr/bin/env python3
"""Pack training data into parts that are small enough to send to a machine with a GPU.

    python pack.py OUT --stems FOLDER... --musdb FOLDER --voices FOLDER... --instrumentals FOLDER...
        --valid-stems FOLDER...

Writes OUT/part-00.tar, part-01.tar, ... of at most --megabytes each, and OUT/valid.tar. Each holds Ogg Opus files and
an index.json. Sounds are shuffled, so that the first part alone is a small training set of all kinds. train.py beside
this script reads them.

All sounds are brought to 44.1 kHz and stored as if their rate were 48 kHz, the rate of Opus: a decoder then gives back
the same samples without resampling. Solo voices, which are recorded dry, get a random room and doubling here.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import pathlib
import sys
import tarfile
import tempfile
from collections.abc import Iterator

import numpy as np
import soxr
from tqdm import tqdm

from vocalsep.audio.formats import FORMATS
from vocalsep.audio.sink import Sink
from vocalsep.datasets.clips import Clip, open_clip
from vocalsep.datasets.pools import Collector
from vocalsep.datasets.songs import Song
from vocalsep.errors import VocalsepError
from vocalsep.mixing.rooms import double, reverberate

RATE, STORED_RATE = 44100, 48000
LONGEST_S = 300.0
# A peak above full scale would be cut off by decoders to integers.
HEADROOM = 0.89


# The name of its folder, and the item.
Items = list[tuple[str, Song | Clip]]


@dataclasses.dataclass
class Sound:
    """What one entry of a part holds: its stems are files ``NAME.STEM.opus``."""

    name: str
    kind: str
    band: float
    stems: dict[str, np.ndarray]


def sounds(kind: str, items: Items, seed: int) -> Iterator[Sound]:
    """Read all items at 44.1 kHz, in a random order; long ones are divided into several sounds."""
    rng = np.random.default_rng(seed)
    excerpts = [
        (folder, item, start)
        for folder, item in items
        for start in range(0, item.samples, round(LONGEST_S * item.sample_rate))
        if item.samples - start > item.sample_rate
    ]
    for index in rng.permutation(len(excerpts)):
        folder, item, start = excerpts[index]
        length = min(item.samples - start, round(LONGEST_S * item.sample_rate))
        try:
            if isinstance(item, Song):
                stems = {stem: item.read(stem, start, length) for stem in ("vocals", "accompaniment")}
            else:
                stems = {"vocals" if kind == "voice" else "accompaniment": item.read(start, length)}
        except VocalsepError as error:
            print(error, file=sys.stderr)
            continue
        name = f"{folder}/{item.name if isinstance(item, Song) else item.user_path.name}"
        rate = item.sample_rate
        if rate != RATE:
            stems = {stem: soxr.resample(sound.T, rate, RATE).T for stem, sound in stems.items()}
        if kind == "voice":
            stems = {"vocals": produced(stems["vocals"], rng)}
        peak = max(float(np.abs(sound).max(initial=0)) for sound in stems.values())
        if peak > HEADROOM:
            stems = {stem: sound * (HEADROOM / peak) for stem, sound in stems.items()}
        yield Sound(name, kind, min(rate, RATE) / 2, stems)


def produced(voice: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a dry voice (channels, samples) in stereo, mostly with a room and doubling."""
    voice = voice if voice.shape[0] == 2 else np.repeat(voice[:1], 2, axis=0)
    if rng.random() < 0.25:
        voice = double(voice, RATE, rng)
    return reverberate(voice, RATE, rng) if rng.random() < 0.7 else voice


def opus(sound: np.ndarray, bits_per_second: int, folder: pathlib.Path) -> bytes:
    """Encode (channels, samples); `bits_per_second` are those of stereo."""
    path = folder / "sound.opus"
    form = FORMATS["opus"]
    with Sink(
        path, form, sample_rate=STORED_RATE, channels=sound.shape[0], subtype=None, bitrate=bits_per_second
    ) as sink:
        sink.write(sound)
        sink.finish()
    return path.read_bytes()


class Packer:
    """Writes sounds to parts; a part that would become too large is closed, and the next one begins."""

    def __init__(self, out: pathlib.Path, name: str, most_bytes: float):
        self.out, self.name, self.most_bytes = out, name, most_bytes
        self.files: dict[str, bytes] = {}
        self.index: list[dict[str, object]] = []
        self.parts = 0

    def add(self, sound: Sound, encoded: dict[str, bytes]) -> None:
        """Add a sound with its encoded stems."""
        size = sum(len(data) for data in encoded.values())
        if self.index and sum(map(len, self.files.values())) + size > self.most_bytes:
            self.close()
        number = len(self.index)
        self.files |= {f"{number:05}.{stem}.opus": data for stem, data in encoded.items()}
        stems = {stem: part.shape[1] for stem, part in sound.stems.items()}
        self.index.append({"name": sound.name, "kind": sound.kind, "band": sound.band, "samples": stems})

    def close(self) -> None:
        """Write the part."""
        if not self.index:
            return
        path = self.out / self.name.format(self.parts)
        with tarfile.open(path, "w") as tar:
            for name, data in {"index.json": json.dumps(self.index).encode(), **self.files}.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
        print(f"{path}: {len(self.index)} sounds, {path.stat().st_size / 1e6:.1f} MB")
        self.files, self.index, self.parts = {}, [], self.parts + 1


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    for kind in ("stems", "musdb", "voices", "instrumentals", "valid-stems"):
        parser.add_argument(f"--{kind}", nargs="*", default=[], metavar="FOLDER")
    parser.add_argument("--exclude", nargs="*", default=[], metavar="PATTERN")
    parser.add_argument("--bitrate", type=int, default=80, help="kbit/s of a stereo sound [80]")
    parser.add_argument("--megabytes", type=float, default=58, help="largest part [58]")
    parser.add_argument("--hours", type=float, default=4, help="most hours of voices and of instrumentals each [4]")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    collector = Collector(open_clip, args.exclude, lambda line: print(line, file=sys.stderr))

    def find(kind: str, folders: list[str], split: str | None = None) -> Items:
        return [
            (pathlib.Path(folder).resolve().name, item)
            for folder in folders
            for item in collector.items(kind, folder, split)
        ]

    songs = find("musdb", args.musdb, "train") + find("stems", args.stems)
    voices, music = find("voices", args.voices), find("instrumentals", args.instrumentals)
    collector.exclude = []
    validation = find("musdb", args.musdb, "valid") + find("stems", args.valid_stems)

    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)

        def encoded(sound: Sound) -> dict[str, bytes]:
            return {stem: opus(part, args.bitrate * 1000, folder) for stem, part in sound.stems.items()}

        valid = Packer(args.out, "valid.tar", float("inf"))
        for sound in tqdm(sounds("song", validation, args.seed), desc="validation", total=len(validation)):
            valid.add(sound, encoded(sound))
        valid.close()

        # Sources take turns in proportion to their number, so that all parts are alike.
        rng = np.random.default_rng(args.seed)
        sources = [("song", songs, float("inf")), ("voice", voices, args.hours), ("instrumental", music, args.hours)]
        streams = [(sounds(kind, items, args.seed), [len(items)], [hours]) for kind, items, hours in sources if items]
        packer = Packer(args.out, "part-{:02}.tar", args.megabytes * 1e6)
        with tqdm(desc="hours", unit_scale=1 / 3600 / RATE, unit="h") as bar:
            while streams:
                shares = np.array([max(1, count[0]) for _, count, _ in streams], float)
                index = int(rng.choice(len(streams), p=shares / shares.sum()))
                stream, count, hours = streams[index]
                sound = next(stream, None)
                if sound is None or hours[0] <= 0:
                    del streams[index]
                    continue
                length = max(part.shape[1] for part in sound.stems.values())
                count[0] -= 1
                hours[0] -= length / RATE / 3600
                packer.add(sound, encoded(sound))
                bar.update(length)
        packer.close()


if __name__ == "__main__":
    main()
