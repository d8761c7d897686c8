"""MDX23C: our own network, for published weights."""

import json
import sys

import numpy as np
import pytest
import torch
from conftest import RATE, tones

from vocalsep import Separator
from vocalsep.errors import ModelError, OutputError
from vocalsep.inference.families import mdx23c
from vocalsep.model_files import store
from vocalsep.model_store.adding import add

AUDIO = {"dim_f": 64, "dim_t": 32, "hop_length": 256, "n_fft": 512, "num_channels": 2, "sample_rate": RATE}
MODEL = {
    "act": "gelu",
    "bottleneck_factor": 2,
    "growth": 2,
    "norm": "InstanceNorm",
    "num_blocks_per_scale": 2,
    "num_channels": 4,
    "num_scales": 2,
    "num_subbands": 4,
    "scale": [2, 2],
}
STEMS = {"instruments": ["Vocals", "Instrumental"], "target_instrument": None}
CONTENT = {"audio": AUDIO, "model": MODEL, "training": STEMS, "inference": {"num_overlap": 4}}
SEGMENT, OVERLAPS = 31 * 256, 4


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    monkeypatch.setenv(store.FOLDER_VARIABLE, str(tmp_path / "models"))


def checkpoint(path, content=CONTENT):
    """Write random weights and their configuration; return the network."""
    from vocalsep.inference.families.mdx23c_network import Network

    torch.manual_seed(0)
    target = content["training"]["target_instrument"]
    network = Network(4, 1 if target else 2, content["audio"]["dim_f"], content["model"]).eval()
    torch.save(network.state_dict(), path)
    path.with_suffix(".yaml").write_text(json.dumps(content))
    return network


def in_segments(network, song):
    """The network's sources, (sources, 2, samples), as other programs compute them: the mean of four segments each."""
    hop, length, window = SEGMENT // OVERLAPS, song.shape[1], torch.hann_window(512)
    before = SEGMENT - hop
    padded = torch.from_numpy(np.pad(song, ((0, 0), (before, 2 * SEGMENT))))
    total = torch.zeros(network.sources, *padded.shape)
    with torch.inference_mode():
        for start in range(0, before + length, hop):
            part = padded[:, start : start + SEGMENT]
            spectrum = torch.stft(part, 512, 256, window=window, return_complex=True)[:, :64]
            planes = torch.view_as_real(spectrum).permute(0, 3, 1, 2).reshape(1, 4, 64, 32)
            estimate = network(planes).reshape(-1, 2, 64, 32)
            whole = torch.zeros(len(estimate), 257, 32, dtype=torch.complex64)
            whole[:, :64] = torch.complex(estimate[:, 0], estimate[:, 1])
            signal = torch.istft(whole, 512, 256, window=window)
            total[..., start : start + SEGMENT] += signal.reshape(network.sources, 2, -1)
    return (total / OVERLAPS).numpy()[..., before : before + length]


def test_it_gives_the_mean_of_its_segments(tmp_path):
    network = checkpoint(tmp_path / "both.ckpt")
    song = tones(0.7)
    add(str(tmp_path / "both.ckpt"))
    stems = Separator("both").separate(song, RATE)
    expected = in_segments(network, song)
    assert np.abs(expected).max() > 1e-3
    assert np.abs(stems.vocals - expected[0]).max() < 1e-6
    assert np.abs(stems.vocals + stems.accompaniment - song).max() < 1e-6


def test_one_source_may_be_the_instrumental(tmp_path):
    content = {**CONTENT, "training": {"instruments": ["Vocals", "Instrumental"], "target_instrument": "Instrumental"}}
    network = checkpoint(tmp_path / "rest.ckpt", content)
    added = add(str(tmp_path / "rest.ckpt"))
    assert "the vocals are the rest" in added.remarks
    song = tones(0.4)
    vocals = Separator("rest").separate(song, RATE).vocals
    assert np.abs(vocals - (song - in_segments(network, song)[0])).max() < 1e-6


