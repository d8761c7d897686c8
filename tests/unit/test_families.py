"""Networks from packages of other authors: a small one with random weights gives what the package makes of the song."""

import fractions
import json
import sys
import types

import numpy as np
import pytest
import torch
from conftest import RATE, tones

from vocalsep import Separator
from vocalsep.errors import ModelError
from vocalsep.inference.families import demucs as demucs_family
from vocalsep.inference.families import roformer as roformer_family
from vocalsep.model_files import store
from vocalsep.model_store.adding import add

SOURCES = ["drums", "bass", "other", "vocals"]
BANDS = [1] * 60 + [5, 64]
SAMPLES = 44000


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    monkeypatch.setenv(store.FOLDER_VARIABLE, str(tmp_path / "models"))


def save_package(network, path):
    """Save a network as Demucs's training does."""
    args, kwargs = network._init_args_kwargs
    network.load_state_dict({name: value.half().float() for name, value in network.state_dict().items()})
    state = {name: value.half() for name, value in network.state_dict().items()}
    torch.save({"klass": type(network), "args": args, "kwargs": kwargs, "state": state, "training_args": {}}, path)


def demucs_network(kind, seed):
    pytest.importorskip("demucs", reason="the package demucs is not installed (extra [demucs])")
    torch.manual_seed(seed)
    settings = {"sources": SOURCES, "channels": 8, "samplerate": RATE, "segment": fractions.Fraction(6, 5)}
    if kind == "HTDemucs":
        settings |= {"t_layers": 1, "t_heads": 2, "bottom_channels": 16, "nfft": 1024, "depth": 4}
    return demucs_family.network_class(kind)(**settings).eval()


def demucs_vocals(network, song):
    from demucs.apply import apply_model

    estimates = apply_model(network, torch.from_numpy(song)[None], shifts=0, overlap=0.25)
    return estimates[0, SOURCES.index("vocals")].numpy()


@pytest.mark.parametrize("kind", ["HTDemucs", "HDemucs", "Demucs"])
def test_a_demucs_package_gives_what_demucs_gives(tmp_path, kind):
    network = demucs_network(kind, 0)
    save_package(network, tmp_path / "voice.th")
    song = tones(2.6)
    expected = demucs_vocals(network, song)
    added = add(str(tmp_path / "voice.th"))
    assert "for research" in added.licence
    vocals, accompaniment = Separator("voice").separate(song, RATE)
    # Demucs of 2021 takes a little of the song around its last, shorter segment.
    assert np.abs(vocals - expected).max() < (1e-3 if kind == "Demucs" else 1e-5)
    assert np.abs(vocals + accompaniment - song).max() < 1e-6


def test_of_a_fine_tuned_bag_only_the_vocals_network_runs(tmp_path):
    from_hub = tmp_path / "hub"
    from_hub.mkdir()
    networks = [demucs_network("HTDemucs", seed) for seed in range(4)]
    for index, network in enumerate(networks):
        if index % 2:
            save_package(network, tmp_path / f"network{index}.th")
        else:
            save_hub(network, tmp_path / f"network{index}.safetensors")
    rows = np.eye(4).tolist()
    bag = {"models": [f"network{index}" for index in range(4)], "weights": rows}
    (tmp_path / "tuned.yaml").write_text(json.dumps(bag))
    add(str(tmp_path / "tuned.yaml"))
    song = tones(2.0)
    separator = Separator("tuned")
    vocals = separator.separate(song, RATE).vocals
    assert np.abs(vocals - demucs_vocals(networks[3], song)).max() < 1e-5
    assert list(separator.backend.estimate._loaded) == [3]


def test_a_bag_is_added_from_the_web_with_its_networks(tmp_path):
    import functools
    import http.server
    import threading

    networks = [demucs_network("HTDemucs", seed) for seed in range(2)]
    folder = tmp_path / "hub"
    folder.mkdir()
    for index, network in enumerate(networks):
        save_hub(network, folder / f"network{index}.safetensors")
    (folder / "two.yaml").write_text(json.dumps({"models": ["network0", "network1"]}))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            added = add(f"http://127.0.0.1:{server.server_port}/two.yaml")
        finally:
            server.shutdown()
            thread.join()
    assert list((added.path.parent / ".downloads").iterdir()) == []
    song = tones(1.5)
    expected = sum(demucs_vocals(network, song) for network in networks) / 2
    assert np.abs(Separator("two").separate(song, RATE).vocals - expected).max() < 1e-5


