"""Models as ONNX files, and ONNX Runtime in torch's place."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import RATE, tones, vocalsep, write
from test_networks import FRONT_END, SMALL, model, named
from test_networks import RATE as SMALL_RATE

from vocalsep import Separator
from vocalsep.errors import ModelError, UsageError
from vocalsep.inference.opening import model_info
from vocalsep.model_files import registry
from vocalsep.model_files.checkpoint import save

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

MODELS = ("m.safetensors", "m.onnx")
UNET, WAVES = (("unet", SMALL["unet"]), ("wave-unet", SMALL["wave-unet"]))
# Tracing takes as long as there are layers.
BANDS = ("band-tfc-tdf", {**SMALL["band-tfc-tdf"], "filters": (8, 10), "dilations": (2,), "mid_side": True})
SPLEETER = {**SMALL["spleeter"], "filters": (4, 6)}
PAIR = ("pair", {"network": SPLEETER})
EXPORTED = [
    *(UNET, BANDS, WAVES, PAIR),
    # Their layers are those of the others.
    *(pytest.param((name, SMALL[name]), marks=pytest.mark.slow) for name in ("resunet", "tfc-tdf", "band-tfc-tdf")),
]
CARD = {"licence": "CC0", "trained_on": "location, allocations, C:\\location \\\\location"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Gives the folder with both files of `MODELS` for a variant, which is exported once."""
    from vocalsep.inference.onnx_export import export

    folders = {}

    def folder_of(variant):
        key = json.dumps(variant)
        if key not in folders:
            folders[key] = folder = tmp_path_factory.mktemp(variant[0])
            network, config = model(*variant, channels=2)
            save(folder / "m.safetensors", network, config, CARD)
            export(folder / "m.safetensors", folder / "m.onnx")
        return folders[key]

    return folder_of


@pytest.mark.parametrize("variant", EXPORTED, ids=named)
def test_an_exported_model_gives_the_same_stems(variant, exported):
    folder = exported(variant)
    mixture = np.pad(tones(2.3, SMALL_RATE), ((0, 0), (0, SMALL_RATE)))
    ours = Separator(folder / "m.safetensors").separate(mixture, SMALL_RATE).vocals
    theirs = Separator(folder / "m.onnx")
    assert "ONNX" in theirs.where
    assert np.abs(ours).max() > 1e-3
    assert np.abs(theirs.separate(mixture, SMALL_RATE).vocals - ours).max() < 1e-5
    mono = Separator(folder / "m.safetensors").separate(mixture[0], SMALL_RATE).vocals
    assert np.abs(theirs.separate(mixture[0], SMALL_RATE).vocals - mono).max() < 1e-5


def test_products_over_bins_transpose_nothing(exported):
    nodes = onnx.load(exported(BANDS) / "m.onnx").graph.node
    assert "MatMul" in {node.op_type for node in nodes}
    assert "Transpose" not in {node.op_type for node in nodes}


def test_files_of_earlier_versions_are_read(exported, tmp_path):
    """Inputs, output and the keys of a waveform model's shape had other names."""
    former = {"context_before": "before", "input": "heard", "context_after": "after", "output": "made"}
    for variant in (UNET, WAVES):
        new = exported(variant) / "m.onnx"
        proto = onnx.load(new)
        nodes = proto.graph.node
        assert {value.name for value in (*proto.graph.input, *proto.graph.output)} <= set(former)
        for value in (*proto.graph.input, *proto.graph.output):
            value.name = former[value.name]
        for names in (*(node.input for node in nodes), *(node.output for node in nodes)):
            names[:] = [former.get(each, each) for each in names]
        (metadata,) = proto.metadata_props
        renamed = metadata.value.replace("input_samples", "heard").replace("context_samples", "reach")
        assert (renamed != metadata.value) == (variant is WAVES)
        metadata.value = renamed.replace("input_context", "hears_context")
        onnx.save(proto, tmp_path / "old.onnx")
        vocals = [
            Separator(file).separate(tones(1, SMALL_RATE), SMALL_RATE).vocals for file in (new, tmp_path / "old.onnx")
        ]
        assert np.abs(vocals[0]).max() > 0
        assert np.array_equal(*vocals)
        assert model_info(tmp_path / "old.onnx").config == model(*variant, channels=2)[1]


