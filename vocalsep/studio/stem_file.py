"""A ``.stem.mp4``: the mixture and four stems as streams of one file, for DJ software and for musdb.

Native Instruments' Stem format: five AAC streams, the mixture first, and in ``moov/udta/stem`` a JSON text that names
them. Drums and bass are silent here; they are there because the format has four stems.
"""

from __future__ import annotations

import json
import pathlib
import secrets
import struct
from fractions import Fraction
from typing import Any

import numpy as np

from ..audio.formats import FORMATS
from ..audio.resample import Resampler
from ..audio.sink import LAYOUTS
from ..errors import AudioError, OutputError
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
    path = library.scratch / f"{secrets.token_hex(8)}.mp4"
    rate = FORMATS["m4a"].rate_for(song.sample_rate)
    whole = False
    try:
        with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
            _encode(container, library, song, rate)
        path.write_bytes(with_stem_names(path.read_bytes()))
        whole = True
        return path
    except (OSError, av.error.FFmpegError) as error:
        raise OutputError(f"the stem file cannot be written ({error.strerror or error})") from None
    finally:
        if not whole:
            path.unlink(missing_ok=True)


def _encode(container: Any, library: Library, song: Song, rate: int) -> None:
    streams = []
    for _ in range(1 + len(NAMES)):
        stream = container.add_stream("aac", rate=rate)
        stream.codec_context.layout = LAYOUTS[song.channels - 1]
        stream.codec_context.bit_rate = BITRATE * song.channels // 2
        stream.codec_context.time_base = Fraction(1, rate)
        streams.append(stream)
    resamplers = [Resampler(song.channels, song.sample_rate, rate) for _ in STEMS]
    written = 0
    both = (blocks(library.stem(song, stem), song.channels, song.bits) for stem in STEMS)
    for pair in (*zip(*both, strict=True), None):
        if pair is None:
            parts = [resampler.flush() for resampler in resamplers]
        else:
            parts = [resampler.push(part) for resampler, part in zip(resamplers, pair, strict=True)]
        vocals, accompaniment = parts
        if vocals.shape[1]:
            silence = np.zeros_like(vocals)
            sounds = (vocals + accompaniment, silence, silence, accompaniment, vocals)
            for stream, sound in zip(streams, sounds, strict=True):
                container.mux(stream.encode(_frame(sound, rate, written, stream)))
            written += vocals.shape[1]
    for stream in streams:
        container.mux(stream.encode(None))


def _frame(sound: np.ndarray, rate: int, at: int, stream: Any) -> Any:
    import av

    samples = np.ascontiguousarray(sound, np.float32)
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=stream.codec_context.layout.name)
    frame.sample_rate = rate
    frame.time_base = Fraction(1, rate)
    frame.pts = at
    return frame


def with_stem_names(data: bytes) -> bytes:
    """Return an MP4 whose ``moov`` comes last with the names of its stems added; nothing before it moves."""
    said = {
        "version": 1,
        "mastering_dsp": DYNAMICS,
        "stems": [{"name": name.capitalize(), "color": colour} for name, colour in NAMES],
    }
    text = json.dumps(said).encode()
    stem = struct.pack(">I4s", len(text) + 8, b"stem") + text
    start, size = _box(data, 0, len(data), b"moov")
    if start + size != len(data):
        raise OutputError("the stem file's index is not at its end")
    found = _find(data, start + 8, start + size, b"udta")
    if found is None:
        added = struct.pack(">I4s", len(stem) + 8, b"udta") + stem
        return _grown(data, start, size, len(added)) + added
    place, inner = found
    grown = bytearray(_grown(data, start, size, len(stem)))
    grown[place : place + 4] = struct.pack(">I", inner + len(stem))
    grown[place + inner : place + inner] = stem
    return bytes(grown)


def _grown(data: bytes, start: int, size: int, by: int) -> bytes:
    return data[:start] + struct.pack(">I", size + by) + data[start + 4 :]


def _box(data: bytes, start: int, stop: int, kind: bytes) -> tuple[int, int]:
    found = _find(data, start, stop, kind)
    if found is None:
        raise OutputError("the stem file has no index")
    return found


def _find(data: bytes, start: int, stop: int, kind: bytes) -> tuple[int, int] | None:
    """Return place and size of a box among those from `start` to `stop`."""
    while start + 8 <= stop:
        size = int.from_bytes(data[start : start + 4], "big")
        if size == 1:
            size = int.from_bytes(data[start + 8 : start + 16], "big")
        if data[start + 4 : start + 8] == kind:
            return start, size
        if size < 8:
            return None
        start += size
    return None
