"""Decode with FFmpeg's libraries (PyAV): mp3, m4a, wma, the sound of videos, and all other formats they support."""

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
from .unsupported import NO_AUDIO, NO_AUDIO_FILE, drm_reason

# The frame count of an MP3, if it has one, is within so many bytes behind its tags.
FIRST_FRAME_BYTES = 2048
# Bits per second; no codec needs less.
LEAST_BITRATE = 2000
# Relative difference between the size that an MP3's header gives and its true size, up to which the count is valid.
SIZE_TOLERANCE = 0.02
# Containers that store their exact length; FFmpeg estimates that of others from bit rate or timestamps.
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
# Containers that store the timestamp of each packet.
WITH_TIMESTAMPS = frozenset(
    ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "asf", "mpegts", "mpeg", "flv", "live_flv", "avi", "nut", "mxf", "wtv")
)
WITH_INDEX = frozenset(("mov,mp4,m4a,3gp,3g2,mj2",))
# Index entries at the end that are compared with the size of the file.
LAST_ENTRIES = 64
# First bytes of tags between joined streams.
TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICSBEGIN")
# Old MP3s often hold one or two bad packets, which players skip; a larger share is damage.
TOLERATED_LOSS = 0.01
# With so many planes PyAV counts one too many and reads beyond them.
MISCOUNTED_PLANES = 8
SAMPLE_TYPES = {"u8p": "u1", "s16p": "i2", "s32p": "i4", "fltp": "f4", "dblp": "f8"}
LOSSLESS_CODECS = frozenset(("flac", "alac", "tta", "wavpack", "ape", "tak", "wmalossless", "truehd", "mlp"))


