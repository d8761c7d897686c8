"""Write ``.stem.mp4`` files: the mixture and four stems as streams of one file, for DJ software and for musdb.

Native Instruments' Stem format: five AAC streams, the mixture first, and in ``moov/udta/stem`` a JSON text that names
them. The format requires four stems: drums and bass are silent unless the model separates them.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import OutputError
from .container import AvioFile
from .formats import FORMATS
from .resample import Resampler
from .sink import audio_frame, audio_stream, write_error

STEM_FILE = FORMATS["stem.mp4"].name
DRUMS, BASS, ACCOMPANIMENT, VOCALS = "drums", "bass", "accompaniment", "vocals"
# What the accompaniment is called without the drums or the bass.
OTHER = "other"
NAMES = (DRUMS, BASS, ACCOMPANIMENT, VOCALS)
COLOURS = ("#8c8c8c", "#7f6a93", "#30638e", "#d1495b")
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


class StemSink:
    """Encode stems to a stem file; used like `Sink`.

    Parameters
    ----------
    path : pathlib.Path
    sample_rate : int
        Hz; a rate that AAC does not support is written at its next.
    channels : int
    bitrate : int
        Bits per second of each stream, for stereo.
    instruments : sequence of str
        Stems that are written besides vocals and accompaniment, if ``drums`` or ``bass``.

    Attributes
    ----------
    names : tuple of str
        Names of the four stems.

    Raises
    ------
    AudioError
        There are more than two channels.
    OutputError
        The file cannot be created or written.
    """

    def __init__(
        self, path: pathlib.Path, *, sample_rate: int, channels: int, bitrate: int, instruments: Sequence[str] = ()
    ):
        import av

        form = FORMATS[STEM_FILE]
        form.map_channels(channels)
        rate = form.rate_for(sample_rate)
        self.path = path
        self._written = 0
        self._open = True
        apart = [name for name in (DRUMS, BASS) if name in instruments]
        self.names = (DRUMS, BASS, OTHER if apart else ACCOMPANIMENT, VOCALS)
        self._resamplers = {name: Resampler(channels, sample_rate, rate) for name in (VOCALS, ACCOMPANIMENT, *apart)}
        try:
            # FFmpeg would not close a file that it opened itself on a full disk.
            self._file = path.open("wb")
            self._avio = AvioFile(self._file)
            options = {"fflags": "+bitexact"}
            self._container: Any = av.open(self._avio, "w", format=form.container, options=options)
            self._streams = [
                audio_stream(self._container, form.codec, rate, channels, bitrate * channels // 2)
                for _ in range(1 + len(NAMES))
            ]
        except Exception as error:
            raise write_error(path, error) from None

    def write(self, stems: Mapping[str, np.ndarray]) -> None:
        """Append (channels, samples) of each stem, full scale at +-1."""
        self._write({name: resampler.push(stems[name]) for name, resampler in self._resamplers.items()})

    def finish(self) -> None:
        """Write buffered samples and close the file. The stems have no names yet, see `name_stems`."""
        self._write({name: resampler.flush() for name, resampler in self._resamplers.items()})
        try:
            for stream in self._streams:
                self._container.mux(stream.encode(None))
            self._open = False
            self._container.close()
            if self._avio.error is not None:
                raise self._avio.error
            self._file.close()
        except Exception as error:
            raise write_error(self.path, error) from None

    def abandon(self) -> None:
        """Close the incomplete file; after `finish` this does nothing."""
        import av

        if self._open:
            self._open = False
            with contextlib.suppress(av.error.FFmpegError, OSError):
                self._container.close()
        with contextlib.suppress(OSError):
            self._file.close()

    def _write(self, stems: Mapping[str, np.ndarray]) -> None:
        vocals, accompaniment = stems[VOCALS], stems[ACCOMPANIMENT]
        if vocals.shape[1] == 0:
            return
        silence = np.zeros_like(vocals)
        drums, bass = (stems.get(name, silence) for name in (DRUMS, BASS))
        sounds = (vocals + accompaniment, drums, bass, accompaniment - drums - bass, vocals)
        try:
            for stream, sound in zip(self._streams, sounds, strict=True):
                self._container.mux(stream.encode(audio_frame(stream, sound, self._written)))
        except Exception as error:
            raise write_error(self.path, error) from None
        self._written += vocals.shape[1]


def name_stems(path: pathlib.Path, names: Sequence[str] = NAMES) -> None:
    """Add the names of the four stems to a finished stem file, as its last change.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    try:
        _add_names(path, names)
    except OSError as error:
        raise write_error(path, error) from None


def _add_names(path: pathlib.Path, names: Sequence[str]) -> None:
    """Add the names to an MP4 whose ``moov`` box is the last; everything before it stays in place."""
    with path.open("r+b") as file:
        end = path.stat().st_size
        offset = 0
        while offset + 8 <= end:
            file.seek(offset)
            size, kind = struct.unpack(">I4s", file.read(8))
            if size == 1:
                size = int.from_bytes(file.read(8), "big")
            if kind == b"moov" and offset + size == end:
                file.seek(offset)
                index = file.read(size)
                file.seek(offset)
                file.write(_with_names(index, names))
                return
            if size < 8:
                break
            offset += size
    raise OutputError("the stem file's index is not at its end", path=path)


def _with_names(index: bytes, names: Sequence[str]) -> bytes:
    """Return a ``moov`` box with the stems' names in its ``udta``."""
    metadata = {
        "version": 1,
        "mastering_dsp": DYNAMICS,
        "stems": [{"name": name.capitalize(), "color": colour} for name, colour in zip(names, COLOURS, strict=True)],
    }
    stem = _box(b"stem", json.dumps(metadata).encode())
    inner = index[8:]
    offset = 0
    while offset + 8 <= len(inner):
        size, kind = struct.unpack(">I4s", inner[offset : offset + 8])
        if kind == b"udta":
            user = _box(b"udta", inner[offset + 8 : offset + size] + stem)
            return _box(b"moov", inner[:offset] + user + inner[offset + size :])
        if size < 8:
            break
        offset += size
    return _box(b"moov", inner + _box(b"udta", stem))


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content
