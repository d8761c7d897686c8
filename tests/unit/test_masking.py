import time

import numpy as np
import pytest
import torch
from conftest import RATE, tones

from vocalsep.dsp.front_end import FrontEndConfig
from vocalsep.errors import ModelError
from vocalsep.inference.backend import MaskBackend, MaskShape
from vocalsep.inference.mask_stream import MaskStream, apply_mask
from vocalsep.training.estimate import extend_mask

FRONT_END = FrontEndConfig(n_fft=256, hop=64, bins=64)


def test_the_mask_goes_on_above_the_band():
    rng = np.random.default_rng(0)
    mask, spectrum = rng.random((2, 64, 10)), rng.random((2, 129, 10))
    vocals = apply_mask(spectrum, mask)
    assert np.array_equal(vocals[:, :64], mask * spectrum[:, :64])
    assert np.allclose(vocals[:, 64:], mask[:, 56:].mean(axis=1, keepdims=True) * spectrum[:, 64:])
    assert np.array_equal(apply_mask(spectrum[:, :64], mask), mask * spectrum[:, :64])
    trained = extend_mask(torch.from_numpy(mask), 129).numpy()
    assert np.allclose(trained * spectrum, vocals)


class Share(MaskBackend):
    """Gives every bin the same share."""

    def __init__(self, share):
        self.share = share
        self.shape = MaskShape(channels=2, stride=4, context=4)

    def masks(self, spectra, start, stop, cancellation=None):
        return np.full((spectra.shape[0], 2, FRONT_END.bins, stop - start), self.share, np.float32)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("blocks", [[5000], [1, 63, 64, 4872], [700] * 7 + [100]])
def test_constant_mask_scales_the_mixture_without_delay(share, blocks):
    stream = MaskStream(Share(share), FRONT_END, 2, core=8, context=4)
    mixture = np.random.default_rng(0).standard_normal((2, 5000)).astype(np.float32)
    parts = np.split(mixture, np.cumsum(blocks)[:-1], axis=1)
    vocals = np.concatenate([*(stream.push(block) for block in parts), stream.flush()], axis=1)
    assert np.allclose(vocals, share * mixture, atol=1e-5)


class Slow(Share):
    """Makes the masks of earlier chunks later, and counts how many it is asked for at the same time."""

    parallel_calls = 3

    def __init__(self):
        super().__init__(1.0)
        self.calls = self.running = self.most = 0

    def masks(self, spectra, start, stop, cancellation=None):
        self.calls += 1
        self.running += 1
        self.most = max(self.most, self.running)
        time.sleep(0.03 * (3 - self.calls % 3))
        self.running -= 1
        return super().masks(spectra, start, stop) * np.float32(spectra.real.mean())


def test_parallel_chunks_keep_their_order():
    mixture = np.random.default_rng(0).standard_normal((2, 8000)).astype(np.float32)
    slow = Slow()
    stream = MaskStream(slow, FRONT_END, 2, core=8, context=4)
    vocals = [np.concatenate([stream.push(mixture), stream.flush()], axis=1)]
    assert slow.most == 3
    slow.parallel_calls = 1
    stream = MaskStream(slow, FRONT_END, 2, core=8, context=4)
    vocals.append(
        np.concatenate([*(stream.push(block) for block in np.split(mixture, 80, axis=1)), stream.flush()], axis=1)
    )
    assert np.array_equal(*vocals)
    assert vocals[0].shape == mixture.shape


def test_an_error_of_one_chunk_is_raised():
    class Broken(Slow):
        def masks(self, spectra, start, stop, cancellation=None):
            if self.calls == 4:
                raise ModelError("broken")
            return super().masks(spectra, start, stop)

    stream = MaskStream(Broken(), FRONT_END, 2, core=8, context=4)
    with pytest.raises(ModelError, match="broken"):
        stream.push(np.ones((2, 8000), np.float32))


def test_vocals_keep_their_treble(separator):
    """There is no hole above the model's band, neither in the vocals nor in the accompaniment."""
    mixture = tones(6) + 0.05 * np.random.default_rng(0).standard_normal((2, 6 * RATE)).astype(np.float32)
    stems = separator.separate(mixture, RATE)
    spectra = [np.abs(np.fft.rfft(stem, axis=1)).mean(axis=0) for stem in (*stems, mixture)]
    at = lambda spectrum, low, high: spectrum[int(low * 6) : int(high * 6)].mean()  # noqa: E731
    for stem in spectra[:2]:
        below = at(stem, 9000, 10800) / at(spectra[2], 9000, 10800)
        above = at(stem, 11200, 20000) / at(spectra[2], 11200, 20000)
        assert above == pytest.approx(below, rel=0.5)
        assert above > 0