@pytest.mark.parametrize("variant", [PAIR, UNET, BANDS], ids=named)
def test_context_may_be_any_or_none(variant, exported):
    """The first chunks have no context before them, the last ones none after; the graph skips unused frames."""
    from vocalsep.inference.opening import open_model

    torch, runtime = (open_model(exported(variant) / name, "auto", "cpu", "float32", 1).backend for name in MODELS)
    stride = torch.shape.stride
    rng = np.random.default_rng(0)
    for frames, start, stop in (
        (9, 3, 6),
        (9, 0, 6),
        (9, 3, 9),
        (9, 0, 9),
        (1, 0, 1),
        (2, 1, 2),
        (40, 39, 40),
        (40, 20, 21),
    ):
        shape = (2, 2, FRONT_END.all_bins, frames * stride)
        spectra = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)
        for cut in (0, 1):
            first = start * stride + cut
            between = (first, max(first + 1, stop * stride - cut))
            wanted = torch.masks(spectra, *between)
            assert wanted.std() > 1e-3
            assert np.abs(runtime.masks(spectra, *between) - wanted).max() < 1e-5


def test_the_shipped_models_agree(demo):
    mixture = np.pad(demo["mixture"][:, : 8 * RATE], ((0, 0), (0, 5 * RATE)))
    torch, runtime = (Separator(backend=backend).separate(mixture, RATE).vocals for backend in ("torch", "onnx"))
    assert np.abs(torch[:, : 8 * RATE]).max() > 0.1
    assert np.abs(runtime[:, 9 * RATE :]).max() == 0
    assert np.abs(torch - runtime).max() < 1e-5


def test_the_shipped_file_is_the_shipped_model_exported(tmp_path):
    """Exporters differ in details; weights do not."""
    proto = onnx.load(registry.exported(registry.find("default")))
    config, card = (json.loads(proto.metadata_props[0].value)[key] for key in ("config", "card"))
    from vocalsep.model_files.checkpoint import read_info

    info = read_info(registry.find("default"))
    assert card == info.card
    assert config == json.loads(json.dumps(info.config.to_dict()))


