"""Files of other programs are read without running anything that is in them."""

import collections
import contextlib
import fractions
import io
import os
import pickle
import random
import types
import zipfile

import numpy as np
import pytest
import torch

from vocalsep.errors import ModelError
from vocalsep.model_files.torch_archive import ClassName, read_legacy_torch_file, read_torch_file, weights_in
from vocalsep.model_files.yaml_file import read_yaml


class Command:
    """What a malicious pickle holds: a call that Python makes while it reads."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def fields_of(module, name):
    """Make a class of a module that is not installed, so that a pickle names it."""
    made = type(name, (), {"__module__": module})
    parts = module.split(".")
    modules = {".".join(parts[: end + 1]): types.ModuleType(parts[end]) for end in range(len(parts))}
    setattr(modules[module], name, made)
    return made, modules


def test_tensors_of_every_kind_are_read(tmp_path):
    whole = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    state = collections.OrderedDict(
        half=whole.half(),
        brain=whole.bfloat16(),
        double=whole.double(),
        long=torch.tensor([1, -2]),
        flags=torch.tensor([True, False]),
        number=torch.tensor(7),
        nothing=torch.zeros(0, 3),
        rows=whole[1:3],
        turned=whole.T,
        shared=whole,
        parameter=torch.nn.Parameter(whole),
    )
    content = {
        "state_dict": state,
        "epoch": 3,
        "name": "song",
        "segment": fractions.Fraction(39, 5),
        "none": [None, 1.5],
    }
    torch.save(content, tmp_path / "a.ckpt")
    read = read_torch_file(tmp_path / "a.ckpt")
    assert {key: read[key] for key in ("epoch", "name", "segment", "none")} == {
        key: content[key] for key in ("epoch", "name", "segment", "none")
    }
    weights = weights_in(read)
    assert list(weights) == list(state)
    for name, tensor in state.items():
        expected = tensor.detach()
        expected = (expected.float() if expected.dtype == torch.bfloat16 else expected).numpy()
        assert weights[name].dtype == expected.dtype, name
        assert weights[name].shape == expected.shape, name
        assert np.array_equal(weights[name], expected), name


def test_the_class_that_a_checkpoint_names_is_a_text(tmp_path, monkeypatch):
    made, modules = fields_of("somewhere.networks", "Network")
    with monkeypatch.context() as patch:
        for name, module in modules.items():
            patch.setitem(__import__("sys").modules, name, module)
        torch.save({"klass": made, "state": {"w": torch.ones(2)}}, tmp_path / "a.th")
    read = read_torch_file(tmp_path / "a.th")
    assert isinstance(read["klass"], ClassName)
    assert read["klass"] == "somewhere.networks.Network"


@pytest.mark.parametrize("legacy", [False, True], ids=["archive", "before 1.6"])
def test_a_pickle_with_code_is_refused_and_nothing_is_run(tmp_path, legacy):
    evidence = tmp_path / "it-was-run"
    path = tmp_path / "a.ckpt"
    torch.save({"w": torch.ones(2), "more": Command(evidence)}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ModelError) as caught:
        (read_legacy_torch_file if legacy else read_torch_file)(path)
    assert "nothing of it was run" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not evidence.exists()


def test_an_object_of_a_class_is_refused(tmp_path):
    path = tmp_path / "a.ckpt"
    torch.save(torch.nn.Linear(2, 2), path)
    with pytest.raises(ModelError, match=r"\S"):
        read_torch_file(path)


def test_old_checkpoints_are_read(tmp_path):
    state = {"w": torch.arange(3.0), "b": torch.tensor([1, 2])}
    torch.save({"state_dict": state}, tmp_path / "a.ckpt", _use_new_zipfile_serialization=False)
    weights = weights_in(read_legacy_torch_file(tmp_path / "a.ckpt"))
    assert {name: value.tolist() for name, value in weights.items()} == {"w": [0, 1, 2], "b": [1, 2]}


def repeated(path):
    torch.save({"w": torch.zeros(1).expand(10**12)}, path)


def circle(path):
    content = []
    content.append(content)
    torch.save(content, path)


def deep(path):
    content = []
    for _ in range(200):
        content = [content]
    torch.save(content, path)


def doubled(path):
    """A few lines of a pickle that stand for 2 to the power of 60 values."""
    content = ["x"]
    for _ in range(60):
        content = [content, content]
    torch.save(content, path)


def compressed(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", pickle.dumps({}))
        archive.writestr("a/data/0", bytes(1 << 20))


def no_pickle(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("song.txt", "la")


def truncated(path):
    torch.save({"w": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:-2000])


def without_a_part(path):
    torch.save({"w": torch.zeros(1000)}, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if not name.endswith("data/0")}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


@pytest.mark.parametrize("make", [repeated, circle, deep, doubled, compressed, no_pickle, truncated, without_a_part])
def test_checkpoints_that_make_no_sense_are_refused(tmp_path, make):
    make(tmp_path / "a.ckpt")
    with pytest.raises(ModelError) as caught:
        read_torch_file(tmp_path / "a.ckpt")
    assert caught.value.path == str(tmp_path / "a.ckpt")


def test_damaged_checkpoints_are_read_or_refused(tmp_path):
    torch.save({"state_dict": {"w": torch.zeros(30), "b": torch.ones(2, dtype=torch.float16)}, "n": 3}, tmp_path / "a")
    whole = (tmp_path / "a").read_bytes()
    chance = random.Random(0)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        (tmp_path / "b").write_bytes(data)
        # Nothing but a ModelError may come out.
        with contextlib.suppress(ModelError):
            read_torch_file(tmp_path / "b")


def test_published_yaml_is_read(tmp_path):
    """Public configurations name PyYAML's tag for tuples."""
    path = tmp_path / "a.yaml"
    path.write_text("model:\n  bands: !!python/tuple\n    - 2\n    - 4\n  rate: 5.0e-05\n  flash: true\nnone: null\n")
    assert read_yaml(path) == {"model": {"bands": [2, 4], "rate": 5e-5, "flash": True}, "none": None}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('a: !!python/object/apply:os.system ["touch {evidence}"]', "asks for what no configuration needs"),
        ('a: !!python/object/new:os.system ["touch {evidence}"]', "asks for what no configuration needs"),
        ("a: !!python/name:os.system", "asks for what no configuration needs"),
        ("a: &a [1, 1]\nb: &b [*a, *a]\nc: [*b, *b]", "refers to its own parts"),
        ("[1, 2]", "no dictionary"),
        ("a: [1", "not a YAML file"),
        ("a: " + "[" * 1200, "not a YAML file"),
        ("a: " + "x" * (1 << 20), "too large"),
        ("\x00\x01", "not a YAML file"),
        ("a: !!bool x", "not a YAML file"),
        ("a: !!timestamp x", "not a YAML file"),
        ("a: !!int x", "not a YAML file"),
    ],
)
def test_yaml_that_asks_for_more_is_refused(tmp_path, text, says):
    path, evidence = tmp_path / "a.yaml", tmp_path / "it-was-run"
    path.write_text(text.replace("{evidence}", str(evidence)))
    with pytest.raises(ModelError) as caught:
        read_yaml(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not evidence.exists()


def test_a_pickle_alone_is_no_checkpoint(tmp_path):
    buffer = io.BytesIO()
    pickle.dump({"w": [1, 2]}, buffer)
    (tmp_path / "a").write_bytes(buffer.getvalue())
    with pytest.raises(ModelError):
        read_torch_file(tmp_path / "a")
