import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from vocalsep.errors import ModelError
from vocalsep.networks.spleeter import SpleeterConfig, SpleeterUNet

SMALL = SpleeterConfig(filters=(4, 8, 8))


def randomised(config):
    torch.manual_seed(0)
    network = SpleeterUNet(config)
    for name, tensor in network.state_dict().items():
        if "running_var" in name:
            tensor.uniform_(0.5, 2)
        elif tensor.is_floating_point():
            tensor.normal_(0, 0.3)
    return network.eval()


def test_has_the_size_of_spleeters_own():
    assert sum(p.numel() for p in SpleeterUNet(SpleeterConfig()).parameters()) == pytest.approx(9.8e6, rel=0.01)


def test_is_spleeters_network_padded_as_tensorflow_pads():
    """The same network written down again with TensorFlow's padding and the kernels the other way round."""
    network = randomised(SMALL)
    magnitude = torch.rand(2, 2, 32, 40)
    hidden, skips = magnitude, []
    for depth, layer in enumerate(network.encoder):
        hidden = functional.conv2d(functional.pad(hidden, (1, 2, 1, 2)), layer.weight.flip(2, 3), layer.bias, stride=2)
        skips.append(hidden)
        if depth < len(network.activations):
            hidden = network.activations[depth](hidden)
    hidden = skips.pop()
    for layer, norm in zip(network.decoder, network.norms, strict=True):
        height, width = (2 * side for side in hidden.shape[2:])
        hidden = functional.conv_transpose2d(hidden, layer.weight.flip(2, 3), layer.bias, stride=2)
        hidden = norm(hidden[:, :, 1 : 1 + height, 1 : 1 + width])
        if skips:
            hidden = torch.cat([skips.pop(), hidden], dim=1)
    head = functional.conv2d(hidden, network.head.weight.flip(2, 3), network.head.bias, dilation=2, padding=3)
    torch.testing.assert_close(network(magnitude), torch.sigmoid(head), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("config", [SMALL, SpleeterConfig(filters=(4, 4), level_frames=5, level=7.0)])
def test_no_frame_beyond_the_context_changes_a_mask(config):
    network = randomised(config).double()
    frames = 256
    before = torch.rand(1, 2, 16, frames, dtype=torch.float64)
    reach = 0
    for changed in range(120, 120 + config.stride):
        after = before.clone()
        after[..., changed] += 3
        difference = (network(before) - network(after)).abs().amax(dim=(0, 1, 2))
        reached = difference.nonzero().flatten()
        reach = max(reach, changed - int(reached.min()), int(reached.max()) - changed)
    assert config.context / 2 < reach <= config.context


def test_with_a_level_masks_do_not_depend_on_the_loudness():
    network = randomised(SpleeterConfig(filters=(4, 8), level_frames=4, level=2.0))
    magnitude = torch.rand(1, 2, 32, 64)
    torch.testing.assert_close(network(magnitude), network(magnitude * 10), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: SpleeterConfig(filters=(4,)),
        lambda: SpleeterConfig(dropout=1.0),
        lambda: SpleeterConfig(level=0.0),
        lambda: SpleeterConfig(level=float("nan")),
        lambda: SpleeterConfig(level_frames=-1),
        lambda: SpleeterConfig(channels=9),
    ],
)
def test_impossible_configurations_are_refused(make):
    with pytest.raises(ModelError):
        make()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_masks_between_are_those_of_the_whole(data):
    network = randomised(data.draw(st.sampled_from([SMALL, SpleeterConfig(filters=(2, 3, 4, 5), level_frames=3)])))
    frames = network.config.stride * data.draw(st.integers(1, 8))
    start = data.draw(st.integers(0, frames - 1))
    stop = data.draw(st.integers(start + 1, frames))
    magnitude = torch.rand(1, 2, 2 * network.config.stride, frames)
    whole = network(magnitude)[..., start:stop]
    torch.testing.assert_close(network.masks_between(magnitude, start, stop), whole, atol=1e-5, rtol=1e-4)
