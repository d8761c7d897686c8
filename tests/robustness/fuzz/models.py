"""Model files of both kinds: what opens has finite weights that fit its configuration, and computes."""

from __future__ import annotations

import json
import pathlib
import random
from typing import Any

import numpy as np
import onnx
import torch
from test_networks import RATE, SMALL, model

from vocalsep.inference.engine import Engine
from vocalsep.inference.onnx_export import export
from vocalsep.inference.opening import model_info
from vocalsep.model_files.checkpoint import load, save

from .defect import expect
from .mutations import TEXTS, damaged, flipped, odd_tree, odd_value

TINY = {"filters": (2, 4), "level_frames": 3}
SEEDS: dict[str, tuple[str, dict[str, Any]]] = {
    "unet": ("unet", TINY),
    "spleeter": ("spleeter", TINY),
    "tfc-tdf": ("tfc-tdf", {**SMALL["tfc-tdf"], "filters": (3, 4), "layers": 1}),
    "wave-unet": ("wave-unet", {"levels": 2, "filters": 3, "tile": 300}),
    "pair": ("pair", {"network": TINY}),
    "r2unet": ("r2unet", TINY),
}
EXPORTED = ("unet", "wave-unet")
# Of the mixture that a model separates.
SAMPLES = 2000


class Models:
    """See `watch.Harness`."""

    def __init__(self, seeds: pathlib.Path, place: pathlib.Path):
        torch.set_num_threads(1)
        self.place = place
        self.seeds: dict[str, bytes] = {}
        for name, (architecture, settings) in SEEDS.items():
            path = seeds / f"{name}.safetensors"
            network, config = model(architecture, settings)
            save(path, network, config, {"licence": "CC0"})
            self.seeds[path.name] = path.read_bytes()
            if name in EXPORTED:
                graph = path.with_suffix(".onnx")
                if not graph.exists():
                    export(path, graph)
                self.seeds[graph.name] = graph.read_bytes()
        self.names = {kind: [name for name in self.seeds if name.endswith(kind)] for kind in (".safetensors", ".onnx")}

    def attempt(self, random_: random.Random) -> None:
        """Damage a model file, open it, and let it compute a moment."""
        kind = random_.choice(tuple(self.names))
        data = self.seeds[random_.choice(self.names[kind])]
        how = random_.random()
        if how < 0.2:
            # Weights are what comes last, or most of all that there is.
            data = data[: -len(data) // 3] + flipped(data[-len(data) // 3 :], random_)
        elif how < 0.5:
            data = damaged(data, self.seeds[random_.choice(self.names[kind])], random_)
        else:
            data = (_other_header if kind == ".safetensors" else _other_graph)(data, random_)
        path = self.place / f"model{kind}"
        path.write_bytes(data)
        info = model_info(path)
        if kind == ".safetensors":
            _check_weights(path, info.parameters)
        _compute(path)


def _other_header(data: bytes, random_: random.Random) -> bytes:
    """Change values in the header of a safetensors file, or in the configuration that it holds."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    if random_.random() < 0.7:
        metadata = odd_tree(json.loads(header["__metadata__"]["vocalsep"]), random_)
        header["__metadata__"]["vocalsep"] = json.dumps(metadata)
    elif random_.random() < 0.9:
        header = odd_tree(header, random_)
    else:
        header = odd_value(random_)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def _other_graph(data: bytes, random_: random.Random) -> bytes:
    """Change the metadata, the attributes, the shapes, the weights or the wires of an ONNX graph."""
    proto = onnx.load_model_from_string(data)
    for _ in range(random_.randint(1, 3)):
        random_.choice((_edit_said, _edit_node, _edit_node, _edit_weights, _edit_interface))(proto, random_)
    return proto.SerializeToString()


def _edit_said(proto: Any, random_: random.Random) -> None:
    held = proto.metadata_props[0]
    try:
        held.value = json.dumps(odd_tree(json.loads(held.value), random_))
    except ValueError:
        held.value = random_.choice(("", "[]", "{}", "null"))


def _edit_node(proto: Any, random_: random.Random) -> None:
    node = random_.choice(proto.graph.node)
    how = random_.randrange(4)
    if how == 0 and node.attribute:
        attribute = random_.choice(node.attribute)
        attribute.i = random_.choice((-1, 0, 1, 2, 3, 1 << 20, 1 << 40))
        for at in range(len(attribute.ints)):
            attribute.ints[at] += random_.choice((-2, -1, 0, 1, 1000))
    elif how == 1:
        node.op_type = random_.choice((random_.choice(proto.graph.node).op_type, "Loop", "Expand", "Nothing"))
    elif how == 2 and node.input:
        node.input[random_.randrange(len(node.input))] = random_.choice(proto.graph.node).output[0]
    else:
        proto.graph.node.remove(node)


def _edit_weights(proto: Any, random_: random.Random) -> None:
    stored = random_.choice(proto.graph.initializer)
    how = random_.randrange(5)
    if how == 0 and stored.dims:
        stored.dims[random_.randrange(len(stored.dims))] = random_.choice((-1, 0, 1, 7, 1 << 20, 1 << 40))
    elif how == 1:
        stored.data_type = random_.randrange(24)
    elif how == 2:
        stored.data_location = onnx.TensorProto.EXTERNAL
        stored.external_data.add(key="location", value=random_.choice(("/etc/passwd", "model.onnx", *TEXTS[:3])))
    elif how == 3:
        stored.raw_data = damaged(stored.raw_data, b"", random_)
    else:
        stored.raw_data = flipped(stored.raw_data, random_)


def _edit_interface(proto: Any, random_: random.Random) -> None:
    value = random_.choice((*proto.graph.input, *proto.graph.output))
    shape = value.type.tensor_type.shape
    how = random_.randrange(4)
    if how == 0:
        shape.dim[random_.randrange(len(shape.dim))].dim_value = random_.choice((0, 1, 2, 63, 65, 1 << 20))
    elif how == 1:
        value.type.tensor_type.elem_type = random_.randrange(1, 17)
    elif how == 2:
        value.name = random_.choice((*(node.output[0] for node in proto.graph.node), "input", "x"))
    else:
        proto.graph.input.extend([value])


def _check_weights(path: pathlib.Path, parameters: int) -> None:
    network, _ = load(path)
    weights = network.state_dict().values()
    expect(sum(tensor.numel() for tensor in weights) == parameters, "another number of weights than the header says")
    for tensor in weights:
        expect(not tensor.is_floating_point() or tensor.dtype == torch.float32, f"weights of type {tensor.dtype}")
        expect(bool(tensor.isfinite().all()), "weights that are not finite")


def _compute(path: pathlib.Path) -> None:
    engine = Engine(path, device="cpu", threads=1)
    mixture = np.random.default_rng(0).standard_normal((2, SAMPLES)).astype(np.float32)
    pairs = list(engine.vocals_of([mixture], RATE, 2))
    vocals = np.concatenate([vocals for _, vocals in pairs], axis=1)
    expect(vocals.shape == mixture.shape, f"makes {vocals.shape} of {mixture.shape}")
    expect(bool(np.isfinite(vocals).all()), "makes what is not finite")
