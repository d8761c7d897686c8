"""Encode a stem in blocks: libsndfile for wav, flac and ogg, FFmpeg's libraries (PyAV) for opus, mp3 and m4a."""

from __future__ import annotations

import contextlib
import errno
import pathlib
import shutil
from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import DiskFullError, OutputError
from ..system.atomic_files import DISK_FULL
from .container import AvioFile
from .formats import INTEGER_BITS, SAMPLE_BYTES, Format
from .layouts import DEFAULT_LAYOUTS, FLAC_LAYOUTS, MASK_COMMENT, VORBIS_ORDER, channel_mask
from .libsndfile_output import finish_ogg, finish_wave
from .resample import Resampler
from .sndfile import libsndfile_path

# libsndfile's Vorbis encoder keeps a whole write on the stack.
WRITE_SAMPLES = 1 << 15
# A plain WAV counts its bytes in 32 bits.
LARGEST_WAV = (1 << 32) - (1 << 20)
# A disk with fewer free bytes counts as full.
LEAST_FREE_BYTES = 1 << 20
# 32-bit floats hold all integers of so many bits.
EXACT_BITS = 24
# Nominal bit rates of Vorbis qualities 0.0, 0.1, ... 1.0, stereo at 44.1 kHz (Xiph's table), bits per second.
VORBIS_BITRATES = (64000, 80000, 96000, 112000, 128000, 160000, 192000, 224000, 256000, 320000, 500000)


class Sink:
    """Encode samples to a file; a context manager that closes the file.

    Parameters
    ----------
    path : pathlib.Path
    form : Format
    sample_rate : int
        Rate in Hz of the samples; a format that does not support it is written at its next rate.
    channels : int
    subtype : str or None
        Sample type of a lossless format.
    bitrate : int
        Bits per second of a lossy format, for one stereo pair.
    samples : int or None
        Expected samples per channel: a large WAV is written as RF64.
    layout : str
        Channel layout by FFmpeg's name; empty where it is not known.

    Raises
    ------
    AudioError
        The format cannot hold these channels.
    OutputError
        The file cannot be created or written.
    """

    def __init__(
        self,
        path: pathlib.Path,
        form: Format,
        *,
        sample_rate: int,
        channels: int,
        subtype: str | None,
        bitrate: int,
        samples: int | None = None,
        layout: str = "",
    ):
        channel_map = form.map_channels(channels, layout)
        order = channel_map.order
        if form.name == "ogg":
            # libsndfile expects the channel order of the file, FFmpeg that of WAVE files.
            order = tuple(order[channel] for channel in VORBIS_ORDER.get(channels, range(channels)))
        self._order = list(order) if order != tuple(range(channels)) else None
        self.path = path
        rate = form.rate_for(sample_rate)
        self._resampler = Resampler(channels, sample_rate, rate) if rate != sample_rate else None
        bits_per_second = bitrate * channels // 2
        self._writer: _SoundFileWriter | _AvWriter
        try:
            if form.codec:
                self._writer = _AvWriter(path, form, rate, channels, bits_per_second, channel_map.layout)
            else:
                self._writer = _SoundFileWriter(
                    path, form, rate, channels, subtype, bits_per_second, samples, channel_map.layout
                )
        except Exception as error:
            raise write_error(path, error) from None

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, *_: object) -> None:
        self.abandon()

    def write(self, block: np.ndarray) -> None:
        """Append (channels, samples), full scale at +-1."""
        if self._order is not None:
            block = block[self._order]
        if self._resampler is not None:
            block = self._resampler.push(block)
        self._write(block)

    def finish(self) -> None:
        """Write buffered samples, close the file, and check that it is complete."""
        if self._resampler is not None:
            self._write(self._resampler.flush())
        try:
            self._writer.finish()
        except Exception as error:
            raise write_error(self.path, error) from None

    def abandon(self) -> None:
        """Close the incomplete file; after `finish` this does nothing."""
        self._writer.abandon()

    def _write(self, block: np.ndarray) -> None:
        try:
            for start in range(0, block.shape[1], WRITE_SAMPLES):
                self._writer.write(block[:, start : start + WRITE_SAMPLES])
        except Exception as error:
            raise write_error(self.path, error) from None


def write_error(path: pathlib.Path, error: Exception) -> OutputError:
    """Return the error to raise where an output cannot be written."""
    if isinstance(error, OutputError):
        return error
    # libsndfile says no more than "System error" when the disk is full
    full = getattr(error, "errno", None) == errno.ENOSPC or _free_bytes(path.parent) < LEAST_FREE_BYTES
    reason = DISK_FULL if full else (getattr(error, "strerror", None) or str(error) or "write failed")
    kind = DiskFullError if full else OutputError
    return kind(f"cannot write {path.suffix.lstrip('.')} to {path.parent}: {reason}")


