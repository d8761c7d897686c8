"""Models as ONNX files, for ONNX Runtime and whatever else reads them: the network alone, the STFT stays outside."""

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
from ..networks.phases import PhasedConvTranspose2d, divides
from ..networks.shared import BatchNorm2d
from ..system.atomic_files import write_bytes
from .backend import shape_to_dict
from .onnx_backend import MASK_INPUTS, METADATA_KEY, OTHER_FILES, WAVE_INPUTS
from .torch_backend import TorchMasks, TorchWaves, torch_backend

if TYPE_CHECKING:
    import onnx

OPSET = 18
# As many strides of frames as the three parts of the example have that is traced; the graph takes any numbers.
TRACED_STRIDES = (5, 10, 6)
# With fewer channels, transposed convolutions are faster as they are.
PHASED_FROM = 8
# Smaller weights gain nothing by 16 bits.
NARROWED_FROM = 1024


def export(model: pathlib.Path, out: pathlib.Path) -> None:
    """Write a model's network as an ONNX file, with the model's configuration and card in its metadata.

    The graph of a network on spectrograms has the inputs ``before``, ``heard`` and ``after``: magnitudes (batch,
    channels, bins, frames) that follow one another, whose frames together are a multiple of the network's stride; for
    some networks those of mid and side, ``(left +- right) / 2``, follow those of left and right.
    Those before and after are context, and may be none. Its output ``made`` are the vocals' masks for ``heard`` alone.
    That of a network on waveforms has the one input ``heard``, (batch, channels, samples), and ``made`` are the
    vocals' samples.
    Weights that 16 bits hold exactly are stored in 16 bits.

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
        Its network takes more than magnitudes, or the packages of the extra ``onnx`` are missing or torch is too old.
    OutputError
        The file cannot be written.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        raise UsageError("exporting needs its extra: pip install 'vocalsep[onnx]'") from None
    if "optimize" not in inspect.signature(torch.onnx.export).parameters:
        raise UsageError(f"exporting needs PyTorch 2.6 or later, not {torch.__version__}")
    network, info = load(model)
    front_end = info.config.front_end
    backend = torch_backend(network, front_end.bins, torch.device("cpu"))
    if isinstance(backend, TorchMasks) and not (backend.network.takes_magnitudes or backend.shape.mid_side):
        raise UsageError(f"{info.config.architecture} hears more than magnitudes, which an ONNX file cannot hold")
    graph = _traced(backend)
    _narrow(graph)
    said: dict[str, Any] = {"config": info.config.to_dict(), "card": info.card, "shape": shape_to_dict(backend.shape)}
    said["parameters"] = info.parameters
    del graph.metadata_props[:]
    # A card may well hold the word by which files that name others are told; to JSON the escape is the same.
    words = json.dumps(said).replace(OTHER_FILES, f"\\u{ord(OTHER_FILES[0]):04x}{OTHER_FILES[1:]}")
    graph.metadata_props.add(key=METADATA_KEY, value=words)
    graph.producer_name = "vocalsep"
    write_bytes(out, graph.SerializeToString(deterministic=True))


class _Masks(nn.Module):
    """The vocals' masks of magnitudes that stand between others."""

    def __init__(self, backend: TorchMasks):
        super().__init__()
        self.network = backend.network
        _spell_out(self.network)

    def forward(self, before: Tensor, heard: Tensor, after: Tensor) -> Tensor:
        start = before.shape[3]
        mixture = torch.cat([before, heard, after], dim=3)
        return self.network.masks_between(mixture, start, start + heard.shape[3])


class _Affine(nn.Module):
    """What a batch norm is once training is over."""

    def __init__(self, norm: BatchNorm2d):
        super().__init__()
        held = norm.state_dict()
        scale = held["weight"] / (held["running_var"] + norm.eps).sqrt()
        shift = held["bias"] - held["running_mean"] * scale
        self.scale, self.shift = (nn.Buffer(each[:, None, None]) for each in (scale, shift))

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden * self.scale + self.shift


def _spell_out(network: nn.Module) -> None:
    """Replace what runtimes are slow at, and all batch norms.

    Torch's own batch norm has to know whether there are frames, which an exporter cannot tell.
    """
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is BatchNorm2d:
                setattr(module, name, _Affine(child))
            elif type(child) is nn.ConvTranspose2d and child.out_channels >= PHASED_FROM and divides(child):
                setattr(module, name, PhasedConvTranspose2d(child))


class _Waves(nn.Module):
    """The vocals of a mixture."""

    def __init__(self, backend: TorchWaves):
        super().__init__()
        self.network = backend.network
        self.shape = backend.shape

    def forward(self, heard: Tensor) -> Tensor:
        estimates: Tensor = self.network(heard)
        return estimates[:, : self.shape.channels, : self.shape.tile]


def _traced(backend: TorchMasks | TorchWaves) -> onnx.ModelProto:
    module: nn.Module
    names: tuple[str, ...]
    sizes: list[tuple[int, ...]]
    channels, unknown = backend.shape.channels, torch.export.Dim.AUTO
    if isinstance(backend, TorchMasks):
        module, names = _Masks(backend), MASK_INPUTS
        inputs = 2 * channels if backend.shape.mid_side else channels
        sizes = [(2, inputs, backend.bins, strides * backend.shape.stride) for strides in TRACED_STRIDES]
    else:
        module, names = _Waves(backend), WAVE_INPUTS
        sizes = [(2, channels, backend.shape.heard)]
    dynamic = {
        name: {0: unknown, 3: unknown} if len(size) == 4 else {0: unknown}
        for name, size in zip(names, sizes, strict=True)
    }
    with _quiet():
        program = torch.onnx.export(
            module.eval(),
            tuple(torch.rand(size) for size in sizes),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(names),
            output_names=["made"],
            dynamic_shapes=dynamic,
            verbose=False,
            # The optimizer takes the 1e-8 that is added against division by zero for a zero, and drops it.
            optimize=False,
        )
    if program is None:
        raise UsageError("torch made no ONNX program of this network")
    graph: onnx.ModelProto = program.model_proto
    return graph


def _narrow(graph: onnx.ModelProto) -> None:
    """Store weights in 16 bits where that loses nothing, and let the graph widen them."""
    import onnx
    from onnx import numpy_helper

    widened = []
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
        widened.append(onnx.helper.make_node("Cast", [stored_name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*widened, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    for node in graph.graph.node:
        # Where in this code a node came from is nobody's concern.
        del node.metadata_props[:]
        node.doc_string = ""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter from telling of its steps."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
