"""Decode with FFmpeg's libraries (PyAV): mp3, m4a, wma, the sound of videos, and whatever else they know."""

from __future__ import annotations

import ctypes
import math
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import AudioError
from .container import QuietFile, open_container
from .formats import INTEGER_BITS
from .layouts import LAYOUTS, layout_named
from .source import Source, SourceInfo

# Containers round their duration; only a larger shortfall than this means that the end is missing.
ROUNDED_S = 1.0
# Where the frame count of an MP3 stands, if it has one: this close behind its tags.
FIRST_FRAME_BYTES = 2048
GUESSED_DURATIONS = frozenset(("aac", "ac3", "eac3", "dts", "dtshd", "truehd", "amr", "mpeg", "mpegts", "flv", "avi"))
# Old MP3s often carry a bad packet or two, which players pass over in silence; more is damage.
TOLERATED_LOSS = 0.01
# PyAV counts one plane too many of so many, and reads beyond them.
MISCOUNTED_PLANES = 8
SAMPLE_TYPES = {"u8p": "u1", "s16p": "i2", "s32p": "i4", "fltp": "f4", "dblp": "f8"}
LOSSLESS_CODECS = frozenset(("flac", "alac", "tta", "wavpack", "ape", "tak", "wmalossless", "truehd", "mlp"))


class FfmpegSource(Source):
    """A file that FFmpeg's libraries decode; see `Source`."""

    def __init__(self, path: pathlib.Path, salvage: bool, stream: int = 0):
        self.file = path.open("rb")
        self.quiet = QuietFile(self.file)
        try:
            self.container = open_container(self.quiet)
        except BaseException:
            self.file.close()
            raise
        try:
            info, order = self._describe(path, stream)
            super().__init__(info, salvage)
            self.order = order
        except BaseException:
            self.close()
            raise

    def _describe(self, path: pathlib.Path, stream: int) -> tuple[SourceInfo, list[int] | None]:
        sounds = self.container.streams.audio
        if not sounds:
            raise AudioError("holds no audio")
        if stream >= len(sounds):
            raise AudioError(f"holds {len(sounds)} audio streams, not {stream + 1}")
        self.stream: Any = sounds[stream]
        context = self.stream.codec_context
        if context is None:
            raise AudioError("holds sound of a kind that FFmpeg cannot decode")
        self.stream.thread_type = "AUTO"
        layout = lasting_layout(context)
        if context.format is None or not context.sample_rate or not layout.nb_channels:
            raise AudioError("is no audio file, or one too damaged to open")
        name = context.name
        lossless = name.startswith("pcm_") or name in LOSSLESS_CODECS
        subtype = _subtype(context) if lossless else "FLOAT"
        duration = None
        # A container's duration is that of its longest stream, which may be the picture's.
        own = self.stream.duration is not None or len(self.container.streams) == 1
        if self.stream.duration is not None:
            duration = float(self.stream.duration * self.stream.time_base)
        elif self.container.duration is not None:
            duration = self.container.duration / 1e6
        named, order = layout_named(layout.name, tuple(channel.name for channel in layout.channels))
        info = SourceInfo(
            path=path,
            container=self.container.format.name,
            codec=name,
            sample_rate=context.sample_rate,
            channels=layout.nb_channels,
            # A damaged header can announce less than nothing.
            samples=None if duration is None or duration < 0 else round(duration * context.sample_rate),
            subtype=subtype,
            lossy=not lossless,
            layout=named,
            video=any(not _is_cover(stream) for stream in self.container.streams.video),
            slack_s=ROUNDED_S if own and _counts(path, self.container.format.name) else math.inf,
        )
        return info, order

    def close(self) -> None:
        """Close the file."""
        self.container.close()
        self.file.close()

    def _decoded(self) -> Iterator[np.ndarray]:
        import av

        info = self.info
        packets = lost = 0
        try:
            for packet in self.container.demux(self.stream):
                packets += 1
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    lost += 1
                    continue
                for frame in frames:
                    if (frame.sample_rate, lasting_layout(frame).nb_channels) == (info.sample_rate, info.channels):
                        yield _samples(frame, info.wide)
                    else:
                        lost += 1
        except av.error.FFmpegError as error:
            self._damage(f"at {self.read / info.sample_rate:.1f} s ({error.strerror})")
        if self.quiet.error is not None:
            raise AudioError(f"cannot be read ({self.quiet.error.strerror})")
        if lost > packets * TOLERATED_LOSS:
            self._damage(f"{lost} of its {packets} packets cannot be decoded")
        elif lost:
            self.damaged = f"{lost} of its {packets} packets cannot be decoded"


def _is_cover(stream: Any) -> bool:
    # A picture of a kind that FFmpeg cannot decode has no codec here.
    codec = None if stream.codec_context is None else stream.codec_context.name
    return bool(stream.disposition & stream.disposition.attached_pic) or codec in ("png", "mjpeg")


def _counts(path: pathlib.Path, container: str) -> bool:
    """Whether a file counts its length; FFmpeg guesses that of bare streams from their size and bit rate."""
    if container != "mp3":
        return container not in GUESSED_DURATIONS
    with path.open("rb") as file:
        head = file.read(10)
        tags = 0
        if head.startswith(b"ID3") and len(head) == 10:
            tags = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
        file.seek(tags)
        frame = file.read(FIRST_FRAME_BYTES)
    return any(mark in frame for mark in (b"Xing", b"Info", b"VBRI"))


def _subtype(context: Any) -> str:
    """Sample type of a lossless codec: FFmpeg decodes 24 bits into 32, so the codec's own header has to tell."""
    sample_format, header = context.format.name, context.extradata or b""
    if sample_format.startswith("flt"):
        return "FLOAT"
    if sample_format.startswith("dbl"):
        return "DOUBLE"
    bits = context.format.bytes * 8
    if context.name.startswith("pcm_s24"):
        bits = 24
    elif context.name == "alac" and len(header) > 17:
        bits = header[17]
    elif context.name == "flac" and len(header) > 13:
        bits = ((header[12] & 1) << 4 | header[13] >> 4) + 1
    return next((name for name, held in INTEGER_BITS.items() if held >= bits and name != "PCM_S8"), "PCM_32")


def lasting_layout(owner: Any) -> Any:
    """Return the channel layout of a codec or a frame, once for each.

    PyAV has the layout of FFmpeg's own, and frees what belongs to it a second time where its channels are in an order
    of their own, as those of a QuickTime file can be. So it must never be freed.
    """
    layout = owner.layout
    if layout.name not in LAYOUTS:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))
    return layout


def _samples(frame: Any, wide: bool) -> np.ndarray:
    """Return a decoded frame as (channels, samples), float64 if `wide`, else float32."""
    channels = frame.layout.nb_channels
    try:
        if frame.format.is_planar and channels == MISCOUNTED_PLANES:
            kind = SAMPLE_TYPES[frame.format.name]
            array = np.stack([np.frombuffer(plane, kind, frame.samples) for plane in frame.planes[:channels]])
        else:
            array = frame.to_ndarray()
    except (ValueError, LookupError):
        raise AudioError(f"holds samples of a type that is not supported ({frame.format.name})") from None
    if not frame.format.is_planar:
        array = array.reshape(-1, channels).T
    if array.dtype == np.uint8:
        array = (array.astype(np.float32) - 128) / 128
    elif array.dtype.kind == "i":
        array = array.astype(np.float64) / float(2 ** (8 * array.dtype.itemsize - 1))
    return np.ascontiguousarray(array, dtype=np.float64 if wide else np.float32)
