import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vocalsep.dsp.exact_sum import exact_accompaniment, exact_parts

SAMPLES = hnp.arrays(np.float64, (2, 50), elements=st.floats(-1, 1))
VOICES = hnp.arrays(np.float32, (2, 50), elements=st.floats(-3, 3, width=32))


@settings(max_examples=200, deadline=None)
@given(SAMPLES, VOICES, st.sampled_from([8, 16, 24, 32]))
def test_integer_stems_sum_to_the_mixture_and_stay_in_range(mixture, vocals, bits):
    scale = 2 ** (bits - 1)
    mixture = np.clip(np.rint(mixture * scale), -scale, scale - 1) / scale
    voice, rest = exact_accompaniment(mixture, vocals, bits)
    assert np.array_equal(voice + rest, mixture)
    for stem in (voice, rest):
        assert np.array_equal(np.rint(stem * scale), stem * scale)
        assert stem.min() >= -1
        assert stem.max() <= (scale - 1) / scale


@settings(max_examples=100, deadline=None)
@given(SAMPLES, VOICES)
def test_voices_in_range_are_only_rounded(mixture, vocals):
    voice, _ = exact_accompaniment(mixture, vocals, 16)
    inside = (np.abs(vocals) < 0.99) & (np.abs(mixture - vocals) < 0.99)
    assert np.abs(voice - vocals)[inside].max(initial=0) <= 0.5 / 32768 + 1e-9


@settings(max_examples=100, deadline=None)
@given(hnp.arrays(np.float32, (1, 40), elements=st.floats(-4, 4, width=32)), st.floats(0, 1, width=32))
def test_float_stems_sum_to_the_song_within_rounding(mixture, share):
    vocals = mixture * np.float32(share)
    voice, rest = exact_accompaniment(mixture, vocals)
    assert rest.dtype == mixture.dtype
    assert np.all(np.abs(voice + rest - mixture) <= np.spacing(np.abs(mixture).astype(np.float32) + 1e-30) * 2)


@settings(max_examples=100, deadline=None)
@given(SAMPLES, hnp.arrays(np.float32, (3, 2, 50), elements=st.floats(-3, 3, width=32)), st.sampled_from([8, 16, 24]))
def test_several_parts_sum_to_the_whole_and_stay_in_range(whole, estimates, bits):
    scale = 2 ** (bits - 1)
    whole = np.clip(np.rint(whole * scale), -scale, scale - 1) / scale
    parts = exact_parts(whole, estimates, bits)
    assert np.array_equal(sum(parts), whole)
    for part in parts:
        assert np.array_equal(np.rint(part * scale), part * scale)
        assert part.min() >= -1
        assert part.max() <= (scale - 1) / scale
    rest = whole - estimates.sum(axis=0)
    inside = (np.abs(estimates).max(axis=0) < 0.9) & (np.abs(rest) < 0.9)
    for part, estimate in zip(parts, estimates, strict=False):
        assert np.abs(part - estimate)[inside].max(initial=0) <= 0.5 / scale + 1e-6