def save_hub(network, path):
    """Save a network as the model hub has them: safetensors with the class and its arguments as text."""
    from safetensors.torch import save_file

    _, kwargs = network._init_args_kwargs
    encoded = {
        name: {"_type": "fraction", "numerator": value.numerator, "denominator": value.denominator}
        if isinstance(value, fractions.Fraction)
        else value
        for name, value in kwargs.items()
    }
    kind = type(network)
    metadata = {"klass": f"{kind.__module__}.{kind.__name__}", "args": "[]", "kwargs": json.dumps(encoded)}
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path, metadata)


def test_a_bag_is_the_weighted_mean_of_its_networks(tmp_path):
    networks = [demucs_network("HDemucs", seed) for seed in (0, 1)]
    from demucs.apply import BagOfModels

    for index, network in enumerate(networks):
        save_package(network, tmp_path / f"network{index}.th")
    rows = [[1.0, 0, 0, 3.0], [1.0, 1.0, 1.0, 1.0]]
    (tmp_path / "bag.yaml").write_text(json.dumps({"models": ["network0", "network1"], "weights": rows, "segment": 2}))
    add(str(tmp_path / "bag.yaml"))
    song = tones(4.3)
    expected = demucs_vocals(BagOfModels(networks, rows, 2), song)
    assert np.abs(Separator("bag").separate(song, RATE).vocals - expected).max() < 1e-5


def test_demucs_packages_that_make_no_sense_are_refused(tmp_path, monkeypatch):
    network = demucs_network("HTDemucs", 0)
    save_package(network, tmp_path / "a.th")
    (tmp_path / "b-0123abcd.th").write_bytes((tmp_path / "a.th").read_bytes())
    with pytest.raises(ModelError, match="the checksum is wrong"):
        add(str(tmp_path / "b-0123abcd.th"))
    made = type("Network", (), {"__module__": "elsewhere"})
    monkeypatch.setitem(sys.modules, "elsewhere", types.ModuleType("elsewhere"))
    sys.modules["elsewhere"].Network = made
    package = torch.load(tmp_path / "a.th", weights_only=False)
    changes = [
        ({"klass": made}, "a network of another program"),
        ({"kwargs": {**package["kwargs"], "channels": 10**9}}, "makes no sense"),
        ({"kwargs": {**package["kwargs"], "t_layers": 10**6}}, "makes no sense"),
        ({"kwargs": {**package["kwargs"], "channels": 6}}, "the weights are not those"),
        ({"kwargs": {**package["kwargs"], "segment": float("inf")}}, "at most 600 seconds"),
        ({"kwargs": {**package["kwargs"], "segment": "1e99999999"}}, "no number of seconds"),
        ({"kwargs": {**package["kwargs"], "samplerate": "x"}}, "its rate is no whole number"),
        ({"state": {"w": torch.ones(2)}}, "the weights are not those"),
        ({"state": {"__quantized": True, "quantized": {}}}, "quantized"),
        ({"state": {}}, "no weights"),
    ]
    for change, says in changes:
        torch.save({**package, **change}, tmp_path / "c.th")
        with pytest.raises(ModelError, match=says) as caught:
            add(str(tmp_path / "c.th"))
        assert "\n" not in str(caught.value)


