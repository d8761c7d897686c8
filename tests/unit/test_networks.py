"""All architectures of the table, alike."""

import dataclasses

import numpy as np
import pytest
import torch
from conftest import tones

from vocalsep import Separator
from vocalsep.dsp.front_end import FrontEndConfig
from vocalsep.dsp.stft import stft
from vocalsep.errors import ModelError, UsageError
from vocalsep.model_files.checkpoint import load, save
from vocalsep.model_files.config import ModelConfig
from vocalsep.networks.folding import fold
from vocalsep.networks.network import MaskNetwork, WaveNetwork
from vocalsep.networks.table import ARCHITECTURES, build, config_class
from vocalsep.networks.unet3d import UNet3DConfig
from vocalsep.networks.wave_unet import WaveUNetConfig

RATE = 8000
FRONT_END = FrontEndConfig(RATE, 256, 64, 64)
SMALL_UNET = {"filters": (4, 6, 8), "level_frames": 3}
SMALL = {
    "unet": SMALL_UNET,
    "spleeter": SMALL_UNET,
    "resunet": SMALL_UNET,
    "denseunet": SMALL_UNET,
    "multiresunet": {**SMALL_UNET, "filters": (6, 8, 9)},
    "r2unet": SMALL_UNET,
    "attention-unet": SMALL_UNET,
    "attention-r2unet": SMALL_UNET,
    "unet3d": {**SMALL_UNET, "filters": (3, 4, 5)},
    "tfc-tdf": {**SMALL_UNET, "bins": 64, "filters": (8, 10, 12), "layers": 2},
    "band-tfc-tdf": {**SMALL_UNET, "bins": 64, "bands": 4, "filters": (8, 10, 12), "dilations": (1, 2)},
    "wave-unet": {"levels": 4, "filters": 4, "tile": 3000},
    "pair": {"network": SMALL_UNET},
}
VARIANTS = [
    *SMALL.items(),
    ("unet", {**SMALL_UNET, "kernel": 4}),
    ("unet", {**SMALL_UNET, "downsampling": "max-pool", "kernel": 3, "norm": "after", "activation": "relu"}),
    ("unet", {**SMALL_UNET, "norm": "none", "activation": "silu", "head": "magnitude"}),
    ("resunet", {**SMALL_UNET, "head": "magnitude"}),
    ("tfc-tdf", {**SMALL_UNET, "bins": 64, "skips": "concatenate"}),
    ("band-tfc-tdf", {**SMALL["band-tfc-tdf"], "mid_side": True}),
    ("band-tfc-tdf", {**SMALL_UNET, "bins": 64, "bands": 2, "filters": (8, 10), "layers": 2, "dilations": ()}),
    ("wave-unet", {"levels": 3, "filters": 4, "tile": 3000, "input_context": False}),
    ("wave-unet", {"levels": 3, "filters": 4, "tile": 3000, "upsampling": "learned", "difference": False}),
    ("pair", {"architecture": "resunet", "network": SMALL_UNET, "power": 1.0}),
]


def model(architecture, settings, channels=2, seed=0):
    """A network with weights and batch norm statistics that are not those of a beginning, and its configuration."""
    torch.manual_seed(seed)
    config = ModelConfig(FRONT_END, config_class(architecture)(channels=channels, **settings), architecture)
    network = build(architecture, config.network)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    for parameter in network.parameters():
        if parameter.dim() == 1 or parameter.shape[-1] == 1:
            parameter.data.add_(torch.randn_like(parameter) * 0.1)
    if settings.get("head") == "magnitude":
        network.head.bias.data.fill_(0.5)
    return network.eval(), config


def named(variant):
    return "-".join([variant[0], *(str(value) for value in variant[1].values() if isinstance(value, str | bool))])


def test_every_architecture_is_tested_here():
    assert set(SMALL) == set(ARCHITECTURES)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("variant", VARIANTS, ids=named)
