"""The user's own models: adding, listing, using and removing them; MDX-Net as the family that needs no extra."""

import hashlib
import http.server
import json
import os
import pathlib
import shutil
import sys
import threading

import numpy as np
import pytest
import torch
from conftest import RATE, read, tones, vocalsep, write
from test_networks import SMALL, model

from vocalsep import Separator
from vocalsep.cli.models import describe
from vocalsep.errors import MissingExtraError, ModelError, OutputExistsError, UsageError
from vocalsep.inference.families import mdx_net
from vocalsep.model_files import registry, store
from vocalsep.model_files.checkpoint import HEADER_KEY, save
from vocalsep.model_files.onnx_metadata import metadata_bytes
from vocalsep.model_store.adding import add, remove
from vocalsep.model_store.formats import given as formats

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

N_FFT, BINS, FRAMES = 2048, 700, 32
SEGMENT = (FRAMES - 1) * 1024
CONFIGURATION = {"mdx_n_fft_scale_set": N_FFT, "primary_stem": "Vocals", "compensate": 1.05}


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.setenv(store.FOLDER_VARIABLE, str(tmp_path / "models"))
    return tmp_path / "models"


def graph(path: pathlib.Path, planes: int = 4, bins: int = BINS, inputs: int = 1, values=None) -> pathlib.Path:
    """Write a small graph with random weights and the interface of MDX-Net's public files."""
    from onnx import TensorProto, helper, numpy_helper

    if values is None:
        values = np.random.default_rng(0).standard_normal((planes, planes, 3, 5), np.float32) / 6
    nodes = [
        helper.make_node("Conv", ["input", "weights"], ["map"], pads=[1, 2, 1, 2]),
        helper.make_node("Tanh", ["map"], ["share"]),
        helper.make_node("Mul", ["share", "input"], ["output"]),
    ]
    sides = ["batch_size", planes, bins, FRAMES]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, sides) for name in ("input", "output", "more")]
    used = [ends[0], *[ends[2]] * (inputs - 1)]
    made = helper.make_graph(nodes, "network", used, [ends[1]], [numpy_helper.from_array(values, "weights")])
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def configuration(path: pathlib.Path, **changes) -> str:
    path.write_text(json.dumps({**CONFIGURATION, **changes}))
    return str(path)


@pytest.fixture(scope="module")
def mdx_file(tmp_path_factory):
    return graph(tmp_path_factory.mktemp("mdx") / "Small.onnx")


@pytest.fixture(scope="module")
def own_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "mine.safetensors"
    network, config = model("unet", SMALL["unet"], channels=2)
    save(path, network, config, {"licence": "CC0"})
    return path


