"""Decode with FFmpeg's libraries (PyAV): mp3, m4a, wma, the sound of videos, and whatever else they know."""

from __future__ import annotations

import contextlib
import math
import pathlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from ..errors import AudioError
from .byte_range import ByteRange, ByteRangeFile
from .container import AvioFile, is_cover, open_container
from .format_converter import FormatConverter
from .formats import INTEGER_BITS
from .gap_detector import GapDetector
from .layouts import name_and_order, pinned_layout
from .mp4_boxes import is_fragmented
from .selection import audio_streams, select_stream
from .source import BLOCK_SAMPLES, ROUNDED_S, Source, SourceInfo
from .unsupported import drm_reason

# Where the frame count of an MP3 stands, if it has one: this close behind its tags.
FIRST_FRAME_BYTES = 2048
# Bits per second that no codec gets by with.
LEAST_BITRATE = 2000
# What the count of an MP3 may differ from its size before it is that of another file.
SIZE_TOLERANCE = 0.02
# What counts its length; FFmpeg guesses that of others from their size and bit rate, or from the first and last times.
EXACT_LENGTH = frozenset(
    (
        "mov,mp4,m4a,3gp,3g2,mj2",
        "matroska,webm",
        "asf",
        "wav",
        "w64",
        "aiff",
        "caf",
        "flac",
        "ape",
        "wv",
        "tta",
        "tak",
        "flv",
    )
)
# Containers that bear the time of each packet; bare streams and files of samples have no more than their order.
WITH_TIMESTAMPS = frozenset(
    ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "asf", "mpegts", "mpeg", "flv", "live_flv", "avi", "nut", "mxf", "wtv")
)
WITH_INDEX = frozenset(("mov,mp4,m4a,3gp,3g2,mj2",))
# Entries at the end of an index that are compared with the size of the file.
LAST_ENTRIES = 64
# Tags amid a stream: those of a file that was joined to another.
TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICSBEGIN")
# Old MP3s often carry a bad packet or two, which players pass over in silence; more is damage.
TOLERATED_LOSS = 0.01
# PyAV counts one plane too many of so many, and reads beyond them.
MISCOUNTED_PLANES = 8
SAMPLE_TYPES = {"u8p": "u1", "s16p": "i2", "s32p": "i4", "fltp": "f4", "dblp": "f8"}
LOSSLESS_CODECS = frozenset(("flac", "alac", "tta", "wavpack", "ape", "tak", "wmalossless", "truehd", "mlp"))


