"""A ``.stem.mp4``: the mixture and four stems as streams of one file, for DJ software and for musdb.

Native Instruments' Stem format: five AAC streams, the mixture first, and in ``moov/udta/stem`` a JSON text that names
them. Drums and bass are silent here; they are there because the format has four stems.
"""

from __future__ import annotations

import itertools
import json
import pathlib
import struct
from typing import Any

import numpy as np

from ..audio.container import QuietFile
from ..audio.formats import FORMATS
from ..audio.resample import Resampler
from ..audio.sink import audio_frame, audio_stream
from ..errors import AudioError, OutputError
from ..outputs import reason
from .library import Library, Song
from .stems import STEMS, blocks

BITRATE = 256_000
NAMES = (("drums", "#8c8c8c"), ("bass", "#7f6a93"), ("accompaniment", "#30638e"), ("vocals", "#d1495b"))
DYNAMICS = {
    "compressor": {
        "enabled": False,
        "input_gain": 0.0,
        "output_gain": 0.0,
        "threshold": 0.0,
        "dry_wet": 0,
        "attack": 0.003,
        "release": 0.3,
        "ratio": 2.0,
        "hp_cutoff": 20,
    },
    "limiter": {"enabled": False, "threshold": 0.0, "ceiling": 0.0, "release": 0.05},
}


def write_stem_file(library: Library, song: Song) -> pathlib.Path:
    """Write a finished song as a stem file and return its temporary file.

    Raises
    ------
    AudioError
        The song has more than two channels.
    OutputError
        The disk is full.
    """
    import av

    if song.channels > 2:
        raise AudioError(f"a stem file holds stereo, not {song.channels} channels")
    rate = FORMATS["m4a"].rate_for(song.sample_rate)
    try:
        with library.making(".mp4") as path:
            # A file that FFmpeg opens itself stays open, and its room taken, where the disk is full.
            with path.open("wb") as file:
                quiet = QuietFile(file)
                with av.open(quiet, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
                    _encode(container, library, song, rate)
                if quiet.error is not None:
                    raise quiet.error
            add_stem_names(path)
            return path
    except (OSError, av.error.FFmpegError) as error:
        raise OutputError(f"the stem file cannot be written: {reason(error)}") from None


def _encode(container: Any, library: Library, song: Song, rate: int) -> None:
    bitrate = BITRATE * song.channels // 2
    streams = [audio_stream(container, "aac", rate, song.channels, bitrate) for _ in range(1 + len(NAMES))]
    resamplers = [Resampler(song.channels, song.sample_rate, rate) for _ in STEMS]
    written = 0
    both = (blocks(library.stem(song, stem), song.channels, song.bits) for stem in STEMS)
    for pair in itertools.chain(zip(*both, strict=True), [None]):
        if pair is None:
            parts = [resampler.flush() for resampler in resamplers]
        else:
            parts = [resampler.push(part) for resampler, part in zip(resamplers, pair, strict=True)]
        vocals, accompaniment = parts
        if vocals.shape[1]:
            silence = np.zeros_like(vocals)
            sounds = (vocals + accompaniment, silence, silence, accompaniment, vocals)
            for stream, sound in zip(streams, sounds, strict=True):
                container.mux(stream.encode(audio_frame(stream, sound, written)))
            written += vocals.shape[1]
    for stream in streams:
        container.mux(stream.encode(None))


def add_stem_names(path: pathlib.Path) -> None:
    """Add the names of its stems to an MP4 whose ``moov`` comes last; nothing before that moves.

    Raises
    ------
    OutputError
        It has no ``moov``, or something follows it.
    """
    with path.open("r+b") as file:
        end = path.stat().st_size
        at = 0
        while at + 8 <= end:
            file.seek(at)
            size, kind = struct.unpack(">I4s", file.read(8))
            if size == 1:
                size = int.from_bytes(file.read(8), "big")
            if kind == b"moov" and at + size == end:
                file.seek(at)
                index = file.read(size)
                file.seek(at)
                file.write(_with_names(index))
                return
            if size < 8:
                break
            at += size
    raise OutputError("the stem file's index is not at its end")


def _with_names(index: bytes) -> bytes:
    """Return a ``moov`` box with the stems' names in its ``udta``."""
    said = {
        "version": 1,
        "mastering_dsp": DYNAMICS,
        "stems": [{"name": name.capitalize(), "color": colour} for name, colour in NAMES],
    }
    stem = _box(b"stem", json.dumps(said).encode())
    inner = index[8:]
    at = 0
    while at + 8 <= len(inner):
        size, kind = struct.unpack(">I4s", inner[at : at + 8])
        if kind == b"udta":
            user = _box(b"udta", inner[at + 8 : at + size] + stem)
            return _box(b"moov", inner[:at] + user + inner[at + size :])
        if size < 8:
            break
        at += size
    return _box(b"moov", inner + _box(b"udta", stem))


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content