def as_other_programs(song: np.ndarray, path: pathlib.Path) -> np.ndarray:
    """What programs for such files do with a song in memory, through torch's own transforms."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    window, margin, samples = torch.hann_window(N_FFT), N_FFT // 2, song.shape[1]
    core = SEGMENT - 2 * margin
    padded = np.pad(song, ((0, 0), (margin, core + margin - samples % core)))
    total, weights = np.zeros_like(padded), np.zeros_like(padded)
    for start in range(0, padded.shape[1], int(0.75 * SEGMENT)):
        part = padded[:, start : start + SEGMENT]
        inside = part.shape[1]
        part = torch.from_numpy(np.pad(part, ((0, 0), (0, SEGMENT - inside))))
        spectrum = torch.stft(part, N_FFT, 1024, window=window, return_complex=True)[:, :BINS]
        planes = torch.view_as_real(spectrum).permute(0, 3, 1, 2).reshape(1, 4, BINS, FRAMES).clone()
        planes[:, :, :3] = 0
        estimate = torch.from_numpy(session.run(None, {"input": planes.numpy()})[0]).reshape(2, 2, BINS, FRAMES)
        whole = torch.zeros(2, N_FFT // 2 + 1, FRAMES, dtype=torch.complex64)
        whole[:, :BINS] = torch.complex(estimate[:, 0], estimate[:, 1])
        vocals = torch.istft(whole, N_FFT, 1024, window=window).numpy()[:, :inside]
        hann = np.hanning(inside)
        total[:, start : start + inside] += hann * vocals
        weights[:, start : start + inside] += hann
    return (total / np.maximum(weights, 1e-9))[:, margin : margin + samples]


@pytest.mark.parametrize("seconds", [3.9, 0.4, 0.001])
def test_mdx_net_gives_what_other_programs_make_of_the_file(models, mdx_file, tmp_path, seconds):
    song = tones(seconds)
    expected = as_other_programs(song, mdx_file)
    add(str(mdx_file), name="voice", config=configuration(tmp_path / "a.json"))
    separator = Separator("voice")
    stems = separator.separate(song, RATE)
    assert np.abs(stems.vocals - expected).max() < 1e-5
    assert np.abs(stems.vocals + stems.accompaniment - song).max() < 1e-6
    blocks = [song[:, start : start + 7001] for start in range(0, song.shape[1], 7001)]
    streamed = np.concatenate([vocals for vocals, _ in separator.stream(blocks, RATE)], axis=1)
    assert np.abs(streamed - stems.vocals).max() < 1e-6


def test_a_network_of_the_accompaniment_gives_the_vocals_as_the_rest(models, mdx_file, tmp_path):
    song = tones(2.5)
    config = configuration(tmp_path / "a.json", primary_stem="Instrumental")
    added = add(str(mdx_file), name="rest", config=config)
    assert "the vocals are the rest" in added.remarks
    stems = Separator("rest").separate(song, RATE)
    estimate = as_other_programs(song, mdx_file)
    assert np.abs(stems.vocals - (song - 1.05 * estimate)).max() < 1e-5


def test_listed_files_need_no_configuration(models, mdx_file, monkeypatch, tmp_path):
    """By the hash of its end: here of the small file, put into the list."""
    listed = json.loads((pathlib.Path(formats.__file__).parent / formats.FACTS).read_text("utf-8"))
    assert len(listed["mdx_net"]) > 40
    for facts in listed["mdx_net"].values():
        stem = facts["stem"].lower()
        if stem in ("vocals", "instrumental"):
            mdx_net.Config(facts["n_fft"], facts["bins"], facts["frames"], compensation=facts["compensation"])
    key = hashlib.md5(mdx_file.read_bytes()).hexdigest()
    entry = {"n_fft": N_FFT, "bins": BINS, "frames": FRAMES, "compensation": 1.0, "stem": "Vocals", "karaoke": True}
    (tmp_path / "listed.json").write_text(json.dumps({"mdx_net": {key: entry}, "configurations": {}}))
    monkeypatch.setattr(formats, "FACTS", str(tmp_path / "listed.json"))
    added = add(str(mdx_file))
    assert added.name == "Small"
    assert "backing voices stay in the accompaniment" in added.remarks


def test_models_are_listed_used_and_removed(models, mdx_file, own_file, tmp_path):
    """By the commands."""
    done = vocalsep("models", "add", mdx_file, "--name", "voice", "--config", configuration(tmp_path / "a.json"))
    assert done.returncode == 0, done.stderr
    assert b"licence      not stated in the file" in done.stdout
    assert add(str(own_file)).licence == "CC0"
    listed = {entry["name"]: entry for entry in json.loads(vocalsep("models", "--json").stdout)}
    assert next(iter(listed)) == registry.DEFAULT
    assert set(listed) == {*registry.shipped(), "voice", "mine"}
    voice = listed["voice"]
    assert voice["architecture"] == "MDX-Net"
    assert voice["sample_rate"] == RATE
    assert voice["sources"] == "vocals"
    assert voice["cost_s_per_s"] > 0
    assert voice["added_from"] == str(mdx_file)
    assert voice["sha256"] == hashlib.sha256((models / "voice.onnx").read_bytes()).hexdigest()
    song = write(tmp_path / "song.wav", tones(1.0))
    done = vocalsep("split", song, "--model", "voice", "--out", tmp_path, "--subtype", "float")
    assert done.returncode == 0, done.stderr
    ours = Separator("voice").separate(read(song), RATE).vocals
    assert np.abs(read(tmp_path / "song" / "vocals.wav") - ours).max() < 1e-5
    assert Separator("mine").separate(read(song), RATE).vocals.shape == ours.shape
    done = vocalsep("models", "remove", "voice")
    assert done.returncode == 0
    assert not (models / "voice.onnx").exists()
    done = vocalsep("split", song, "--model", "voice", "--out", tmp_path / "none")
    assert done.returncode == 2
    assert b"unknown model 'voice'; known are mine, default" in done.stderr
    with pytest.raises(UsageError, match="no model 'voice' was added; added are mine"):
        remove("voice")


def test_names_that_exist_are_kept(models, mdx_file, own_file, tmp_path):
    config = configuration(tmp_path / "a.json")
    add(str(mdx_file), name="voice", config=config)
    before = (models / "voice.onnx").read_bytes()
    with pytest.raises(OutputExistsError):
        add(str(own_file), name="voice")
    assert (models / "voice.onnx").read_bytes() == before
    done = vocalsep("models", "add", own_file, "--name", "voice")
    assert done.returncode == 2
    assert b"--overwrite replaces it" in done.stderr
    # Another kind of file under the same name: there is one model of a name.
    add(str(own_file), name="voice", overwrite=True)
    assert sorted(path.name for path in models.iterdir()) == ["voice.json", "voice.safetensors"]
    for name in ("default", "", "a/b", "..", ".hidden", "-x", "CON"):
        with pytest.raises(UsageError):
            add(str(own_file), name=name)
    with pytest.raises(UsageError, match="ships with vocalsep"):
        remove("default")


def test_a_changed_file_is_found_out(models, own_file):
    add(str(own_file))
    path = models / "mine.safetensors"
    path.write_bytes(path.read_bytes()[:-4] + bytes(4))
    with pytest.raises(ModelError, match="the checksum is wrong"):
        registry.find("mine")
    (models / "mine.json").write_text("{}")
    with pytest.raises(ModelError, match="add the model again"):
        registry.find("mine")
    assert "add the model again" in describe("mine")["error"]
    remove("mine")
    assert list(models.iterdir()) == []


def cut_off(path):
    graph(path).write_bytes(path.read_bytes()[:-500])


def of_another_network(path):
    graph(path, planes=2)


def with_two_inputs(path):
    graph(path, inputs=2)


def a_web_page(path):
    path.write_text("<!DOCTYPE html><html></html>")


def nothing(path):
    path.write_bytes(b"")


def a_pointer(path):
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n")


def a_checkpoint_cut_off(path):
    torch.save({"w": torch.ones(1000)}, path)
    path.write_bytes(path.read_bytes()[:2000])


def with_metadata(**metadata):
    """Return what makes a file that says that it is a model of ours."""

    def make(path):
        info = {"family": "mdx-net", "config": {"n_fft": N_FFT, "bins": BINS, "frames": FRAMES}, "card": {}}
        data = metadata_bytes(HEADER_KEY, json.dumps({**info, "parameters": 1, **metadata}))
        graph(path).write_bytes(path.read_bytes() + data)

    return make


def with_deep_metadata(path):
    graph(path).write_bytes(path.read_bytes() + metadata_bytes(HEADER_KEY, "[" * 5000))


def with_numbers_for_texts(path):
    header = json.dumps({"__metadata__": {"klass": 5, "args": 5, "kwargs": 5}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)


def a_bag_of_a_pipe(path):
    path.write_text("models: [abc]")
    os.mkfifo(path.with_name("abc.th"))


def a_song(path):
    write(path.with_suffix(".wav"), tones(0.1)).rename(path)


@pytest.mark.parametrize(
    ("make", "name", "says"),
    [
        (cut_off, "a.onnx", "a part of it is missing; download it again"),
        (of_another_network, "a.onnx", "of no known family"),
        (with_two_inputs, "a.onnx", "no model of a known family"),
        (a_web_page, "a.onnx", "is a web page"),
        (a_web_page, "a.ckpt", "is a web page"),
        (nothing, "a.ckpt", "is empty (0 bytes); download it again"),
        (a_pointer, "a.onnx", "only names a file that Git LFS keeps"),
        (a_checkpoint_cut_off, "a.th", "a part of it is missing; download it again"),
        (with_metadata(parameters=float("inf")), "a.onnx", "parameters must be a whole number"),
        (with_metadata(parameters=-1), "a.onnx", "parameters must be a whole number"),
        (with_metadata(config=[1]), "a.onnx", "configuration is invalid"),
        (with_metadata(config={"n_fft": [1] * 9999}), "a.onnx", "configuration is invalid"),
        (with_metadata(family="demucs", config={"networks": [5]}), "a.onnx", "configuration is invalid"),
        (with_metadata(family="x" * 9999), "a.onnx", "unknown family 'xxx"),
        (with_deep_metadata, "a.onnx", "not one of the files that are listed publicly"),
        (with_numbers_for_texts, "a.safetensors", "the header of the safetensors file is damaged"),
        (a_song, "a.ckpt", "no model of a known family; known are Demucs"),
        (graph, "a.onnx", "not one of the files that are listed publicly"),
        (lambda path: path.write_text("a: 1"), "a.yaml", "not a bag of Demucs networks"),
        (lambda path: path.write_text("models: [../../x]"), "a.yaml", "make no sense"),
        (lambda path: path.write_text("models: [abc]"), "a.yaml", "its network abc is not beside it"),
        pytest.param(
            a_bag_of_a_pipe,
            "a.yaml",
            "its network abc is not beside it",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="no named pipes"),
        ),
        (lambda path: torch.save({"w": torch.ones(2)}, path), "a.ckpt", "no model of a known family"),
        (lambda path: torch.save({"band_split.w": torch.ones(2)}, path), "a.ckpt", "without its configuration"),
        (lambda path: None, "a.ckpt", "no such model file"),
    ],
)
def test_files_that_are_no_models_are_refused_in_one_line(models, tmp_path, make, name, says):
    make(tmp_path / name)
    with pytest.raises((ModelError, UsageError)) as caught:
        add(str(tmp_path / name))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(caught.value.message) < 300
    assert caught.value.path == str(tmp_path / name)
    assert not models.exists() or list(models.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"primary_stem": "x" * 9999}, "separates 'xxx"),
        ({"mdx_n_fft_scale_set": [1] * 9999}, "n_fft"),
        ({"primary_stem": "Drums"}, "separates 'Drums', not the voice"),
        ({"primary_stem": "Reverb"}, "not the voice"),
        ({"mdx_n_fft_scale_set": 1024}, "n_fft"),
        ({"mdx_n_fft_scale_set": 1 << 40}, "n_fft"),
        ({"mdx_n_fft_scale_set": 1 << 15}, "too short"),
        ({"compensate": "1"}, "compensation"),
        ({"compensate": 1e300}, "compensation"),
    ],
)
def test_configurations_that_make_no_sense_are_refused(models, mdx_file, tmp_path, changes, says):
    with pytest.raises(ModelError, match=says) as caught:
        add(str(mdx_file), config=configuration(tmp_path / "a.json", **changes))
    assert len(caught.value.message) < 300


def test_a_network_that_cannot_be_computed_is_named_as_the_user_named_it(models, tmp_path):
    values = np.full((4, 4, 3, 5), np.nan, np.float32)
    path = graph(tmp_path / "a.onnx", values=values)
    with pytest.raises(ModelError, match="samples that are no numbers") as caught:
        add(str(path), config=configuration(tmp_path / "a.json"))
    assert caught.value.path == str(path)
    assert list(models.iterdir()) == [] if models.exists() else True


@pytest.mark.parametrize("name", ["a.onnx", "a.ckpt", "a.safetensors"])
def test_a_file_that_was_not_added_says_how_to(mdx_file, tmp_path, name):
    shutil.copy(mdx_file, tmp_path / name)
    with pytest.raises(ModelError, match="`vocalsep models add` takes files of other programs"):
        Separator(tmp_path / name)


def test_a_name_cannot_command_the_terminal(models, tmp_path):
    path = tmp_path / "a\x1b[31m\nb.ckpt"
    path.write_text("x")
    done = vocalsep("models", "add", path, "--name", "voice")
    assert done.returncode == 2
    assert done.stderr.startswith(f"vocalsep: {tmp_path}/a [31m b.ckpt: is no model".encode())
    assert done.stderr.count(b"\n") == 1


def test_a_model_file_that_lies_about_its_graph_is_refused(models, mdx_file, tmp_path):
    """Files in our own format may come from others."""
    config = {"n_fft": N_FFT, "bins": BINS + 1, "frames": FRAMES}
    metadata = {"family": "mdx-net", "config": config, "card": {}, "parameters": 1}
    path = tmp_path / "a.onnx"
    path.write_bytes(mdx_file.read_bytes() + metadata_bytes(HEADER_KEY, json.dumps(metadata)))
    with pytest.raises(ModelError, match="not an MDX-Net graph of this configuration"):
        Separator(path)


def test_a_given_checksum_is_verified(models, own_file):
    right = hashlib.sha256(own_file.read_bytes()).hexdigest()
    with pytest.raises(ModelError, match="not the one given"):
        add(str(own_file), sha256="0" * 64)
    assert add(str(own_file), sha256=right.upper()).name == "mine"


@pytest.fixture
def site(tmp_path):
    """A web server with the files of a folder, and the folder."""
    folder = tmp_path / "site"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, directory=str(folder), **options)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()
        thread.join()


def test_a_model_is_added_from_the_web(models, mdx_file, site):
    address, folder = site
    shutil.copy(mdx_file, folder / "Small.onnx")
    configuration(folder / "small.json")
    # What an option is missing for is not downloaded again.
    with pytest.raises(UsageError, match="not one of the files that are listed publicly") as caught:
        add(f"{address}/Small.onnx?token=secret")
    assert caught.value.path == f"{address}/Small.onnx?token=secret"
    (folder / "Small.onnx").unlink()
    added = add(f"{address}/Small.onnx?token=secret", config=f"{address}/small.json")
    assert added.name == "Small"
    assert store.read_record(added.path).origin == f"{address}/Small.onnx"
    assert b"secret" not in added.path.read_bytes()
    assert Separator("Small").separate(tones(0.3), RATE).vocals.shape == (2, round(0.3 * RATE))
    assert list((models / ".downloads").iterdir()) == []
    a_web_page(folder / "page.onnx")
    with pytest.raises(ModelError, match=r"^http://.*is a web page"):
        add(f"{address}/page.onnx")
    assert list((models / ".downloads").iterdir()) == []


@pytest.mark.parametrize(("package", "extra"), [("demucs", "vocalsep[demucs]"), ("bs_roformer", "vocalsep[roformer]")])
def test_a_missing_extra_is_one_line(models, tmp_path, monkeypatch, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    if package == "bs_roformer":
        path = tmp_path / "a.ckpt"
        torch.save({"band_split.to_features.0.0.gamma": torch.ones(100_000)}, path)
        settings = {"dim": 8, "depth": 1, "stereo": True, "num_bands": 60, "stft_hop_length": 441}
        content = {
            "audio": {"sample_rate": RATE},
            "model": settings,
            "training": {"instruments": ["vocals", "other"], "target_instrument": "vocals"},
            "inference": {"dim_t": 101, "num_overlap": 2},
        }
        path.with_suffix(".yaml").write_text(json.dumps(content))
    else:
        from safetensors.torch import save_file

        path = tmp_path / "a.safetensors"
        metadata = {"klass": "demucs.htdemucs.HTDemucs", "args": "[]", "kwargs": '{"sources": ["vocals", "other"]}'}
        save_file({"w": torch.ones(2)}, path, metadata)
    with pytest.raises(MissingExtraError) as caught:
        add(str(path))
    assert extra in str(caught.value)


def test_networks_larger_than_their_file_are_not_allocated():
    """By the published sizes: the largest parts are nearly all of the values."""
    from vocalsep.inference.families import roformer

    settings = {"depth": 12, "time_transformer_depth": 1, "freq_transformer_depth": 1, "mask_estimator_depth": 2}
    bands = [2] * 24 + [4] * 12 + [12] * 8 + [24] * 8 + [48] * 8 + [128, 129]
    published = {**settings, "dim": 512, "freqs_per_bands": bands, "stft_hop_length": 441}
    config = roformer.Config("bs", published, ("vocals",), 352800)
    assert 0.8 * 159_760_000 < config.least_values <= 159_760_000
    with pytest.raises(ModelError, match="more weights than the file has"):
        roformer.build(config, 1000)