def roformer(tmp_path, kind, stems, target=None):
    package = pytest.importorskip("bs_roformer", reason="bs-roformer is not installed (extra [roformer])")
    model = {
        "dim": 12,
        "depth": 2,
        "stereo": True,
        "num_stems": 1 if target else len(stems),
        "time_transformer_depth": 1,
        "freq_transformer_depth": 1,
        "dim_head": 8,
        "heads": 2,
        "stft_n_fft": 2048 if kind == "mel" else 256,
        "stft_hop_length": 440 if kind == "mel" else 110,
        "stft_win_length": 2048 if kind == "mel" else 256,
        "mask_estimator_depth": 2,
    }
    torch.manual_seed(0)
    if kind == "mel":
        network = package.MelBandRoformer(**model, num_bands=60, sample_rate=RATE)
        model["num_bands"] = 60
    else:
        model["freqs_per_bands"] = BANDS
        network = package.BSRoformer(**{**model, "freqs_per_bands": tuple(BANDS)})
    content = {
        "audio": {"sample_rate": RATE},
        "model": {**model, "linear_transformer_depth": 0, "flash_attn": True},
        "training": {"instruments": stems, "target_instrument": target},
        "inference": {"dim_t": SAMPLES // model["stft_hop_length"] + 1, "num_overlap": 2},
    }
    path = tmp_path / f"{kind}.ckpt"
    torch.save(network.state_dict(), path)
    path.with_suffix(".yaml").write_text(json.dumps(content))
    return network.eval(), path


def in_segments(network, song, index):
    """What programs for such files do: Hamming windows, the last segment shifted back."""
    song = torch.from_numpy(song)
    length = song.shape[1]
    window = torch.from_numpy(np.hamming(SAMPLES).astype(np.float32))
    total, weights = torch.zeros_like(song), torch.zeros(length)
    starts = [start for start in range(0, length, SAMPLES // 2) if start + SAMPLES < length] + [length - SAMPLES]
    with torch.inference_mode():
        for start in starts:
            estimate = network(song[None, :, start : start + SAMPLES])[0]
            total[:, start : start + SAMPLES] += window * (estimate if index is None else estimate[index])
            weights[start : start + SAMPLES] += window
    return (total / weights).numpy()


@pytest.mark.parametrize("kind", ["bs", "mel"])
def test_a_roformer_gives_what_its_package_gives(tmp_path, kind):
    network, path = roformer(tmp_path, kind, ["Vocals", "Instrumental"], target="Vocals")
    song = tones(2.75)
    add(str(path))
    vocals = Separator(kind).separate(song, RATE).vocals
    assert np.abs(vocals - in_segments(network, song, None)).max() < 1e-5


def test_roformers_of_several_stems_and_of_the_instrumental(tmp_path):
    song = tones(1.7)
    network, path = roformer(tmp_path, "bs", ["Drums", "Bass", "Other", "Vocals"])
    add(str(path), name="four")
    separator = Separator("four")
    assert separator.backend.shape.sources == ("drums", "bass", "other", "vocals")
    assert np.abs(separator.separate(song, RATE).vocals - in_segments(network, song, 3)).max() < 1e-5
    network, path = roformer(tmp_path, "bs", ["vocals", "other"], target="other")
    added = add(str(path), name="rest")
    assert "the vocals are the rest" in added.remarks
    vocals = Separator("rest").separate(song, RATE).vocals
    assert np.abs(vocals - (song - in_segments(network, song, None))).max() < 1e-5


def test_a_roformer_with_a_narrow_mask_estimator(tmp_path):
    _, path = roformer(tmp_path, "bs", ["Vocals", "Instrumental"], target="Vocals")
    content = json.loads(path.with_suffix(".yaml").read_text())
    content["model"]["mlp_expansion_factor"] = 2
    path.with_suffix(".yaml").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="do not fit the configuration"):
        add(str(path))
    settings = {name: content["model"][name] for name in content["model"] if name in roformer_family.LARGEST}
    config = roformer_family.Config("bs", {**settings, "freqs_per_bands": BANDS}, ("vocals",), SAMPLES)
    torch.save(roformer_family.build(config, 1 << 30).state_dict(), path)
    add(str(path), name="narrow")
    assert np.isfinite(Separator("narrow").separate(tones(1.1), RATE).vocals).all()


def test_roformer_configurations_that_make_no_sense_are_refused(tmp_path):
    _, path = roformer(tmp_path, "bs", ["Vocals", "Instrumental"], target="Vocals")
    content = json.loads(path.with_suffix(".yaml").read_text())
    changes = [
        ("model", "dim", 10**9, "dim must be"),
        ("model", "depth", 10**6, "depth must be"),
        ("model", "dim", 16, "do not fit the configuration"),
        ("model", "dim", 2048, "more weights than the file has"),
        ("model", "mlp_expansion_factor", 16, "do not fit the configuration"),
        ("model", "mask_estimator_depth", 8, "do not fit the configuration|more weights than"),
        ("model", "freqs_per_bands", [2, 3], "must sum to"),
        ("model", "freqs_per_bands", [10**12, 1], "freqs_per_bands"),
        ("model", "linear_transformer_depth", 1, "linear_transformer_depth"),
        ("model", "stereo", False, "not for stereo"),
        ("inference", "dim_t", 10**9, "samples must be"),
        ("inference", "dim_t", "many", "dim_t makes no sense"),
        ("training", "target_instrument", "No Reverb", "not the voice"),
        ("training", "instruments", None, "names no instruments"),
    ]
    for section, key, value, says in changes:
        changed = {**content, section: {**content[section], key: value}}
        path.with_suffix(".yaml").write_text(json.dumps(changed))
        with pytest.raises(ModelError, match=says) as caught:
            add(str(path))
        assert "\n" not in str(caught.value)
    path.with_suffix(".yaml").write_text(json.dumps({"audio": {}}))
    with pytest.raises(ModelError, match="not the configuration of a network"):
        add(str(path))
