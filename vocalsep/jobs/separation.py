"""From an open source to its stems, block by block: the part that all jobs have in common."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator, Iterator, Sequence

import numpy as np

from ..audio.decoding import peak
from ..audio.source import Source, SourceInfo
from ..dsp.exact_sum import STEMS, exact_accompaniment, exact_parts
from ..errors import AudioError
from ..inference.backend import ACCOMPANIMENT, OTHER, VOCALS
from ..inference.engine import Engine
from ..system.background import prefetch
from ..system.cancellation import Cancellation

# Blocks that may wait between the stages.
DECODED_AHEAD, SEPARATED_AHEAD = 4, 16
NO_SAMPLES = "holds no samples: there is nothing to separate"


def separate_source(
    engine: Engine,
    source: Source,
    *,
    bits: int | None,
    gain: float = 1.0,
    first: int = 0,
    stop: int | None = None,
    instruments: Sequence[str] = (),
    cancellation: Cancellation | None = None,
) -> Generator[dict[str, np.ndarray], None, None]:
    """Decode and separate a source, and yield its stems block by block.

    Decoding, separating and what the caller does with the stems run at the same time, in threads of their own. Close
    the generator (``contextlib.closing``) to end them early.

    Parameters
    ----------
    engine : Engine
    source : Source
        Open, at its start.
    bits : int or None
        Bits of the integer format to be written, None for floating point.
    gain : float
        Linear gain of the mixture, as from `clip_guard_gain`.
    first, stop : int
        Samples of the song from which and up to which stems are yielded, by default all.
    instruments : sequence of str
        All of the engine's `instruments`, or none.
    cancellation : Cancellation, optional
        Ends the separation early, from any thread; cancelled in any case when the generator ends.

    Yields
    ------
    dict of str to ndarray (channels, samples)
        The stems, see `exact_stems`.

    Raises
    ------
    AudioError
        The source cannot be decoded, or holds no samples.
    ModelError
        The model makes NaN or infinite samples of it.
    CancelledError
        It was cancelled.
    """
    info = source.info
    cancellation = cancellation or Cancellation()
    with contextlib.closing(prefetch(_scaled_blocks(source, gain), DECODED_AHEAD)) as decoded:
        pairs = engine.sources_of(
            decoded,
            info.sample_rate,
            info.channels,
            sources=(VOCALS, *instruments),
            layout=info.layout,
            first=first,
            stop=stop,
            cancellation=cancellation,
        )
        with contextlib.closing(prefetch(pairs, SEPARATED_AHEAD, cancellation.cancel)) as separated:
            for mixture, sources in separated:
                yield exact_stems(mixture, sources, instruments, bits)
    if source.read == 0:
        raise AudioError(NO_SAMPLES)


def exact_stems(
    mixture: np.ndarray, sources: np.ndarray, instruments: Sequence[str] = (), bits: int | None = None
) -> dict[str, np.ndarray]:
    """Return the stems of a mixture by name, (channels, samples) each.

    Vocals and accompaniment sum to the mixture. With instruments, there is ``other``, and they and it sum to the
    accompaniment. All sums are exact, see `exact_parts`.

    Parameters
    ----------
    mixture : ndarray (channels, samples)
    sources : ndarray (1 + instruments, channels, samples)
        Vocals and instruments, from `Engine.sources_of`.
    instruments : sequence of str
    bits : int or None
        Bits of the integer format to be written, None for floating point.
    """
    stems = dict(zip(STEMS, exact_accompaniment(mixture, sources[0], bits), strict=True))
    if instruments:
        parts = exact_parts(stems[ACCOMPANIMENT], sources[1:], bits)
        stems.update(zip((*instruments, OTHER), parts, strict=True))
    return stems


def clip_guard_gain(info: SourceInfo, bits: int | None, salvage: bool = False) -> float:
    """Return the gain that brings a mixture beyond full scale into an integer format, which would clip it.

    Parameters
    ----------
    info : SourceInfo
        The file is decoded once more where its own format does not keep samples within full scale.
    bits : int or None
        Bits of the integer format to be written, None for floating point.
    salvage : bool
        Take what can be decoded of a damaged file.

    Returns
    -------
    gain : float
        Linear; 1 where nothing would clip.
    """
    if bits is None or info.bounded:
        return 1.0
    highest = peak(info.path, salvage, info.stream)
    return 1.0 if highest <= 1 else 1 / highest


def source_remarks(source: Source, gain: float = 1.0) -> list[str]:
    """Return what a person should know of a source that was decoded to its end, and separated with this gain."""
    remarks = []
    if gain != 1:
        remarks.append(f"peaks at {-20 * math.log10(gain):+.1f} dB: all stems are lowered by that much")
    if source.repaired:
        remarks.append(f"{source.repaired} samples are NaN, infinite or impossibly large: taken as silence")
    if source.damaged:
        remarks.append(f"damaged, {source.damaged}: split what could be decoded")
    return remarks + source.remarks


def _scaled_blocks(source: Source, gain: float) -> Iterator[np.ndarray]:
    for block in source.blocks():
        yield block if gain == 1 else block * block.dtype.type(gain)
