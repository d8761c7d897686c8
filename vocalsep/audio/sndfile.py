"""Decode with libsndfile: wav, flac, ogg, opus, aiff and more."""

from __future__ import annotations

import contextlib
import pathlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .formats import FLOAT_SUBTYPES, INTEGER_BITS
from .layouts import ASSUMED, FLAC_LAYOUTS, MASK_COMMENT, VORBIS_ORDER, layout_of_mask
from .native import native
from .source import BLOCK_SAMPLES, Source, SourceInfo

if TYPE_CHECKING:
    import soundfile

# libsndfile's length of a file that does not say.
UNKNOWN_LENGTH = 1 << 62
# Some encoders count a packet more than their stream decodes to.
LOSSY_SLACK_S = 0.1
# Programs that write a WAV to a pipe put a size about this large in its header.
STREAMED_WAV = 0x7FFF0000


class SoundFileSource(Source):
    """A file that libsndfile decodes; see `Source`."""

    def __init__(self, path: pathlib.Path, salvage: bool):
        import soundfile

        self.file: soundfile.SoundFile = soundfile.SoundFile(native(path))
        file = self.file
        lossless = file.subtype in INTEGER_BITS or file.subtype in FLOAT_SUBTYPES or file.subtype.startswith("ALAC")
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
                samples=_announced(file),
                subtype=subtype,
                lossy=not lossless,
                slack_s=0.0 if lossless else LOSSY_SLACK_S,
                layout=_layout(path, file),
            ),
            salvage,
        )
        if file.format == "OGG" and file.channels in VORBIS_ORDER:
            # libsndfile gives them in the order that they have in the file.
            self.order = [VORBIS_ORDER[file.channels].index(place) for place in range(file.channels)]

    def close(self) -> None:
        """Close the file."""
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


def _announced(file: Any) -> int | None:
    """Samples that a file says it holds; libsndfile itself counts those that are left of a truncated WAV."""
    if not 0 <= file.frames < UNKNOWN_LENGTH:
        return None
    told = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    if told and int(told[1]) < STREAMED_WAV and int(told[2]):
        return int(file.frames * int(told[1]) // int(told[2]))
    return int(file.frames)


def _layout(path: pathlib.Path, file: Any) -> str:
    """Return the channel layout as `layouts` names it; empty where the file does not say."""
    mask = re.search(r"^ *Channel Mask *: 0x([0-9A-F]+)", file.extra_info, re.MULTILINE)
    if mask:
        return layout_of_mask(int(mask[1], 16), file.channels)
    if file.channels > 2 and file.format == "FLAC":
        from mutagen import MutagenError
        from mutagen.flac import FLAC

        # Without the comment, or with one that is no number.
        with contextlib.suppress(MutagenError, LookupError, TypeError, ValueError):
            comments: Any = FLAC(path).tags
            return layout_of_mask(int(comments[MASK_COMMENT][0], 16), file.channels)
    known = {"FLAC": FLAC_LAYOUTS, "OGG": ASSUMED}.get(file.format, ())
    return known[file.channels - 1] if file.channels <= len(known) else ""
