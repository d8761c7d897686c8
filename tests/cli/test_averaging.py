import pytest
import torch
from conftest import vocalsep

from vocalsep.dsp.front_end import FrontEndConfig
from vocalsep.errors import UsageError
from vocalsep.model_files.averaging import average
from vocalsep.model_files.checkpoint import load, save
from vocalsep.model_files.config import ModelConfig
from vocalsep.networks.spleeter import SpleeterConfig, SpleeterUNet
from vocalsep.networks.unet import UNet, UNetConfig

CONFIG = SpleeterConfig(filters=(4, 8))


def made(path, seed, config=CONFIG, **card):
    torch.manual_seed(seed)
    network = SpleeterUNet(config)
    save(path, network, ModelConfig(FrontEndConfig(bins=64), config, "spleeter"), card)
    return path


def test_the_average_is_the_weighted_mean_of_the_weights(tmp_path):
    paths = [made(tmp_path / f"{seed}.safetensors", seed, licence=f"L{seed % 2}") for seed in range(3)]
    parts = [load(path)[0].state_dict() for path in paths]
    network, config, card = average(paths, (1, 2, 1))
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, 0.25 * parts[0][name] + 0.5 * parts[1][name] + 0.25 * parts[2][name])
    assert config == load(paths[0])[1].config
    assert card["licence"] == "L0; L1"
    assert [part["share"] for part in card["average_of"]] == [0.25, 0.5, 0.25]


def test_the_average_of_a_model_with_itself_is_the_model(tmp_path):
    path = made(tmp_path / "a.safetensors", 1)
    out = tmp_path / "out.safetensors"
    done = vocalsep("average", path, path, "-o", out, "--licence", "MIT", "--figure", "a = b SDR=-1.5")
    assert done.returncode == 0, done.stderr
    network, info = load(out)
    assert info.card["licence"] == "MIT"
    assert info.card["figures"] == {"a = b SDR": -1.5}
    for name, tensor in load(path)[0].state_dict().items():
        assert torch.equal(network.state_dict()[name], tensor)


@pytest.mark.parametrize(
    ("weights", "message"),
    [((1,), "2 weights"), ((0, 0), "not all 0"), ((1, -1), "0 or more"), ((1, float("nan")), "0 or")],
)
def test_invalid_weights_are_refused(tmp_path, weights, message):
    paths = [made(tmp_path / f"{seed}.safetensors", seed) for seed in range(2)]
    with pytest.raises(UsageError, match=message):
        average(paths, weights)


def test_models_that_do_not_fit_are_one_line(tmp_path):
    first = made(tmp_path / "a.safetensors", 1)
    other = made(tmp_path / "b.safetensors", 1, SpleeterConfig(filters=(4, 4)))
    odd = ((first, first, *option) for option in (("--weights", "x"), ("--figure", "6.5"), ("--figure", "SDR=good")))
    for arguments in ((first, other), (first,), (first, tmp_path / "c.safetensors"), *odd):
        done = vocalsep("average", *arguments, "-o", tmp_path / "out.safetensors")
        assert done.returncode == 2
        assert len(done.stderr.decode().splitlines()) == 1
    assert not (tmp_path / "out.safetensors").exists()
    (tmp_path / "out.safetensors").write_text("mine")
    assert vocalsep("average", first, first, "-o", tmp_path / "out.safetensors").returncode == 2
    assert (tmp_path / "out.safetensors").read_text() == "mine"


def test_an_average_with_a_narrower_bottleneck(tmp_path):
    path = made(tmp_path / "a.safetensors", 1, SpleeterConfig(filters=(4, 8, 6)))
    out = tmp_path / "out.safetensors"
    for filters in (6, 5):
        done = vocalsep("average", path, path, "-o", out, "--bottleneck", filters, "--overwrite")
        assert done.returncode == 0, done.stderr
        network, info = load(out)
        assert info.config.network.filters == (4, 8, filters)
        assert info.card["bottleneck"] == filters
        magnitude = torch.rand(1, 2, 64, 16)
        with torch.no_grad():
            whole, narrow = (each.eval()(magnitude) for each in (load(path)[0], network))
        torch.testing.assert_close(narrow, whole, atol=1e-3 if filters == 6 else 0.1, rtol=0)

    torch.manual_seed(0)
    other = tmp_path / "unet.safetensors"
    config = UNetConfig(filters=(4, 8))
    save(other, UNet(config), ModelConfig(FrontEndConfig(bins=64), config, "unet"), {})
    for arguments, message in (
        ((path, path, "--bottleneck", 7), "1 to 6"),
        ((other, other, "--bottleneck", 2), "unet"),
    ):
        done = vocalsep("average", *arguments, "-o", tmp_path / "no.safetensors")
        assert done.returncode == 2
        assert message in done.stderr.decode().splitlines()[0]
        assert not (tmp_path / "no.safetensors").exists()