class FfmpegSource(Source):
    """A file that FFmpeg's libraries decode; see `Source`."""

    def __init__(self, path: pathlib.Path, salvage: bool, stream: int | str | None, byte_range: ByteRange):
        self.file = path.open("rb")
        self.byte_range = byte_range
        self.quiet = AvioFile(ByteRangeFile(self.file, byte_range))
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

    def _describe(self, path: pathlib.Path, stream: int | str | None) -> tuple[SourceInfo, list[int] | None]:
        sounds = self.container.streams.audio
        if protected := drm_reason(self.file):
            raise AudioError(protected)
        if not sounds:
            raise AudioError("holds no audio")
        described = audio_streams(self.container)
        chosen = select_stream(described, stream, path)
        self.stream: Any = sounds[chosen]
        context = self.stream.codec_context
        if context is None:
            raise AudioError("holds sound of a kind that FFmpeg cannot decode")
        self.stream.thread_type = "AUTO"
        layout = pinned_layout(context)
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
        container = self.container.format.name
        counted = container in EXACT_LENGTH and own
        if container == "mp3":
            frames, share = _mp3_frame_count(self.file, self.byte_range)
            counted = frames > 0 and abs(share - 1) < SIZE_TOLERANCE
            if frames and not counted:
                # Cut short, or several that were joined, of which the first has counted only its own frames.
                self.header_samples = frames * (1152 if context.sample_rate >= 32000 else 576)
                duration = self.header_samples / context.sample_rate / share
        if duration and not counted and 8 * (self.byte_range.stop - self.byte_range.start) / duration < LEAST_BITRATE:
            # The times of a clock that began anew.
            duration = None
        self.layout_name = layout.name
        named, order = name_and_order(layout.name, tuple(channel.name for channel in layout.channels))
        info = SourceInfo(
            path=path,
            container=container,
            codec=name,
            sample_rate=context.sample_rate,
            channels=layout.nb_channels,
            # A damaged header can announce less than nothing.
            samples=None if duration is None or duration < 0 else round(duration * context.sample_rate),
            subtype=subtype,
            lossy=not lossless,
            layout=named,
            video=any(not is_cover(self.quiet, picture) for picture in self.container.streams.video),
            length_tolerance_s=ROUNDED_S if counted else math.inf,
            stream=chosen,
            streams=described,
        )
        return info, order

    def close(self) -> None:
        """Close the file."""
        self.container.close()
        self.file.close()

    def _decoded(self) -> Iterator[np.ndarray]:
        info = self.info
        cut = self._index_exceeds_file()
        if cut and not is_fragmented(self.file):
            self._damage("it is cut short: its index names sound behind its end")
        timeline = GapDetector()
        conversion = FormatConverter(info, self.layout_name)
        self.decoded = 0
        for block, rate, layout in self._timed(timeline):
            for ready in conversion.push(block, rate, layout, self.decoded / info.sample_rate):
                self.decoded += ready.shape[1]
                yield ready
        for ready in conversion.flush():
            self.decoded += ready.shape[1]
            yield ready
        # A recorder that died leaves the last fragment unfinished.
        self.lost_at_end += not self.damaged and (cut or self._index_exceeds_file())
        self._check_lost_packets()
        self.remarks += conversion.remarks()
        if timeline.gaps:
            gaps = "a gap" if timeline.gaps == 1 else f"{timeline.gaps} gaps"
            self.remarks.append(f"has {gaps} in its sound, {timeline.filled_s:.2f} s in all: filled with silence")

    def _timed(self, timeline: GapDetector) -> Iterator[tuple[np.ndarray, int, str]]:
        """Yield what is decoded, and silence for what is missing: samples, rate and channel layout."""
        info = self.info
        retimed_packets = info.container in WITH_TIMESTAMPS or info.video
        for frame, following in _with_following(self._frames()):
            rate, layout = frame.sample_rate, pinned_layout(frame).name
            block = _samples(frame, info.wide)
            gap_s = (
                timeline.gap_before(_time_s(frame), frame.samples / rate, _time_s(following))
                if retimed_packets
                else 0.0
            )
            missing = round(gap_s * rate)
            for start in range(0, missing, BLOCK_SAMPLES):
                yield np.zeros((len(block), min(BLOCK_SAMPLES, missing - start)), block.dtype), rate, layout
            yield block, rate, layout

    def _frames(self) -> Iterator[Any]:
        """Yield what can be decoded, and count the packets that cannot: amid the sound, and behind all of it."""
        import av

        self.packets = self.lost = self.lost_at_end = 0
        try:
            for packet in self.container.demux(self.stream):
                self.packets += 1
                try:
                    frames = [frame for frame in packet.decode() if frame.samples]
                except av.error.FFmpegError:
                    self.lost_at_end += not bytes(packet).startswith(TAGS)
                    continue
                # Behind the last packet comes an empty one that asks for what the decoder has kept back.
                if frames and packet.size:
                    self.lost += self.lost_at_end
                    self.lost_at_end = 0
                yield from frames
        except av.error.FFmpegError as error:
            # What the decoder has kept back.
            with contextlib.suppress(av.error.FFmpegError):
                yield from self.stream.codec_context.decode(None)
            info = self.info
            whole = (
                math.isfinite(info.length_tolerance_s)
                and info.samples is not None
                and not self._missing_s(self.decoded)
            )
            # What comes behind all that was promised is other data.
            if not whole and self.quiet.tell() < self.byte_range.stop - self.byte_range.start:
                self._damage(f"at {self.decoded / info.sample_rate:.1f} s ({error.strerror})")
            self.lost_at_end += 1
        if self.quiet.error is not None:
            raise AudioError(f"cannot be read ({self.quiet.error.strerror})")

    def _check_lost_packets(self) -> None:
        """Judge the packets that could not be decoded."""
        missing_s = self._missing_s(self.decoded)
        lost = self.lost if self.decoded else self.lost_at_end
        if lost > (self.packets - self.lost_at_end) * TOLERATED_LOSS:
            self._damage(f"{lost} of its {self.packets} packets cannot be decoded")
        elif self.lost_at_end and missing_s:
            self._damage(f"its last packet is cut off, {missing_s:.1f} s before the length that its header gives")
        elif lost:
            self.damaged = f"{lost} of its {self.packets} packets cannot be decoded"
        if self.lost_at_end and not self.damaged:
            packets = "a packet" if self.lost_at_end == 1 else f"{self.lost_at_end} packets"
            self.remarks.append(f"{packets} at its end cannot be decoded: cut off, or no sound")

    def _index_exceeds_file(self) -> bool:
        """Whether the index, as far as it is known, names sound beyond the end of the file."""
        if self.info.container not in WITH_INDEX:
            return False
        entries = self.stream.index_entries
        size = self.byte_range.stop - self.byte_range.start
        last = (entries[number] for number in range(max(0, len(entries) - LAST_ENTRIES), len(entries)))
        return any(entry.pos + entry.size > size for entry in last)


def _with_following(frames: Iterator[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield each frame and the one behind it, None behind the last."""
    frame = next(frames, None)
    while frame is not None:
        following = next(frames, None)
        yield frame, following
        frame = following


def _time_s(frame: Any) -> float | None:
    """When a frame begins, as far as it says."""
    return None if frame is None or frame.pts is None else float(frame.pts * frame.time_base)


def _mp3_frame_count(file: BinaryIO, byte_range: ByteRange) -> tuple[int, float]:
    """Frames that an MP3 counts, 0 where it counts none, and their share of its bytes, 1 where it does not say."""
    file.seek(byte_range.start)
    first = file.read(FIRST_FRAME_BYTES)
    size = 0
    if (at := first.find(b"VBRI")) >= 0:
        size, frames = (int.from_bytes(first[at + place : at + place + 4], "big") for place in (10, 14))
    elif (at := max(first.find(b"Xing"), first.find(b"Info"))) >= 0:
        flags, frames, size = (int.from_bytes(first[at + place : at + place + 4], "big") for place in (4, 8, 12))
        frames, size = (frames if flags & 1 else 0), (size if flags & 3 == 3 else 0)
    else:
        return 0, 1.0
    return frames, size / (byte_range.stop - byte_range.start) or 1.0


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