def test_split_with_onnx_never_imports_torch(tmp_path):
    song = write(tmp_path / "song.wav", tones(2), RATE)
    code = (
        "import sys\nfrom vocalsep.cli import main\n"
        f"sys.argv = ['vocalsep', 'split', {str(song)!r}, '--out', {str(tmp_path / 'out')!r}]\n"
        "try:\n    main()\nfinally:\n    print('torch' in sys.modules, 'librosa' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-2:] == ["False", "False"]
    assert "ONNX Runtime" in done.stderr


def test_telemetry_is_disabled(tmp_path):
    """ONNX Runtime, left to itself, keeps a list of what it runs in the user's cache, and sends it where it can."""
    song = write(tmp_path / "song.wav", tones(1), RATE)
    home = tmp_path / "home"
    home.mkdir()
    surroundings = {"PATH": os.environ["PATH"], "HOME": str(home), "LOCALAPPDATA": str(home)}
    command = [sys.executable, "-m", "vocalsep", "split", song, "--backend", "onnx", "--out", tmp_path / "out"]
    subprocess.run(command, env=surroundings, check=True, capture_output=True)
    assert list(home.rglob("*")) == []


def test_export_from_the_command_line(tmp_path):
    network, config = model("unet", SPLEETER)
    save(tmp_path / "m.safetensors", network, config, {})
    done = vocalsep("export", tmp_path / "m.onnx", "--model", tmp_path / "m.safetensors")
    assert (done.returncode, done.stderr) == (0, b"")
    song = write(tmp_path / "song.wav", tones(1), RATE)
    done = vocalsep("split", song, "--model", tmp_path / "m.onnx", "--out", tmp_path / "out")
    assert done.returncode == 0
    again = vocalsep("export", tmp_path / "m.onnx", "--model", tmp_path / "m.safetensors")
    assert again.returncode == 2
    assert b"exists" in again.stderr
    wrong = vocalsep("export", tmp_path / "m.onnx", "--model", tmp_path / "m.onnx", "--overwrite")
    assert wrong.returncode == 2
    info = json.loads(vocalsep("info", tmp_path / "m.onnx", "--json").stdout)
    assert info["architecture"] == "unet"
    assert info["parameters"] > 0


def test_networks_with_other_inputs_than_magnitudes_are_refused(tmp_path):
    from vocalsep.inference.onnx_export import export

    network, config = model("unet3d", SMALL["unet3d"])
    save(tmp_path / "m.safetensors", network, config, {})
    with pytest.raises(UsageError, match="more than magnitudes"):
        export(tmp_path / "m.safetensors", tmp_path / "m.onnx")
    assert list(tmp_path.glob("*.onnx")) == []


@pytest.mark.parametrize("damage", ["text", "empty", "cut", "bare"])
def test_other_files_are_refused_in_one_line(damage, tmp_path):
    whole = registry.exported(registry.find("default")).read_bytes()
    bare = onnx.helper.make_model(onnx.helper.make_graph([], "bare", [], [])).SerializeToString()
    content = {"text": b"no model", "empty": b"", "cut": whole[: len(whole) // 2], "bare": bare}[damage]
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"m\.onnx: "):
        Separator(tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "tensorflow"}, "unknown backend"),
        ({"precision": "int8"}, "unknown precision"),
        ({"backend": "onnx", "device": "cuda"}, "on the CPU"),
        ({"backend": "onnx", "precision": "bfloat16"}, "float32"),
    ],
)
def test_invalid_options_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        Separator(**options)


def test_models_without_onnx_file_need_backend_auto_or_torch(tmp_path):
    network, config = model("unet", SMALL["unet"])
    save(tmp_path / "m.safetensors", network, config, {})
    with pytest.raises(UsageError, match="vocalsep export"):
        Separator(tmp_path / "m.safetensors", backend="onnx")
    assert "cpu" in Separator(tmp_path / "m.safetensors", device="cpu").where


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_products_of_16_bits_change_next_to_nothing(precision, demo):
    mixture = demo["mixture"][:, 10 * RATE : 16 * RATE]
    exact, rough = (
        Separator(backend="torch", precision=name).separate(mixture, RATE).vocals for name in ("float32", precision)
    )
    error = np.square(rough - exact).sum() / np.square(exact).sum()
    assert 0 < error < {"bfloat16": 3e-3, "float16": 1e-4}[precision]


def _graph_of_one_node(path, kind, card=None):
    """A file as `vocalsep export` writes them, whose whole network is one node."""
    parts = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["b", "c", "f", name])
        for name in ("context_before", "input", "context_after")
    ]
    number = onnx.TensorProto.INT64 if kind == "Shape" else onnx.TensorProto.FLOAT
    output = onnx.helper.make_tensor_value_info("output", number, None)
    weights = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [3, 3], [0.0] * 9)
    inputs = ["input", "w"] if kind == "MatMul" else ["input"]
    node = onnx.helper.make_node(kind, inputs, ["output"])
    graph = onnx.helper.make_graph([node], "one", parts, [output], [weights] if len(inputs) == 2 else [])
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    config = model("unet", SMALL["unet"])[1].to_dict()
    shape = {"channels": 2, "stride": 8, "context": 0}
    metadata = {"config": config, "card": {} if card is None else card, "shape": shape, "parameters": 0}
    onnx.helper.set_model_props(proto, {"vocalsep": json.dumps(metadata)})
    path.write_bytes(proto.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [("Shape", "something else"), ("MatMul", "cannot be computed"), ("Log", "NaN or infinite")],
)
@pytest.mark.filterwarnings("error")
def test_a_graph_that_returns_no_masks_is_a_clear_error(tmp_path, kind, message):
    separator = Separator(_graph_of_one_node(tmp_path / "m.onnx", kind))
    with pytest.raises(ModelError, match=message):
        separator.separate(np.zeros((2, SMALL_RATE), np.float32), SMALL_RATE)
    fine = Separator(_graph_of_one_node(tmp_path / "m.onnx", "Sigmoid"))
    assert np.isfinite(fine.separate(np.zeros((2, SMALL_RATE), np.float32), SMALL_RATE).vocals).all()


