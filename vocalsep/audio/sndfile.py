"""Decode with libsndfile: wav, flac, ogg, opus, aiff and more."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import AudioError
from .byte_range import ByteRange, ByteRangeFile
from .container import AvioFile
from .formats import FLOAT_SUBTYPES, INTEGER_BITS, SAMPLE_BYTES
from .layouts import DEFAULT_LAYOUTS, FLAC_LAYOUTS, MASK_COMMENT, VORBIS_ORDER, layout_of_mask
from .source import BLOCK_SAMPLES, Source, SourceInfo
from .wave_ranges import STREAMED

if TYPE_CHECKING:
    import soundfile

# libsndfile's length of a file that does not say.
UNKNOWN_LENGTH = 1 << 62
# Some encoders count one packet more than can be decoded.
LOSSY_TOLERANCE_S = 0.1
# Samples of the longest frame of a FLAC.
LONGEST_BLOCK = 1 << 16


class SoundFileSource(Source):
    """Decode a file with libsndfile; see `Source`."""

    def __init__(self, path: pathlib.Path, salvage: bool, byte_range: ByteRange):
        import soundfile

        self.seekable = not byte_range.patches and byte_range.start == 0 and byte_range.stop == path.stat().st_size
        self.avio = None if self.seekable else AvioFile(ByteRangeFile(path.open("rb"), byte_range))
        try:
            self.file: soundfile.SoundFile = soundfile.SoundFile(self.avio or libsndfile_path(path))
        except BaseException:
            self._close_range()
            raise
        file = self.file
        lossless = file.subtype in INTEGER_BITS or file.subtype in FLOAT_SUBTYPES or file.subtype.startswith("ALAC")
        subtype = file.subtype if lossless else "FLOAT"
        if subtype.startswith("ALAC_"):
            subtype = {"ALAC_16": "PCM_16", "ALAC_20": "PCM_24", "ALAC_24": "PCM_24"}.get(subtype, "PCM_32")
        samples = file.frames if 0 <= file.frames < UNKNOWN_LENGTH else None
        super().__init__(
            SourceInfo(
                path=path,
                container=file.format,
                codec=file.subtype,
                sample_rate=file.samplerate,
                channels=file.channels,
                samples=samples,
                subtype=subtype,
                lossy=not lossless,
                length_tolerance_s=LONGEST_BLOCK / file.samplerate
                if byte_range.patches
                else 0.0
                if lossless
                else LOSSY_TOLERANCE_S,
                layout=_layout(path, file),
            ),
            salvage,
        )
        self.header_samples = max(
            byte_range.header_samples if byte_range.patches else samples or 0, _header_samples(file)
        )
        self.order = wave_order(file.format, file.channels)

    def close(self) -> None:
        """Close the file."""
        self.file.close()
        self._close_range()

    def _close_range(self) -> None:
        if self.avio is not None:
            self.avio.file.close()

    def _decoded(self) -> Iterator[np.ndarray]:
        import soundfile

        info = self.info
        dtype = np.float64 if info.wide else np.float32
        decoded = 0
        while True:
            # Samples that libsndfile has not written stay NaN: those before an error are valid.
            left = BLOCK_SAMPLES if info.samples is None else info.samples - decoded
            block = np.full((min(BLOCK_SAMPLES, left), info.channels), np.nan, dtype)
            try:
                block = self.file.read(out=block)
            except soundfile.LibsndfileError as error:
                block = block[: _filled(block)]
                yield np.ascontiguousarray(block.T)
                self._report_undecodable(decoded + len(block), error.error_string.rstrip("."))
                return
            if len(block) == 0:
                break
            decoded += len(block)
            yield np.ascontiguousarray(block.T)
        if self.avio is not None and self.avio.error is not None:
            raise AudioError(f"cannot be read ({self.avio.error.strerror})")

    def _report_undecodable(self, decoded: int, reason: str) -> None:
        """Report a block that cannot be decoded: as damage, or as the incomplete last packet of a recording."""
        info = self.info
        if info.samples is not None and self.header_samples <= decoded and info.samples - decoded <= LONGEST_BLOCK:
            self.remarks.append("its last packet is cut off: split up to there")
        else:
            self._damage(f"at {decoded / info.sample_rate:.1f} s ({reason})")


def libsndfile_path(path: pathlib.Path) -> bytes | str:
    """Return a path in the form that libsndfile opens, also where the name is not valid text."""
    return os.fsencode(path) if os.name == "posix" else str(path)


def wave_order(container: str, channels: int) -> list[int] | None:
    """Return which of libsndfile's channels comes first, second ... in a WAVE file; None where the order is the same.

    libsndfile keeps the order of the file, and Ogg has an order of its own.

    Parameters
    ----------
    container : str
        libsndfile's name of the format.
    channels : int
    """
    if container != "OGG" or channels not in VORBIS_ORDER:
        return None
    return [VORBIS_ORDER[channels].index(channel) for channel in range(channels)]


def _filled(block: np.ndarray) -> int:
    """Return the number of samples before the first that was not written."""
    empty = np.isnan(block).all(axis=1)
    return int(empty.argmax()) if empty.any() else len(block)


def _header_samples(file: Any) -> int:
    """Return the samples that the header of a WAV gives where the file holds fewer; else 0."""
    sizes = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    if sizes and int(sizes[1]) < STREAMED and int(sizes[2]):
        width = SAMPLE_BYTES.get(file.subtype, 0) * file.channels
        return int(sizes[1]) // width if width else int(file.frames * int(sizes[1]) // int(sizes[2]))
    return 0


def _layout(path: pathlib.Path, file: Any) -> str:
    """Return the channel layout, see `layouts`; empty where the file does not name it."""
    mask = re.search(r"^ *Channel Mask *: 0x([0-9A-F]+)", file.extra_info, re.MULTILINE)
    if mask:
        return layout_of_mask(int(mask[1], 16), file.channels)
    if file.channels > 2 and file.format == "FLAC":
        from mutagen import MutagenError
        from mutagen.flac import FLAC

        # The comment may be missing or no number.
        with contextlib.suppress(MutagenError, LookupError, TypeError, ValueError):
            comments: Any = FLAC(path).tags
            return layout_of_mask(int(comments[MASK_COMMENT][0], 16), file.channels)
    known = {"FLAC": FLAC_LAYOUTS, "OGG": DEFAULT_LAYOUTS}.get(file.format, ())
    return known[file.channels - 1] if file.channels <= len(known) else ""
