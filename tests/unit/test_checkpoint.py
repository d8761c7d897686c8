import json
import pathlib

import pytest
import torch
from safetensors.torch import save_file

from vocalsep.dsp.front_end import FrontEndConfig
from vocalsep.errors import ModelError, OutputError
from vocalsep.model_files import registry
from vocalsep.model_files.checkpoint import load, read_info, save
from vocalsep.model_files.config import ModelConfig
from vocalsep.networks.unet import UNet, UNetConfig

CONFIG = ModelConfig(FrontEndConfig(n_fft=256, hop=64, bins=64), UNetConfig(filters=(2, 4)))


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "small.safetensors"
    save(path, UNet(CONFIG.network), CONFIG, {"licence": "CC0"})
    return path


def test_a_model_file_rebuilds_its_network(model):
    network, info = load(model)
    assert info.config == CONFIG
    assert info.card == {"licence": "CC0"}
    assert not network.training
    assert network(torch.rand(1, 2, 64, 8)).shape == (1, 2, 64, 8)
    again = model.with_name("again.safetensors")
    save(again, network, info.config, info.card)
    first, second = load(model)[0].state_dict(), load(again)[0].state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def _header(path: pathlib.Path) -> tuple[dict, bytes]:
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def _rewrite(path: pathlib.Path, header: dict | list, body: bytes) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def _text(path):
    path.write_text("I am no model")


def _empty(path):
    path.write_bytes(b"")


def _pickle(path):
    torch.save({"a": torch.zeros(3)}, path)


def _huge_header(path):
    path.write_bytes((1 << 60).to_bytes(8, "little") + b"{}")


def _header_is_a_list(path):
    _rewrite(path, [], b"")


def _shape_without_end(path):
    header, body = _header(path)
    header["encoder.0"] = {"dtype": "F16", "shape": [float("inf")], "data_offsets": [0, 0]}
    _rewrite(path, header, body)


def _no_configuration(path):
    save_file({"a": torch.zeros(3)}, path)


def _change_network(path, change):
    header, body = _header(path)
    metadata = json.loads(header["__metadata__"]["vocalsep"])
    metadata["config"]["network"] = change(metadata["config"]["network"])
    header["__metadata__"]["vocalsep"] = json.dumps(metadata)
    _rewrite(path, header, body)


def _other_width(path):
    _change_network(path, lambda network: {**network, "filters": [2, 8]})


def _impossible_width(path):
    _change_network(path, lambda network: {**network, "filters": [4096] * 10})


def _network_is_a_number(path):
    _change_network(path, lambda network: 5)


def _not_finite(path):
    network, info = load(path)
    network.requires_grad_(False)
    next(network.parameters())[0] = float("nan")
    save(path, network, info.config, info.card)


@pytest.mark.parametrize(
    "spoil",
    [
        _truncate,
        _text,
        _empty,
        _pickle,
        _huge_header,
        _header_is_a_list,
        _shape_without_end,
        _no_configuration,
        _other_width,
        _impossible_width,
        _network_is_a_number,
        _not_finite,
        pathlib.Path.unlink,
    ],
)
def test_a_broken_model_file_is_one_clear_error(model, spoil):
    spoil(model)
    with pytest.raises(ModelError) as caught:
        load(model)
    assert str(model) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_saving_where_no_folder_can_be_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        save(tmp_path / "file" / "m.safetensors", UNet(CONFIG.network), CONFIG, {})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_shipped_model_is_whole():
    path = registry.find("default")
    assert registry.published_checksums()[path.name] == registry.checksum(path)
    card = read_info(path).card
    assert card["licence"]
    assert card["figures"]
    assert path.stat().st_size < 45e6


def test_a_damaged_installation_is_noticed(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "default.safetensors").write_bytes(b"other bytes")
    (folder / registry.CHECKSUMS).write_text(f"{'0' * 64}  default.safetensors\n")
    monkeypatch.setattr(registry, "models_folder", lambda: folder)
    with pytest.raises(ModelError, match="install vocalsep again"):
        registry.find("default")


def test_unknown_models_are_named(tmp_path):
    with pytest.raises(ModelError, match=r"unknown model 'nope'; known are .*default"):
        registry.find("nope")
    with pytest.raises(ModelError, match="no such model file"):
        registry.find(tmp_path / "gone.safetensors")