def test_a_card_that_is_none_is_a_clear_error(tmp_path):
    with pytest.raises(ModelError, match=r"m\.onnx: not a vocalsep model"):
        model_info(_graph_of_one_node(tmp_path / "m.onnx", "Sigmoid", card=7))


def test_a_damaged_graph_is_refused_in_silence(tmp_path, capfd):
    path = _graph_of_one_node(tmp_path / "m.onnx", "Sigmoid")
    path.write_bytes(path.read_bytes().replace(b"Sigmoid", b"\xff\xfe\xfd\xfcoid"))
    with pytest.raises(ModelError, match="damaged"):
        Separator(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("place", ["graph", "branch", "function"])
def test_a_graph_with_a_loop_is_refused(tmp_path, place):
    """Its condition could be true for ever."""
    path = _graph_of_one_node(tmp_path / "Loop.onnx", "Sigmoid")
    assert Separator(path)
    proto = onnx.load(path)
    helper, boolean = onnx.helper, onnx.TensorProto.BOOL
    body = helper.make_graph(
        [helper.make_node("Identity", ["again"], ["still"])],
        "body",
        [
            helper.make_tensor_value_info("turn", onnx.TensorProto.INT64, []),
            helper.make_tensor_value_info("again", boolean, []),
        ],
        [helper.make_tensor_value_info("still", boolean, [])],
    )
    constant = helper.make_node("Constant", [], ["yes"], value=helper.make_tensor("yes", boolean, [], [True]))
    nodes = [constant, helper.make_node("Loop", ["", "yes"], [], body=body)]
    if place == "graph":
        proto.graph.node.extend(nodes)
    elif place == "branch":
        branch = helper.make_graph(nodes, "branch", [], [])
        proto.graph.node.extend([constant, helper.make_node("If", ["yes"], [], then_branch=branch, else_branch=branch)])
    else:
        opset = helper.make_opsetid("", 18)
        proto.functions.append(helper.make_function("local", "endless", [], [], nodes, [opset]))
        proto.opset_import.append(helper.make_opsetid("local", 1))
        proto.graph.node.append(helper.make_node("endless", [], [], domain="local"))
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError, match=r"Loop\.onnx: has a loop, which might never end"):
        Separator(path)


@pytest.mark.parametrize("place", ["secret.bin", "../secret.bin", "/etc/hostname"])
def test_a_graph_cannot_have_other_files_read(tmp_path, monkeypatch, place):
    path = _graph_of_one_node(tmp_path / "m.onnx", "MatMul")
    (tmp_path / "secret.bin").write_bytes(bytes(36))
    monkeypatch.chdir(tmp_path)
    proto = onnx.load_model(path)
    (weights,) = proto.graph.initializer
    weights.raw_data = bytes(36)
    onnx.external_data_helper.set_external_data(weights, place)
    weights.ClearField("raw_data")
    weights.ClearField("float_data")
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError, match="other files"):
        Separator(path)


def test_a_card_may_hold_any_word(exported):
    assert model_info(exported(UNET) / "m.onnx").card == CARD


def test_onnx_graphs_with_other_inputs_are_refused(exported, tmp_path):
    proto = onnx.load_model(exported(WAVES) / "m.onnx")
    # Fewer samples than the first layer's kernel has taps.
    proto.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 2
    onnx.save_model(proto, tmp_path / "m.onnx")
    done = vocalsep("info", tmp_path / "m.onnx")
    assert done.returncode == 2
    assert b"inputs of other shapes" in done.stderr
    assert len(done.stderr.splitlines()) == 1
