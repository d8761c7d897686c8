"""Sound files: what is decoded is finite, has the channels that were announced, and is no longer than it can be."""

from __future__ import annotations

import contextlib
import pathlib
import random

import numpy as np

from vocalsep.audio.decoding import has_video, open_source, peak
from vocalsep.audio.gap_detector import LONGEST_FILL_S
from vocalsep.audio.source import LOUDEST, MOST_CHANNELS, RATES_HZ, Source
from vocalsep.errors import AudioError, OutputError
from vocalsep.tags import Tags, read_tags, write_tags

from . import sounds
from .defect import expect
from .mutations import damaged, with_ogg_checksums

# The seeds last a tenth of a second; constant blocks of a lossless codec can make a few bytes rather long, and so can
# gaps that are filled with silence.
LONGEST_S = 2 * LONGEST_FILL_S
STREAMS = (0, 0, 0, 0, 0, 1, 2)
TAGGED = ("pcm16.wav", "pcm16.flac", "s.ogg", "s.opus", "s.mp3", "s.m4a")


class Audio:
    """See `watch.Harness`."""

    def __init__(self, seeds: pathlib.Path, place: pathlib.Path):
        self.seeds = sounds.make(seeds)
        self.names = sorted(self.seeds)
        self.place = place

    def attempt(self, random_: random.Random) -> None:
        """Damage a sound file and decode it, strictly and then with salvage, and read its tags."""
        name, other = random_.choice(self.names), random_.choice(self.names)
        data = damaged(self.seeds[name], self.seeds[other], random_)
        if data.startswith(b"OggS") and random_.random() < 0.7:
            data = with_ogg_checksums(data)
        suffix = pathlib.Path(random_.choice((name, name, name, other))).suffix
        path = self.place / f"song{suffix}"
        path.write_bytes(data)
        self._check_tags(read_tags(path), random_)
        stream = random_.choice(STREAMS)
        try:
            samples, loudest = _decoded(path, False, stream)
        except AudioError:
            # What cannot be decoded as it is may be salvaged; what cannot be opened will not open now either.
            with contextlib.suppress(AudioError):
                _decoded(path, True, stream)
            has_video(path)
            raise
        if random_.random() < 0.2:
            again, as_loud = _decoded(path, True, stream)
            expect((again, as_loud) == (samples, loudest), f"{again} samples with salvage, {samples} without it")
            if stream == 0:
                expect(peak(path) == loudest, "another peak than the samples have")

    def _check_tags(self, tags: Tags, random_: random.Random) -> None:
        """What was read of tags can be written to any format."""
        for values in tags.fields.values():
            expect(values and all(isinstance(value, str) and value for value in values), f"tags {tags.fields}")
        if tags.fields and random_.random() < 0.1:
            target = self.place / random_.choice(TAGGED)
            target.write_bytes(self.seeds[target.name])
            try:
                write_tags(target, tags.with_title_mark("vocals", "song"))
            except OutputError as error:
                expect(False, f"tags that were read cannot be written to {target.name}: {error}")
            expect(_decoded(target, False, 0)[0], f"tags broke {target.name}")


def _decoded(path: pathlib.Path, salvage: bool, stream: int) -> tuple[int, float]:
    """Decode a file, check each block, and return samples per channel and the largest of them."""
    with open_source(path, salvage, stream) as source:
        info = source.info
        expect(1 <= info.channels <= MOST_CHANNELS, f"{info.channels} channels")
        expect(RATES_HZ[0] <= info.sample_rate <= RATES_HZ[1], f"{info.sample_rate} Hz")
        expect(info.samples is None or info.samples >= 0, f"{info.samples} samples announced")
        loudest, samples = 0.0, 0
        for block in source.blocks():
            expect(block.shape[0] == info.channels and block.shape[1] > 0, f"a block of shape {block.shape}")
            expect(block.dtype == (np.float64 if info.wide else np.float32), f"samples of type {block.dtype}")
            expect(bool((np.abs(block) < LOUDEST).all()), "samples that are not finite")
            loudest = max(loudest, float(np.abs(block).max()))
            samples += block.shape[1]
            expect(samples <= LONGEST_S * info.sample_rate, f"more than {LONGEST_S} s of {path.stat().st_size} bytes")
        _check_length(source, samples)
        return samples, loudest


def _check_length(source: Source, samples: int) -> None:
    info = source.info
    expect(source.read == samples, f"{source.read} samples counted, {samples} given")
    expect(0 <= source.repaired <= samples * info.channels, f"{source.repaired} samples repaired")
    if info.samples is not None and not source.damaged and not source.remarks:
        expect(
            info.samples - samples <= info.length_tolerance_s * info.sample_rate,
            "shorter than announced, and no word of it",
        )
