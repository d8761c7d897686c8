import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vocalsep.dsp.chunking import Chunker


def _copied(chunk):
    return dataclasses.replace(chunk, spectrum=chunk.spectrum.copy())


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 40), max_size=15),
    st.integers(1, 4),
    st.integers(0, 3),
    st.sampled_from([1, 4, 8]),
)
def test_cores_cover_the_song_and_contexts_surround_them(lengths, cores, contexts, stride):
    total = sum(lengths)
    song = np.arange(1.0, total + 1, dtype=np.complex64).reshape(1, 1, total)
    chunker = Chunker(1, 1, cores * stride, contexts * stride, stride)
    blocks = np.split(song, np.cumsum(lengths)[:-1], axis=2) if lengths else []
    # A chunk lies in memory that the next one is written to.
    chunks = [_copied(chunk) for block in blocks for chunk in chunker.push(block)]
    chunks += [_copied(chunk) for chunk in chunker.flush()]
    heard = [chunk.spectrum[0, 0, chunk.start : chunk.stop] for chunk in chunks]
    assert np.array_equal(np.concatenate([*heard, np.zeros(0)]), song[0, 0])
    padded = np.pad(song, ((0, 0), (0, 0), (0, -total % stride)))
    at = 0
    for chunk in chunks:
        begin = at - chunk.start
        assert begin % stride == 0
        assert chunk.spectrum.shape[2] % stride == 0
        assert np.array_equal(chunk.spectrum, padded[:, :, begin : begin + chunk.spectrum.shape[2]])
        core = chunk.stop - chunk.start
        assert begin == max(0, at - contexts * stride)
        assert begin + chunk.spectrum.shape[2] >= min(at + core + contexts * stride, padded.shape[2])
        at += core


def test_off_grid_sizes_are_refused():
    with pytest.raises(ValueError, match="multiples of the stride"):
        Chunker(1, 1, 10, 0, 4)
