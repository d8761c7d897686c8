import pytest
import torch

from vocalsep.dsp.front_end import FrontEndConfig
from vocalsep.errors import ModelError
from vocalsep.model_files.config import ModelConfig
from vocalsep.networks.level import relative_level
from vocalsep.networks.unet import UNet, UNetConfig

SMALL = UNetConfig(filters=(4, 8, 8), kernel=5, level_frames=4)


def test_has_the_size_that_jansson_published():
    network = UNet(UNetConfig())
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(9.8e6, rel=0.01)


@pytest.mark.parametrize(("bins", "frames"), [(8, 8), (64, 24), (16, 128)])
def test_masks_have_the_shape_of_the_input_and_lie_in_0_to_1(bins, frames):
    mask = UNet(SMALL).eval()(torch.rand(3, 2, bins, frames))
    assert mask.shape == (3, 2, bins, frames)
    assert mask.min() >= 0
    assert mask.max() <= 1


def test_no_frame_beyond_the_context_changes_a_mask():
    torch.manual_seed(0)
    network = UNet(SMALL).eval()
    frames, changed = 256, 128
    before = torch.rand(1, 2, 32, frames)
    after = before.clone()
    after[..., changed] += 3
    difference = (network(before) - network(after)).abs().amax(dim=(0, 1, 2))
    reached = difference.nonzero().flatten()
    assert changed - reached.min() <= SMALL.context
    assert reached.max() - changed <= SMALL.context
    assert reached.max() - reached.min() > SMALL.context / 2, "the bound is far from what is needed"


def test_masks_do_not_depend_on_the_level():
    torch.manual_seed(0)
    network = UNet(SMALL).eval()
    magnitude = torch.rand(1, 2, 32, 64)
    for gain in (1e-3, 10.0):
        assert torch.allclose(network(magnitude), network(magnitude * gain), atol=1e-4)


def test_silence_stays_finite():
    network = UNet(SMALL).eval()
    assert network(torch.zeros(1, 2, 32, 32)).isfinite().all()
    assert relative_level(torch.zeros(1, 1, 8, 8), 2).abs().max() == 0


def test_configuration_survives_json():
    config = ModelConfig(FrontEndConfig(bins=512), UNetConfig(filters=(4, 8)))
    assert ModelConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    "make",
    [
        lambda: FrontEndConfig(hop=3073),
        lambda: FrontEndConfig(n_fft=1 << 20),
        lambda: FrontEndConfig(bins=5000),
        lambda: FrontEndConfig(sample_rate=-1),
        lambda: UNetConfig(kernel=2),
        lambda: UNetConfig(filters=(10**9,)),
        lambda: UNetConfig(filters=(4,) * 99),
        lambda: UNetConfig(filters=()),
        lambda: UNetConfig(dropout=1.0),
        lambda: UNetConfig(compression=0.0),
        lambda: UNetConfig(channels=3),
        lambda: ModelConfig(FrontEndConfig(bins=1000)),
        lambda: ModelConfig(architecture="transformer"),
        lambda: ModelConfig.from_dict({}),
        lambda: ModelConfig.from_dict({**ModelConfig().to_dict(), "network": {"colour": "red"}}),
    ],
)
def test_impossible_configurations_are_refused(make):
    with pytest.raises(ModelError):
        make()
