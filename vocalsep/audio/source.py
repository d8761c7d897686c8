"""Decode any song file in blocks: libsndfile where it can, FFmpeg's libraries (PyAV) for everything else."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import math
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import AudioError
from .container import open_container
from .formats import INTEGER_BITS
from .native import native

if TYPE_CHECKING:
    import av
    import soundfile

BLOCK_SAMPLES = 1 << 16
MOST_CHANNELS = 8
RATES_HZ = (8000, 192000)
# Nothing audible is this loud; squares of larger values overflow 32-bit floats.
LOUDEST = 1e9
# Containers round their duration; only a larger shortfall than this means that the end is missing.
ROUNDED_S = 1.0
# Where the frame count of an MP3 stands, if it has one: this close behind its tags.
FIRST_FRAME_BYTES = 2048
GUESSED_DURATIONS = frozenset(("aac", "ac3", "eac3", "dts", "dtshd", "truehd", "amr", "mpeg", "mpegts", "flv", "avi"))
# Old MP3s often carry a bad packet or two, which players pass over in silence; more is damage.
TOLERATED_LOSS = 0.01
# Playlists and scripts would make FFmpeg open further files: only self-contained formats are let in.
DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,ogg,flac,wav,w64,aiff,caf,mp3,aac,ac3,eac3,dts,dtshd,truehd,asf,avi,flv,"
    "mpeg,mpegts,ape,wv,tta,amr,amrnb,amrwb,au,mpc,mpc8,tak,dsf"
)
LOSSLESS_CODECS = frozenset(("flac", "alac", "tta", "wavpack", "ape", "tak", "wmalossless", "truehd", "mlp"))


@dataclasses.dataclass(frozen=True)
class SourceInfo:
    """What an audio file says of itself.

    Parameters
    ----------
    path : pathlib.Path
    container, codec : str
    sample_rate : int
        Hz.
    channels : int
    samples : int or None
        Length in samples per channel as declared; None where the file does not say.
    subtype : str
        The sample type that holds what the file holds: ``PCM_16``, ..., ``FLOAT`` (also for lossy codecs).
    lossy : bool
    video : bool
        Whether there is a moving picture.
    slack_s : float
        How many seconds `samples` may be too large in a whole file: none where it was counted, some where a container
        rounds, any number where it is guessed from the size of the file.
    """

    path: pathlib.Path
    container: str
    codec: str
    sample_rate: int
    channels: int
    samples: int | None
    subtype: str
    lossy: bool
    video: bool = False
    slack_s: float = 0.0

    @property
    def duration(self) -> float | None:
        """Length in seconds, None where the file does not say."""
        return None if self.samples is None else self.samples / self.sample_rate

    @property
    def wide(self) -> bool:
        """Whether samples need more than a 32-bit float."""
        return self.subtype in ("PCM_32", "DOUBLE")

    @property
    def bounded(self) -> bool:
        """Whether the format itself keeps samples within full scale."""
        return self.subtype in INTEGER_BITS


class Source:
    """An open audio file that yields its samples block by block; a context manager.

    Attributes
    ----------
    info : SourceInfo
    read : int
        Samples per channel that `blocks` has yielded so far.
    repaired : int
        Samples that were NaN, infinite or impossibly large, and were replaced by silence.
    damaged : str
        What was passed over in a damaged file: a few packets, or more where `salvage` allows it; else empty.
    """

    def __init__(self, info: SourceInfo, salvage: bool):
        self.info = info
        self.salvage = salvage
        self.read = 0
        self.repaired = 0
        self.damaged = ""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        raise NotImplementedError

    def _decoded(self) -> Iterator[np.ndarray]:
        raise NotImplementedError

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield arrays (channels, samples): float64 where the file holds more than 24 bits, else float32.

        Raises
        ------
        AudioError
            The file is damaged, or ends before its declared length, and `salvage` was not asked for.
        """
        for block in self._decoded():
            if block.shape[1] == 0:
                continue
            wrong = ~(np.abs(block) < LOUDEST)
            if wrong.any():
                self.repaired += int(wrong.sum())
                block = np.where(wrong, block.dtype.type(0), block)
            self.read += block.shape[1]
            yield block
        info = self.info
        if info.samples is not None:
            missing = info.samples - self.read
            if missing > info.slack_s * info.sample_rate:
                self._damage(
                    f"ends early: {self.read / info.sample_rate:.1f} s of the {info.samples / info.sample_rate:.1f} s "
                    "that it announces"
                )

    def _damage(self, what: str) -> None:
        if not self.salvage:
            raise AudioError(f"damaged file, {what}; --salvage takes what can be decoded")
        self.damaged = self.damaged or what


class _SoundFileSource(Source):
    def __init__(self, path: pathlib.Path, salvage: bool):
        import soundfile

        self.file: soundfile.SoundFile = soundfile.SoundFile(native(path))
        file = self.file
        lossless = (
            file.subtype in INTEGER_BITS or file.subtype in ("FLOAT", "DOUBLE") or file.subtype.startswith("ALAC")
        )
        subtype = file.subtype if lossless else "FLOAT"
        if subtype.startswith("ALAC_"):
            subtype = {"ALAC_16": "PCM_16", "ALAC_20": "PCM_24", "ALAC_24": "PCM_24"}.get(subtype, "PCM_32")
        super().__init__(
            SourceInfo(
                path=path,
                container=file.format,
                codec=file.subtype,
                sample_rate=file.samplerate,
                channels=file.channels,
                samples=file.frames if 0 <= file.frames < 1 << 62 else None,
                subtype=subtype,
                lossy=not lossless,
            ),
            salvage,
        )

    def close(self) -> None:
        self.file.close()

    def _decoded(self) -> Iterator[np.ndarray]:
        import soundfile

        dtype = "float64" if self.info.wide else "float32"
        while True:
            try:
                block = self.file.read(BLOCK_SAMPLES, dtype=dtype, always_2d=True)
            except soundfile.LibsndfileError as error:
                self._damage(f"at {self.read / self.info.sample_rate:.1f} s ({error.error_string.rstrip('.')})")
                return
            if len(block) == 0:
                return
            yield np.ascontiguousarray(block.T)


