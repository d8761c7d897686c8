"""Export of models as ONNX files, for ONNX Runtime and other tools: the network alone, without the STFT."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import logging
import pathlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..model_files.checkpoint import load
from ..networks.network import Network
from ..networks.phases import PhasedConvTranspose2d, divides
from ..networks.shared import BatchNorm2d
from ..system.atomic_files import write_bytes
from ..system.extras import require
from .backend import shape_to_dict
from .onnx_backend import MASK_INPUTS, METADATA_KEY, OUTPUT, WAVE_INPUTS
from .onnx_session import EXTERNAL_DATA_KEY
from .torch_backend import TorchMasks, TorchWaves, torch_backend

if TYPE_CHECKING:
    import onnx

OPSET = 18
# Frames of the three inputs of the traced example, in strides; the graph takes any number.
TRACED_STRIDES = (5, 10, 6)
# With fewer channels, transposed convolutions are faster unchanged.
PHASED_FROM = 8
# Smaller tensors are not worth storing in 16 bits.
NARROWED_FROM = 1024


def export(model: pathlib.Path, out: pathlib.Path) -> None:
    """Write a model's network as an ONNX file, with the model's configuration and card in its metadata.

    The graph of a network on spectrograms has the inputs ``context_before``, ``input`` and ``context_after``:
    consecutive magnitudes (batch, channels, bins, frames), whose frames together are a multiple of the network's
    stride; the context may have no frames. For some networks, the magnitudes of mid and side,
    ``(left +- right) / 2``, follow those of left and right. ``output`` has the vocals' masks for ``input`` alone.
    The graph of a network on waveforms has one input, ``input`` (batch, channels, samples); ``output`` has the vocals'
    samples. Files of earlier versions call these ``before``, ``heard``, ``after`` and ``made``.
    Weights that 16 bits represent exactly are stored in 16 bits.

    Parameters
    ----------
    model : pathlib.Path
        A safetensors model file.
    out : pathlib.Path

    Raises
    ------
    ModelError
        The model is broken.
    UsageError
        The network takes more than magnitudes, or torch is too old.
    MissingExtraError
        The packages of the extra ``train`` are not installed.
    OutputError
        The file cannot be written.
    """
    require("train", "exporting a model")
    if "optimize" not in inspect.signature(torch.onnx.export).parameters:
        raise UsageError(f"exporting needs PyTorch 2.6 or later, not {torch.__version__}")
    network, info = load(model)
    front_end = info.config.front_end
    backend = torch_backend(network, front_end.bins, torch.device("cpu"))
    if isinstance(backend, TorchMasks) and not (backend.network.takes_magnitudes or backend.shape.mid_side):
        raise UsageError(
            f"{info.config.architecture} takes more than magnitudes, which an ONNX file cannot compute", path=model
        )
    graph = _trace(backend)
    _store_in_16_bits(graph)
    metadata: dict[str, Any] = {
        "config": info.config.to_dict(),
        "card": info.card,
        "shape": shape_to_dict(backend.shape),
    }
    metadata["parameters"] = info.parameters
    del graph.metadata_props[:]
    # The text of a card may contain the key of external data, by which the reader refuses files. In JSON, an escaped
    # character means the same.
    words = json.dumps(metadata).replace(
        EXTERNAL_DATA_KEY, f"\\u{ord(EXTERNAL_DATA_KEY[0]):04x}{EXTERNAL_DATA_KEY[1:]}"
    )
    graph.metadata_props.add(key=METADATA_KEY, value=words)
    graph.producer_name = "vocalsep"
    write_bytes(out, graph.SerializeToString(deterministic=True))


class _Masks(nn.Module):
    """The masks for magnitudes, with context before and after them."""

    def __init__(self, backend: TorchMasks):
        super().__init__()
        self.network = backend.network
        _replace_modules(self.network)

    def forward(self, context_before: Tensor, input: Tensor, context_after: Tensor) -> Tensor:
        start = context_before.shape[3]
        magnitude = torch.cat([context_before, input, context_after], dim=3)
        return self.network.masks_between(magnitude, start, start + input.shape[3])


class _Affine(nn.Module):
    """A batch norm in evaluation mode."""

    def __init__(self, norm: BatchNorm2d):
        super().__init__()
        state = norm.state_dict()
        scale = state["weight"] / (state["running_var"] + norm.eps).sqrt()
        shift = state["bias"] - state["running_mean"] * scale
        self.scale, self.shift = (nn.Buffer(each[:, None, None]) for each in (scale, shift))

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden * self.scale + self.shift


def _replace_modules(network: nn.Module) -> None:
    """Replace transposed convolutions that runtimes are slow at, and all batch norms; leave the layout to runtimes.

    Torch's own batch norm checks whether there are frames, which is unknown at export.
    """
    for module in list(network.modules()):
        if isinstance(module, Network):
            # Graphs have no layout: what a network does for one would stay in them, as transpositions.
            module.layout = torch.contiguous_format
        for name, child in module.named_children():
            if type(child) is BatchNorm2d:
                setattr(module, name, _Affine(child))
            elif type(child) is nn.ConvTranspose2d and child.out_channels >= PHASED_FROM and divides(child):
                setattr(module, name, PhasedConvTranspose2d(child))


class _Waves(nn.Module):
    """The vocals in a mixture."""

    def __init__(self, backend: TorchWaves):
        super().__init__()
        self.network = backend.network
        self.shape = backend.shape

    def forward(self, input: Tensor) -> Tensor:
        estimates: Tensor = self.network(input)
        return estimates[:, : self.shape.channels, : self.shape.tile]


def _trace(backend: TorchMasks | TorchWaves) -> onnx.ModelProto:
    module: nn.Module
    names: tuple[str, ...]
    sizes: list[tuple[int, ...]]
    channels, dynamic_size = backend.shape.channels, torch.export.Dim.AUTO
    if isinstance(backend, TorchMasks):
        module, names = _Masks(backend), MASK_INPUTS
        inputs = 2 * channels if backend.shape.mid_side else channels
        sizes = [(2, inputs, backend.bins, strides * backend.shape.stride) for strides in TRACED_STRIDES]
    else:
        module, names = _Waves(backend), WAVE_INPUTS
        sizes = [(2, channels, backend.shape.input_samples)]
    dynamic = {
        name: {0: dynamic_size, 3: dynamic_size} if len(size) == 4 else {0: dynamic_size}
        for name, size in zip(names, sizes, strict=True)
    }
    with _quiet():
        program = torch.onnx.export(
            module.eval(),
            tuple(torch.rand(size) for size in sizes),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(names),
            output_names=[OUTPUT],
            dynamic_shapes=dynamic,
            verbose=False,
            # The optimizer would drop the addition of 1e-8 that prevents divisions by zero.
            optimize=False,
        )
    if program is None:
        raise UsageError("torch cannot export this network")
    graph: onnx.ModelProto = program.model_proto
    return graph


def _store_in_16_bits(graph: onnx.ModelProto) -> None:
    """Store weights in 16 bits if they are exact in 16 bits, and let the graph cast them to 32."""
    import onnx
    from onnx import numpy_helper

    casts = []
    for stored in graph.graph.initializer:
        if stored.data_type != onnx.TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(stored)
        with np.errstate(over="ignore"):
            narrow = values.astype(np.float16)
        if values.size < NARROWED_FROM or not np.array_equal(narrow.astype(np.float32), values):
            continue
        name, stored_name = stored.name, f"{stored.name}.float16"
        stored.CopyFrom(numpy_helper.from_array(narrow, stored_name))
        casts.append(onnx.helper.make_node("Cast", [stored_name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    for node in graph.graph.node:
        # These name the lines of source code that a node came from.
        del node.metadata_props[:]
        node.doc_string = ""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the exporter's messages."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
