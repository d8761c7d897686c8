import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vocalsep.chunking import Chunker


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 40), max_size=15),
    st.integers(1, 4),
    st.integers(0, 3),
    st.sampled_from([1, 4, 8]),
)
def test_cores_are_the_whole_song_and_context_is_its_neighbourhood(lengths, cores, contexts, stride):
    total = sum(lengths)
    song = torch.arange(1.0, total + 1).reshape(1, 1, total)
    chunker = Chunker(cores * stride, contexts * stride, stride)
    chunks = [chunk for block in (song.split(lengths, dim=2) if lengths else []) for chunk in chunker.push(block)]
    chunks += list(chunker.flush())
    heard = [chunk.spectrum[0, 0, chunk.start : chunk.stop] for chunk in chunks]
    assert torch.equal(torch.cat([*heard, torch.zeros(0)]), song[0, 0])
    padded = torch.nn.functional.pad(song, (0, -total % stride))
    at = 0
    for chunk in chunks:
        begin = at - chunk.start
        assert begin % stride == 0
        assert chunk.spectrum.shape[2] % stride == 0
        assert torch.equal(chunk.spectrum, padded[:, :, begin : begin + chunk.spectrum.shape[2]])
        core = chunk.stop - chunk.start
        assert begin == max(0, at - contexts * stride)
        assert begin + chunk.spectrum.shape[2] >= min(at + core + contexts * stride, padded.shape[2])
        at += core


def test_off_grid_sizes_are_refused():
    with pytest.raises(ValueError, match="multiples of the stride"):
        Chunker(10, 0, 4)