class FfmpegSource(Source):
    """Decode a file with FFmpeg's libraries; see `Source`."""

    def __init__(self, path: pathlib.Path, salvage: bool, stream: int | str | None, byte_range: ByteRange):
        self.file = path.open("rb")
        self.byte_range = byte_range
        self.avio = AvioFile(ByteRangeFile(self.file, byte_range))
        try:
            self.container = open_container(self.avio)
        except BaseException:
            self.file.close()
            raise
        try:
            super().__init__(self._open_stream(path, stream), salvage)
            self.header_samples = self._mp3_header_samples
            self.order = self._wave_order
        except BaseException:
            self.close()
            raise

    def _open_stream(self, path: pathlib.Path, requested: int | str | None) -> SourceInfo:
        """Select an audio stream and return what its headers say."""
        if problem := drm_reason(self.file):
            raise AudioError(problem)
        if not self.container.streams.audio:
            raise AudioError(NO_AUDIO)
        streams = audio_streams(self.container)
        index = select_stream(streams, requested, path)
        self.stream: Any = self.container.streams.audio[index]
        context = self.stream.codec_context
        if context is None:
            raise AudioError("holds sound of a kind that FFmpeg cannot decode")
        self.stream.thread_type = "AUTO"
        layout = pinned_layout(context)
        if context.format is None or not context.sample_rate or not layout.nb_channels:
            raise AudioError(NO_AUDIO_FILE)
        lossless = context.name.startswith("pcm_") or context.name in LOSSLESS_CODECS
        duration, exact = self._duration()
        self.layout_name = layout.name
        layout_name, self._wave_order = name_and_order(layout.name, tuple(channel.name for channel in layout.channels))
        return SourceInfo(
            path=path,
            container=self.container.format.name,
            codec=context.name,
            sample_rate=context.sample_rate,
            channels=layout.nb_channels,
            # The duration of a damaged header can be negative.
            samples=None if duration is None or duration < 0 else round(duration * context.sample_rate),
            subtype=_subtype(context) if lossless else "FLOAT",
            lossy=not lossless,
            layout=layout_name,
            video=any(not is_cover(self.avio, picture) for picture in self.container.streams.video),
            length_tolerance_s=ROUNDED_S if exact else math.inf,
            stream=index,
            streams=streams,
        )

    def _duration(self) -> tuple[float | None, bool]:
        """Return the duration in seconds, None where it is not known, and whether it was counted and not estimated."""
        container, stream = self.container, self.stream
        duration = None
        if stream.duration is not None:
            duration = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            duration = container.duration / 1e6
        # A container's duration is that of its longest stream, which may be the picture's.
        exact = container.format.name in EXACT_LENGTH and (stream.duration is not None or len(container.streams) == 1)
        self._mp3_header_samples = 0
        if container.format.name == "mp3":
            sample_rate = stream.codec_context.sample_rate
            frames, share = _mp3_frame_count(self.file, self.byte_range)
            exact = frames > 0 and abs(share - 1) < SIZE_TOLERANCE
            if frames and not exact:
                # The file was cut, or joined of several, of which the first counts its own frames only.
                self._mp3_header_samples = frames * (1152 if sample_rate >= 32000 else 576)
                duration = self._mp3_header_samples / sample_rate / share
        size = self.byte_range.stop - self.byte_range.start
        if duration and not exact and 8 * size / duration < LEAST_BITRATE:
            # Timestamps that restart within the file give impossible durations.
            duration = None
        return duration, exact

    def close(self) -> None:
        """Close the file."""
        self.container.close()
        self.file.close()

    def _decoded(self) -> Iterator[np.ndarray]:
        info = self.info
        cut = self._index_exceeds_file()
        if cut and not is_fragmented(self.file):
            self._damage("it is cut short: its index names sound behind its end")
        gaps = GapDetector()
        converter = FormatConverter(info, self.layout_name)
        self.decoded = 0
        for block, rate, layout in self._with_gaps_filled(gaps):
            for converted in converter.push(block, rate, layout, self.decoded / info.sample_rate):
                self.decoded += converted.shape[1]
                yield converted
        for converted in converter.flush():
            self.decoded += converted.shape[1]
            yield converted
        # A recording that broke off has an incomplete last fragment.
        self.lost_at_end += not self.damaged and (cut or self._index_exceeds_file())
        self._check_lost_packets()
        self.remarks += converter.remarks()
        if gaps.gaps:
            count = "a gap" if gaps.gaps == 1 else f"{gaps.gaps} gaps"
            self.remarks.append(f"has {count} in its sound, {gaps.filled_s:.2f} s in all: filled with silence")

    def _with_gaps_filled(self, gaps: GapDetector) -> Iterator[tuple[np.ndarray, int, str]]:
        """Yield samples, rate and channel layout of each frame, and silence for gaps in the timestamps."""
        info = self.info
        has_timestamps = info.container in WITH_TIMESTAMPS or info.video
        for frame, following in _with_following(self._frames()):
            rate, layout = frame.sample_rate, pinned_layout(frame).name
            block = _samples(frame, info.wide)
            missing = 0
            if has_timestamps:
                missing = round(rate * gaps.gap_before(_time_s(frame), frame.samples / rate, _time_s(following)))
            for start in range(0, missing, BLOCK_SAMPLES):
                yield np.zeros((len(block), min(BLOCK_SAMPLES, missing - start)), block.dtype), rate, layout
            yield block, rate, layout

    def _frames(self) -> Iterator[Any]:
        """Yield decoded frames, and count the packets that cannot be decoded, within the sound and behind it."""
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
                # The empty packet at the end only flushes the decoder.
                if frames and packet.size:
                    self.lost += self.lost_at_end
                    self.lost_at_end = 0
                yield from frames
        except av.error.FFmpegError as error:
            # Frames that the decoder still buffers.
            with contextlib.suppress(av.error.FFmpegError):
                yield from self.stream.codec_context.decode(None)
            info = self.info
            whole = (
                math.isfinite(info.length_tolerance_s)
                and info.samples is not None
                and not self._missing_s(self.decoded)
            )
            # Data behind the length that the header gives is not sound.
            if not whole and self.avio.tell() < self.byte_range.stop - self.byte_range.start:
                self._damage(f"at {self.decoded / info.sample_rate:.1f} s ({error.strerror})")
            self.lost_at_end += 1
        if self.avio.error is not None:
            raise AudioError(f"cannot be read ({self.avio.error.strerror})")

    def _check_lost_packets(self) -> None:
        """Report packets that could not be decoded, as damage where they are sound."""
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
        """Return whether the index names sound beyond the end of the file."""
        if self.info.container not in WITH_INDEX:
            return False
        entries = self.stream.index_entries
        size = self.byte_range.stop - self.byte_range.start
        last = (entries[number] for number in range(max(0, len(entries) - LAST_ENTRIES), len(entries)))
        return any(entry.pos + entry.size > size for entry in last)


def _with_following(frames: Iterator[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield each frame with the next one; None follows the last."""
    frame = next(frames, None)
    while frame is not None:
        following = next(frames, None)
        yield frame, following
        frame = following


def _time_s(frame: Any) -> float | None:
    """Return the timestamp of a frame in seconds, None without one."""
    return None if frame is None or frame.pts is None else float(frame.pts * frame.time_base)


def _mp3_frame_count(file: BinaryIO, byte_range: ByteRange) -> tuple[int, float]:
    """Return the frame count in an MP3's header, 0 without one, and the share of the file's bytes that it is about."""
    file.seek(byte_range.start)
    first = file.read(FIRST_FRAME_BYTES)
    size = 0
    if (index := first.find(b"VBRI")) >= 0:
        size, frames = (int.from_bytes(first[index + offset : index + offset + 4], "big") for offset in (10, 14))
    elif (index := max(first.find(b"Xing"), first.find(b"Info"))) >= 0:
        flags, frames, size = (
            int.from_bytes(first[index + offset : index + offset + 4], "big") for offset in (4, 8, 12)
        )
        frames, size = (frames if flags & 1 else 0), (size if flags & 3 == 3 else 0)
    else:
        return 0, 1.0
    return frames, size / (byte_range.stop - byte_range.start) or 1.0


def _subtype(context: Any) -> str:
    """Return the sample type of a lossless codec. FFmpeg decodes 24 bits to 32: the depth is in the codec's header."""
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
    return next((name for name, size in INTEGER_BITS.items() if size >= bits and name != "PCM_S8"), "PCM_32")


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