class _AvSource(Source):
    def __init__(self, path: pathlib.Path, salvage: bool):
        self.file: io.BufferedReader = path.open("rb")
        try:
            self.container: av.container.InputContainer = open_container(
                self.file, options={"format_whitelist": DEMUXERS}
            )
        except BaseException:
            self.file.close()
            raise
        try:
            super().__init__(self._describe(path), salvage)
        except BaseException:
            self.close()
            raise

    def _describe(self, path: pathlib.Path) -> SourceInfo:
        if not self.container.streams.audio:
            raise AudioError("holds no audio")
        self.stream: Any = self.container.streams.audio[0]
        self.stream.thread_type = "AUTO"
        context = self.stream.codec_context
        if context.format is None or not context.sample_rate or not context.channels:
            raise AudioError("is no audio file, or one too damaged to open")
        name = context.name
        lossless = name.startswith("pcm_") or name in LOSSLESS_CODECS
        subtype = _subtype(context) if lossless else "FLOAT"
        duration = None
        if self.stream.duration is not None:
            duration = float(self.stream.duration * self.stream.time_base)
        elif self.container.duration is not None:
            duration = self.container.duration / 1e6
        return SourceInfo(
            path=path,
            container=self.container.format.name,
            codec=name,
            sample_rate=context.sample_rate,
            channels=context.channels,
            samples=None if duration is None else round(duration * context.sample_rate),
            subtype=subtype,
            lossy=not lossless,
            video=any(not _is_cover(stream) for stream in self.container.streams.video),
            slack_s=ROUNDED_S if _counts(path, self.container.format.name) else math.inf,
        )

    def close(self) -> None:
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
                    if (frame.sample_rate, frame.layout.nb_channels) == (info.sample_rate, info.channels):
                        yield _samples(frame, info.wide)
                    else:
                        lost += 1
        except av.error.FFmpegError as error:
            self._damage(f"at {self.read / info.sample_rate:.1f} s ({error.strerror})")
        if lost > packets * TOLERATED_LOSS:
            self._damage(f"{lost} of its {packets} packets cannot be decoded")
        elif lost:
            self.damaged = f"{lost} of its {packets} packets cannot be decoded"


def open_source(path: pathlib.Path, salvage: bool = False) -> Source:
    """Open an audio or video file for decoding.

    Parameters
    ----------
    path : pathlib.Path
    salvage : bool
        Take what can be decoded of a damaged file instead of raising.

    Raises
    ------
    AudioError
        The file is missing, empty, unreadable, no audio, or has a rate or channel count that is not supported.
    """
    try:
        source = _open(path, salvage)
    except FileNotFoundError:
        raise AudioError("no such file") from None
    except IsADirectoryError:
        raise AudioError("is a folder") from None
    except PermissionError:
        raise AudioError("no permission to read it") from None
    info = source.info
    problem = None
    if not 1 <= info.channels <= MOST_CHANNELS:
        problem = f"has {info.channels} channels; 1 to {MOST_CHANNELS} are supported"
    elif not RATES_HZ[0] <= info.sample_rate <= RATES_HZ[1]:
        problem = f"has a rate of {info.sample_rate} Hz; {RATES_HZ[0]} to {RATES_HZ[1]} Hz are supported"
    if problem:
        source.close()
        raise AudioError(problem)
    return source


def _open(path: pathlib.Path, salvage: bool) -> Source:
    import av
    import soundfile

    with path.open("rb") as file:
        head = file.read(4)
    if not head:
        raise AudioError("is empty (0 bytes)")
    # libsndfile decodes MP3 too, but its decoder writes its own complaints to the user's terminal.
    if not _looks_like_mp3(path, head):
        with contextlib.suppress(soundfile.LibsndfileError):
            return _SoundFileSource(path, salvage)
    try:
        return _AvSource(path, salvage)
    except av.error.FFmpegError:
        raise AudioError("is no audio file, or one too damaged to open") from None


def _looks_like_mp3(path: pathlib.Path, head: bytes) -> bool:
    synchronised = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0
    return path.suffix.lower() in (".mp3", ".mp2") or head.startswith(b"ID3") or synchronised


def peak(path: pathlib.Path, salvage: bool = False) -> float:
    """Largest absolute sample of a file, decoded once from end to end; raises AudioError as `open_source`."""
    with open_source(path, salvage) as source:
        return max((float(np.abs(block).max()) for block in source.blocks()), default=0.0)


def has_video(path: pathlib.Path) -> bool:
    """Whether a file holds a moving picture; False also for one that cannot be read."""
    try:
        with open_source(path) as source:
            return source.info.video
    except AudioError:
        return False


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & stream.disposition.attached_pic) or stream.codec_context.name in ("png", "mjpeg")


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


def _samples(frame: Any, wide: bool) -> np.ndarray:
    """Return a decoded frame as (channels, samples), float64 if `wide`, else float32."""
    array = frame.to_ndarray()
    if not frame.format.is_planar:
        array = array.reshape(-1, frame.layout.nb_channels).T
    if array.dtype == np.uint8:
        array = (array.astype(np.float32) - 128) / 128
    elif array.dtype.kind == "i":
        array = array.astype(np.float64) / float(2 ** (8 * array.dtype.itemsize - 1))
    return np.ascontiguousarray(array, dtype=np.float64 if wide else np.float32)