def test_names_and_shapes_of_weights_are_those_of_published_files(tmp_path):
    network = checkpoint(tmp_path / "a.ckpt")
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert shapes["first_conv.weight"] == (4, 16, 1, 1)
    assert shapes["encoder_blocks.1.tfc_tdf.blocks.0.tfc1.2.weight"] == (6, 6, 3, 3)
    assert shapes["encoder_blocks.0.tfc_tdf.blocks.1.tdf.2.weight"] == (8, 16)
    assert shapes["encoder_blocks.0.downscale.conv.2.weight"] == (6, 4, 2, 2)
    assert shapes["bottleneck_block.blocks.0.tdf.5.weight"] == (4, 2)
    assert shapes["decoder_blocks.0.upscale.conv.2.weight"] == (8, 6, 2, 2)
    assert shapes["decoder_blocks.1.tfc_tdf.blocks.0.shortcut.weight"] == (4, 8, 1, 1)
    assert shapes["decoder_blocks.1.tfc_tdf.blocks.1.tfc2.0.weight"] == (4,)
    assert shapes["final_conv.0.weight"] == (4, 20, 1, 1)
    assert shapes["final_conv.2.weight"] == (32, 4, 1, 1)


@pytest.mark.parametrize("norm", [None, "BatchNorm", "GroupNorm2"])
@pytest.mark.parametrize("act", ["relu", "elu0.5"])
def test_other_layers(tmp_path, norm, act):
    content = {**CONTENT, "model": {**MODEL, "norm": norm, "act": act}}
    network = checkpoint(tmp_path / "a.ckpt", content)
    add(str(tmp_path / "a.ckpt"))
    song = tones(0.3)
    assert np.abs(Separator("a").separate(song, RATE).vocals - in_segments(network, song)[0]).max() < 1e-6


@pytest.mark.parametrize(
    ("section", "key", "value", "says"),
    [
        ("model", "num_channels", 10**9, "num_channels must be"),
        ("model", "num_scales", 40, "num_scales must be"),
        ("model", "num_channels", 8, "do not fit the configuration"),
        ("model", "num_subbands", 5, "cannot halve"),
        ("model", "scale", 2, "scale must be"),
        ("model", "norm", "Other", "makes no sense"),
        ("model", "act", "swish", "makes no sense"),
        ("audio", "dim_t", 10**9, "frames must be"),
        ("audio", "n_fft", "many", "n_fft makes no sense"),
        ("audio", "n_fft", 1 << 30, "n_fft must be"),
        ("training", "instruments", ["kick", "snare"], "not the voice"),
    ],
)
def test_configurations_that_make_no_sense_are_refused(tmp_path, section, key, value, says):
    path = tmp_path / "a.ckpt"
    checkpoint(path)
    path.with_suffix(".yaml").write_text(json.dumps({**CONTENT, section: {**CONTENT[section], key: value}}))
    with pytest.raises(ModelError, match=says) as caught:
        add(str(path))
    assert "\n" not in str(caught.value)


def test_published_sizes_are_possible():
    """The largest published configuration, of which nothing is allocated."""
    network = {**MODEL, "bottleneck_factor": 4, "growth": 128, "num_channels": 128, "num_scales": 5}
    config = mdx23c.Config(network, ("vocals", "accompaniment"), 8192, 1024, 4096, 256, overlaps=8)
    assert config.shape.samples == 261120
    assert 10**8 < sum(parameter.numel() for parameter in mdx23c.build(config).parameters()) < 10**9


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of processes")
def test_a_converted_file_that_cannot_be_written_is_one_line(tmp_path):
    """As on a full disk: the system refuses what lies beyond a limit."""
    import resource

    checkpoint(tmp_path / "a.ckpt")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"cannot be written \(file too large\)") as caught:
            add(str(tmp_path / "a.ckpt"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.path == str(tmp_path / "models" / "a.safetensors")
    assert not (tmp_path / "models").exists()


def test_a_norm_of_no_groups_is_refused(tmp_path):
    checkpoint(tmp_path / "a.ckpt")
    content = {**CONTENT, "model": {**MODEL, "norm": "GroupNorm0"}}
    (tmp_path / "a.yaml").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="configuration makes no sense"):
        add(str(tmp_path / "a.ckpt"))
