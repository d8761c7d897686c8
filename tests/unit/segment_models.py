"""Small models of families for tests: graphs with random weights, of the inputs and outputs of the real ones."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vocalsep.inference.families.htdemucs_onnx import Config
from vocalsep.inference.families.table import FamilyInfo
from vocalsep.model_files.onnx_metadata import metadata_bytes

SMALL = Config(sample_rate=8000, samples=4000, n_fft=256)
CARD = {"name": "small", "licence": "MIT", "source": "made by a test"}


def write_htdemucs(path: pathlib.Path, config: Config = SMALL, seed: int = 0) -> pathlib.Path:
    """Write a graph whose sources are shares of the input by bin, which depend on the loudness of the whole segment."""
    rng = np.random.default_rng(seed)
    count, (parts, bins, frames) = len(config.sources), config.spectrum_shape
    shares = rng.random((1, count, 1, bins, 1)).astype(np.float32) / count
    gains = rng.random((1, count, 1, 1)).astype(np.float32) / count

    def value(name: str, *shape: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    nodes = [
        helper.make_node("Mul", ["mixture", "mixture"], ["power"]),
        helper.make_node("ReduceMean", ["power"], ["mean"], keepdims=0),
        helper.make_node("Tanh", ["mean"], ["loudness"]),
        helper.make_node("Unsqueeze", ["spectrum", "one"], ["spectra"]),
        helper.make_node("Mul", ["spectra", "shares"], ["shared"]),
        helper.make_node("Mul", ["shared", "loudness"], ["sources"]),
        helper.make_node("Unsqueeze", ["mixture", "one"], ["mixtures"]),
        helper.make_node("Mul", ["mixtures", "gains"], ["added"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [value("mixture", 1, 2, config.samples), value("spectrum", 1, parts, bins, frames)],
        [value("sources", 1, count, parts, bins, frames), value("added", 1, count, 2, config.samples)],
        [
            numpy_helper.from_array(shares, "shares"),
            numpy_helper.from_array(gains, "gains"),
            numpy_helper.from_array(np.array([1], np.int64), "one"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    info = FamilyInfo("htdemucs-onnx", config, CARD, shares.size + gains.size)
    path.write_bytes(model.SerializeToString() + metadata_bytes("vocalsep", json.dumps(info.to_dict())))
    return path