def _free_bytes(folder: pathlib.Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return LEAST_FREE_BYTES


class _SoundFileWriter:
    def __init__(
        self,
        path: pathlib.Path,
        form: Format,
        rate: int,
        channels: int,
        subtype: str | None,
        bitrate: int,
        samples: int | None,
        layout: str,
    ):
        import soundfile

        self.path = path
        self.form = form
        self.channels = channels
        self.layout = layout
        self.bits = INTEGER_BITS.get(subtype or "")
        self.written = 0
        container = {"wav": "WAV", "flac": "FLAC", "ogg": "OGG"}[form.name]
        options: dict[str, Any] = {"subtype": subtype}
        if form.name == "wav":
            size = (samples or 0) * channels * SAMPLE_BYTES.get(subtype or "", 0)
            container = "RF64" if size > LARGEST_WAV else "WAVEX" if channels > 2 else "WAV"
        elif form.name == "ogg":
            stereo = bitrate * 2 / channels * 44100 / max(rate, 8000)
            quality = float(np.interp(stereo, VORBIS_BITRATES, np.linspace(0, 1, len(VORBIS_BITRATES))))
            options = {"subtype": "VORBIS", "compression_level": 1 - quality}
        self.file = soundfile.SoundFile(libsndfile_path(path), "w", rate, channels, format=container, **options)

    def write(self, block: np.ndarray) -> None:
        if self.bits:
            block = _integers(block, self.bits)
        try:
            self.file.write(np.ascontiguousarray(block.T))
        except AssertionError:
            # soundfile asserts that all was written, and hides the system's error.
            raise OSError(errno.ENOSPC, DISK_FULL) from None
        self.written += block.shape[1]

    def finish(self) -> None:
        import soundfile

        self.file.close()
        self._complete()
        # Flushing to a full disk can fail silently: check the last sample.
        if self.written:
            with soundfile.SoundFile(libsndfile_path(self.path)) as check:
                complete = check.frames == self.written
                check.seek(max(0, self.written - 1))
                if not complete or len(check.read(1)) != 1:
                    raise OSError(errno.ENOSPC, DISK_FULL)

    def abandon(self) -> None:
        self.file.close()

    def _complete(self) -> None:
        """Write the channel layout, and make the bytes independent of the run."""
        mask = channel_mask(self.layout, self.channels)
        if self.form.name == "wav":
            finish_wave(self.path, mask)
        elif self.form.name == "ogg":
            finish_ogg(self.path)
        elif mask and self.layout not in ("", FLAC_LAYOUTS[self.channels - 1]):
            from mutagen.flac import FLAC

            file: Any = FLAC(self.path)
            if file.tags is None:
                file.add_tags()
            file.tags[MASK_COMMENT] = f"0x{mask:X}"
            file.save()


class _AvWriter:
    def __init__(self, path: pathlib.Path, form: Format, rate: int, channels: int, bitrate: int, layout: str):
        import av

        # bitexact omits dates and random serial numbers: equal samples give equal files.
        self.file = path.open("wb")
        self.avio = AvioFile(self.file)
        self.container: Any = av.open(self.avio, "w", format=form.container, options={"fflags": "+bitexact"})
        self.stream = audio_stream(self.container, form.codec, rate, channels, bitrate, layout)
        self.written = 0
        self.open = True

    def write(self, block: np.ndarray) -> None:
        if block.shape[1] == 0:
            return
        frame = audio_frame(self.stream, block, self.written)
        self.written += block.shape[1]
        self.container.mux(self.stream.encode(frame))

    def finish(self) -> None:
        self.container.mux(self.stream.encode(None))
        self.open = False
        self.container.close()
        if self.avio.error is not None:
            raise self.avio.error
        self.file.close()

    def abandon(self) -> None:
        import av

        if self.open:
            self.open = False
            with contextlib.suppress(av.error.FFmpegError, OSError):
                self.container.close()
        with contextlib.suppress(OSError):
            self.file.close()


def audio_stream(container: Any, codec: str, rate: int, channels: int, bitrate: int, layout: str = "") -> Any:
    """Add an audio stream to a PyAV container.

    Parameters
    ----------
    container : av.container.OutputContainer
    codec : str
    rate : int
        Hz.
    channels : int
    bitrate : int
        Bits per second of all channels.
    layout : str, optional
        As FFmpeg names it.
    """
    # Without it FFmpeg confuses the channels of Opus with 5 or 7 channels.
    options = {"mapping_family": "1"} if codec == "libopus" and channels > 2 else {}
    stream = container.add_stream(codec, rate=rate, options=options)
    stream.codec_context.layout = layout or DEFAULT_LAYOUTS[channels - 1]
    stream.codec_context.bit_rate = bitrate
    stream.codec_context.time_base = Fraction(1, rate)
    return stream


def audio_frame(stream: Any, block: np.ndarray, index: int) -> Any:
    """Return samples (channels, samples) as a frame for a stream of `audio_stream`, with its first sample's index."""
    context = stream.codec_context
    return interleaved_frame(block, context.layout.name, context.time_base.denominator, index)


def interleaved_frame(block: np.ndarray, layout: str, rate: int, index: int) -> Any:
    """Return samples (channels, samples) as an interleaved PyAV frame.

    Planar frames are unsafe: of eight planes PyAV counts one too many, and accesses memory beyond them.
    """
    import av

    samples = np.ascontiguousarray(block.T, np.float32).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(samples, format="flt", layout=layout)
    frame.time_base = Fraction(1, rate)
    frame.sample_rate = rate
    frame.pts = index
    return frame


def _integers(block: np.ndarray, bits: int) -> np.ndarray:
    """Round to `bits`-bit integers, left-aligned in 32 bits as libsndfile takes them."""
    dtype = np.dtype(np.float64) if bits > EXACT_BITS else block.dtype
    scale = dtype.type(2 ** (bits - 1))
    rounded = np.rint(block * scale)
    return np.clip(rounded, -scale, scale - 1, out=rounded).astype(np.int32) << (32 - bits)