def test_streamed_from_a_file_equals_whole_in_memory(variant, channels, tmp_path):
    if channels == 1 and variant[1].get("mid_side"):
        pytest.skip("one channel has no mid and side")
    network, config = model(*variant, channels)
    path = tmp_path / "model.safetensors"
    save(path, network, config, {})
    assert load(path)[1].config == config
    separator = Separator(path)
    mixture = tones(2.3, RATE)
    whole = separator.separate(mixture, RATE)
    assert whole.vocals.shape == mixture.shape
    assert np.abs(whole.vocals).max() > 1e-3
    assert np.abs(whole.vocals + whole.accompaniment - mixture).max() < 1e-6
    small = Separator(path, core_frames=16) if isinstance(network, MaskNetwork) else separator
    blocks = np.split(mixture, [1, 700, 701, 9000], axis=1)
    streamed = np.concatenate([stems.vocals for stems in small.stream(blocks, RATE)], axis=1)
    assert np.abs(streamed - whole.vocals).max() < 1e-5
    mono = separator.separate(mixture[0], RATE).vocals
    assert mono.shape == mixture[0].shape
    if channels == 1:
        assert np.abs(mono - whole.vocals[0]).max() < 1e-5


@pytest.mark.parametrize("variant", VARIANTS, ids=named)
def test_folded_batch_norms_change_nothing(variant):
    network, config = model(*variant)
    frames = 4 * config.network.stride
    inputs = torch.rand(1, 2, 64, frames) if isinstance(network, MaskNetwork) else torch.randn(1, 2, 3000)
    if isinstance(network, MaskNetwork) and not network.takes_magnitudes:
        inputs = network.network_input(torch.randn(1, 2, 129, frames, dtype=torch.complex64), 64)
    if isinstance(network, WaveNetwork):
        inputs = torch.randn(1, 2, config.network.input_samples(3000))
    expected = network(inputs)
    before = sum(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    fold(network)
    after = sum(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    if variant in (
        ("unet", SMALL["unet"]),
        *((name, SMALL[name]) for name in ("resunet", "attention-unet", "tfc-tdf")),
    ):
        assert after < before
    torch.testing.assert_close(network(inputs), expected, rtol=0, atol=1e-5)


MASKS = [variant for variant in VARIANTS if variant[0] != "wave-unet"]


@pytest.mark.parametrize("variant", MASKS, ids=named)
def test_masks_have_the_shape_of_the_input_and_lie_in_0_to_1(variant):
    network, _ = model(*variant)
    spectrum = torch.randn(3, 2, FRONT_END.all_bins, 32, dtype=torch.complex64)
    inputs = network.network_input(spectrum, FRONT_END.bins)
    masks = network(inputs)
    assert masks.shape == (3, 2 * network.sources, FRONT_END.bins, 32)
    assert masks.min() >= 0
    assert masks.max() <= 1
    assert network.masks_between(inputs, 8, 19).shape == (3, 2, FRONT_END.bins, 11)
    silent = network(network.network_input(torch.zeros_like(spectrum), FRONT_END.bins))
    assert silent.isfinite().all()


@pytest.mark.parametrize("variant", MASKS, ids=named)
def test_no_frame_beyond_the_context_changes_a_mask(variant):
    network, config = model(*variant)
    context, stride = config.network.context, config.network.stride
    frames = -(-(2 * context + 8) // stride) * stride
    before = torch.randn(1, 2, FRONT_END.all_bins, frames, dtype=torch.complex64)
    furthest = 0
    for changed in range(frames // 2, frames // 2 + stride, 3):
        after = before.clone()
        after[..., changed] *= 50
        inputs = (network.network_input(spectrum, FRONT_END.bins) for spectrum in (before, after))
        first, second = (network.masks_between(each, 0, frames) for each in inputs)
        reached = (first - second).abs().amax(dim=(0, 1, 2)).nonzero().flatten()
        furthest = max(furthest, changed - int(reached.min()), int(reached.max()) - changed)
    assert context / 2 < furthest <= context


def test_published_sizes():
    count = lambda name, **more: sum(p.numel() for p in build(name, config_class(name)(**more)).parameters())  # noqa: E731
    assert count("unet", channels=1) == pytest.approx(9.8e6, rel=0.01)
    # M4 of the paper hears one channel; its code says 10.26 million.
    assert count("wave-unet", channels=1) == pytest.approx(10.2e6, rel=0.01)
    assert count("pair", channels=1) == 2 * count("unet", channels=1)
    # Dense 3x3 layers are what separates these from each other at equal width.
    assert count("r2unet") < count("attention-r2unet") < 1.1 * count("r2unet")


def test_wave_unet_has_the_input_size_of_the_paper():
    config = WaveUNetConfig(channels=1)
    assert config.input_samples(16384) == 147443
    with torch.device("meta"):
        assert build("wave-unet", config)(torch.empty(1, 1, 147443)).shape == (1, 1, 16389)


def test_wave_unet_depends_on_its_context_only():
    network, config = model("wave-unet", {"levels": 3, "filters": 4})
    context, length = config.network.context_samples, config.network.input_samples(100)
    network = network.double()
    before = torch.randn(1, 2, length, dtype=torch.float64)
    estimated = network(before).shape[-1]
    assert length == estimated + 2 * context >= 100 + 2 * context
    shift = 2**config.network.levels
    moved = network(torch.nn.functional.pad(before, (shift, 0))[..., :length])
    torch.testing.assert_close(moved[..., shift:], network(before)[..., :-shift], rtol=0, atol=1e-6)
    for place in (0, length - 1):
        after = before.clone()
        after[..., place] += 1
        changed = (network(after) - network(before)).abs().amax(dim=(0, 1))
        first, others = (changed[0], changed[shift:]) if place == 0 else (changed[-1], changed[:-shift])
        assert first > 0
        assert others.max() == 0


def test_the_last_tile_of_a_song_ends_where_the_song_ends(tmp_path):
    network, config = model("wave-unet", {"levels": 3, "filters": 4, "tile": 1000})
    save(tmp_path / "m.safetensors", network, config, {})
    mixture = tones(0.3, RATE)[:, :2300]
    vocals = Separator(tmp_path / "m.safetensors").separate(mixture, RATE).vocals
    context = config.network.context_samples
    padded = torch.nn.functional.pad(torch.from_numpy(mixture), (context, context + 64))[None]
    network = load(tmp_path / "m.safetensors")[0]
    length = config.network.input_samples(1000)
    for start, first in ((0, 0), (1000, 1000), (1300, 2000)):
        with torch.no_grad():
            tile = network(padded[..., start : start + length])[0, :, :1000].numpy()
        last = min(first + 1000, 2300)
        assert np.abs(vocals[:, first:last] - tile[:, first - start : last - start]).max() < 1e-6


def test_waveform_models_refuse_what_only_masks_have(tmp_path):
    network, config = model("wave-unet", SMALL["wave-unet"])
    assert isinstance(network, WaveNetwork)
    save(tmp_path / "m.safetensors", network, config, {})
    for options in ({"hard": True}, {"overlap": 1.0}, {"core_frames": 64}):
        with pytest.raises(UsageError, match="waveforms"):
            Separator(tmp_path / "m.safetensors", **options)


def test_hard_masks_give_each_bin_to_one_stem(tmp_path):
    network, config = model("unet", SMALL["unet"])
    save(tmp_path / "m.safetensors", network, config, {})
    mixture = tones(2.0, RATE)
    soft, hard = (Separator(tmp_path / "m.safetensors", hard=hard).separate(mixture, RATE) for hard in (False, True))
    frames, all_of_them = (stft(torch.from_numpy(sound), FRONT_END) for sound in (hard.vocals, mixture))
    assert np.abs(hard.vocals - soft.vocals).max() > 1e-3
    assert np.abs(hard.vocals + hard.accompaniment - mixture).max() < 1e-6
    assert frames.abs().sum() != all_of_them.abs().sum()


def test_shorter_windows_from_one_spectrum():
    """The n-th power of a window, made by convolving bins, is the transform under that power."""
    from vocalsep.networks.unet3d import UNet3D

    network = UNet3D(UNet3DConfig(filters=(2, 3), powers=(1, 4, 16)))
    signal = torch.randn(1, 2, 4000, dtype=torch.float64)
    window = torch.hann_window(256, dtype=torch.float64)
    pieces = signal.unfold(-1, 256, 64)
    spectrum = torch.fft.rfft(pieces * window).transpose(-1, -2)
    for bins in (64, 129):
        inputs = network.network_input(spectrum, bins).unflatten(1, (3, 2))
        for place, power in enumerate((1, 4, 16)):
            expected = torch.fft.rfft(pieces * window**power).transpose(-1, -2).abs()[:, :, :bins]
            torch.testing.assert_close(inputs[:, place], expected, rtol=1e-9, atol=1e-9)


def test_a_pair_is_the_ratio_of_its_two():
    network, _ = model("pair", SMALL["pair"])
    inputs = torch.rand(1, 2, 64, 16)
    vocals, accompaniment = network(inputs).chunk(2, dim=1)
    torch.testing.assert_close(
        network.masks_between(inputs, 3, 9), (vocals**2 / (vocals**2 + accompaniment**2))[..., 3:9]
    )


@pytest.mark.parametrize("head", ["mask", "magnitude"])
def test_magnitude_head_exceeds_the_mixture_only_in_training(head):
    network, _ = model("unet", {**SMALL["unet"], "head": head})
    network.head.bias.data.fill_(30.0)
    inputs = torch.rand(1, 2, 64, 16)
    assert network(inputs).max() <= 1
    assert (network.train()(inputs).max() > 1) == (head == "magnitude")


@pytest.mark.parametrize(
    ("architecture", "settings"),
    [
        ("unet", {"head": "sigmoid"}),
        ("unet", {"kernel": 4, "downsampling": "max-pool"}),
        ("unet", {"activation": "swish"}),
        ("resunet", {"filters": (10**9,)}),
        ("denseunet", {"layers": 0}),
        ("multiresunet", {"alpha": -1}),
        ("r2unet", {"steps": 100}),
        ("unet3d", {"powers": (2, 4)}),
        ("unet3d", {"powers": ()}),
        ("tfc-tdf", {"bins": 1000}),
        ("band-tfc-tdf", {"bins": 1000}),
        ("band-tfc-tdf", {"channels": 1, "mid_side": True}),
        ("band-tfc-tdf", {"mid_side": "yes"}),
        ("band-tfc-tdf", {"dilations": (0,)}),
        ("band-tfc-tdf", {"head": "magnitude"}),
        ("wave-unet", {"kernel": 4}),
        ("wave-unet", {"levels": 99}),
        ("wave-unet", {"difference": "yes"}),
        ("pair", {"architecture": "pair"}),
        ("pair", {"network": {"colour": "red"}}),
        ("pair", {"channels": 1, "network": {"channels": 2}}),
    ],
)
def test_impossible_configurations_are_refused(architecture, settings):
    with pytest.raises(ModelError):
        config_class(architecture)(**settings)


def test_pairs_of_waveform_networks_and_other_bins_are_refused():
    with pytest.raises(ModelError, match="must estimate masks"):
        build("pair", config_class("pair")(architecture="wave-unet"))
    with pytest.raises(ModelError, match="is for 512 bins"):
        ModelConfig(FrontEndConfig(), config_class("tfc-tdf")(bins=512), "tfc-tdf")


@pytest.mark.parametrize("hop", [192, 128, 100, 64])
def test_inverse_stft_is_exact_for_hops_up_to_three_quarters(hop):
    from vocalsep.dsp.stft import frames_inside, istft, samples_inside
    from vocalsep.dsp.streaming_stft import InverseStft, Stft

    config = dataclasses.replace(FRONT_END, hop=hop)
    signal = torch.randn(2, 3001)
    torch.testing.assert_close(istft(stft(signal, config), config, 3001), signal, rtol=0, atol=2e-5)
    forward, inverse = Stft(config, 2), InverseStft(config, 2)
    frames = [*(forward.push(block.numpy()) for block in signal.split([5, 700, 2296], dim=1)), forward.flush()]
    back = np.concatenate([inverse.push(block) for block in frames], axis=1)[:, :3001]
    torch.testing.assert_close(torch.from_numpy(back), signal, rtol=0, atol=2e-5)
    inside = samples_inside(frames_inside(signal, config), config)
    start = config.n_fft - hop
    torch.testing.assert_close(inside, signal[:, start : start + inside.shape[1]], rtol=0, atol=2e-5)
    with pytest.raises(ModelError, match="three quarters"):
        FrontEndConfig(RATE, 256, 193, 64)
