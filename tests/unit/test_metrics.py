import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vocalsep.dsp.metrics import si_sdr, usdr
from vocalsep.errors import AudioError

SEEDS = st.integers(0, 2**16)


def noise(seed, channels=2, samples=500):
    return np.random.default_rng(seed).standard_normal((channels, samples))


@given(SEEDS, st.floats(-60, 60))
def test_an_error_of_known_level_has_its_ratio(seed, level_db):
    truth, error = noise(seed), noise(seed + 1)
    error *= np.linalg.norm(truth) / np.linalg.norm(error) * 10 ** (-level_db / 20)
    assert usdr(truth, truth + error) == pytest.approx(level_db, abs=1e-6)


@given(SEEDS, st.floats(-60, 60), st.floats(0.01, 100))
def test_si_sdr_ignores_gain_and_counts_what_is_orthogonal(seed, level_db, gain):
    truth, error = noise(seed), noise(seed + 1)
    error -= truth * np.vdot(error, truth) / np.vdot(truth, truth)
    error *= np.linalg.norm(truth) / np.linalg.norm(error) * 10 ** (-level_db / 20)
    assert si_sdr(truth, gain * (truth + error)) == pytest.approx(level_db, abs=1e-6)


@pytest.mark.parametrize("metric", [usdr, si_sdr])
def test_silence_and_perfection_have_defined_answers(metric):
    truth, silence = noise(0), np.zeros((2, 500))
    assert math.isnan(metric(silence, truth))
    assert math.isnan(metric(silence, silence))
    assert metric(truth, truth) == math.inf or metric(truth, truth) > 280
    assert usdr(truth, silence) == pytest.approx(0)
    assert math.isnan(si_sdr(truth, silence))


@pytest.mark.parametrize("metric", [usdr, si_sdr])
def test_other_shapes_are_refused(metric):
    with pytest.raises(AudioError, match="one shape"):
        metric(noise(0), noise(0, samples=499))
    with pytest.raises(AudioError, match="one shape"):
        metric(noise(0)[0], noise(0)[0])
