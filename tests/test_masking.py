import numpy as np
import pytest
import torch
from conftest import RATE, tones

from vocalsep.config import FrontEndConfig
from vocalsep.masking import MaskStream, extend_mask
from vocalsep.networks.unet import UNet, UNetConfig

FRONT_END = FrontEndConfig(n_fft=256, hop=64, bins=64)


def test_the_mask_goes_on_above_the_band():
    mask = torch.rand(2, 64, 10)
    extended = extend_mask(mask, 129)
    assert extended.shape == (2, 129, 10)
    assert torch.equal(extended[:, :64], mask)
    assert torch.allclose(extended[:, 64:], mask[:, 56:].mean(dim=1, keepdim=True).expand(-1, 65, -1))
    assert torch.equal(extend_mask(mask, 64), mask)


class _Share(UNet):
    """A network that gives every bin the same share."""

    share = 1.0

    def forward(self, magnitude):
        return torch.full_like(magnitude, self.share)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("blocks", [[5000], [1, 63, 64, 4872], [700] * 7 + [100]])
def test_a_constant_mask_scales_the_mixture_and_delays_nothing(share, blocks):
    network = _Share(UNetConfig(filters=(2, 2))).eval()
    network.share = share
    stream = MaskStream(network, FRONT_END, 2, core=8, context=4, device=torch.device("cpu"))
    mixture = torch.randn(2, 5000, generator=torch.Generator().manual_seed(0))
    vocals = torch.cat([*(stream.push(block) for block in mixture.split(blocks, dim=1)), stream.flush()], dim=1)
    assert torch.allclose(vocals, share * mixture, atol=1e-5)


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
