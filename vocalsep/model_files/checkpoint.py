"""Model files: safetensors weights with the model's configuration as JSON in the header.

A model file rebuilds its own network. Reading one parses numbers and text and runs no code.
"""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
from typing import TYPE_CHECKING, Any

from ..errors import ModelError
from ..system.atomic_files import write_bytes
from ..system.extras import require
from .config import ModelConfig
from .store import ADD_HINT

if TYPE_CHECKING:
    from ..networks.network import Network

HEADER_KEY = "vocalsep"
LARGEST_HEADER = 100_000_000


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """Configuration and card of a model file, without its weights.

    Parameters
    ----------
    config : ModelConfig
        Front end and network.
    card : dict
        Origin and scores of the model: keys such as ``licence``, ``trained_on``, ``figures``.
    parameters : int
        Number of values in the file.
    """

    config: ModelConfig
    card: dict[str, Any]
    parameters: int


def read_info(path: pathlib.Path) -> ModelInfo:
    """Read the configuration and card of a model file.

    Raises
    ------
    ModelError
        The file is missing, not a safetensors file, or not written by vocalsep.
    """
    metadata, parameters = read_metadata(path)
    try:
        return parse_info(metadata, parameters)
    except ModelError as error:
        raise error.about(path) from None


def read_metadata(path: pathlib.Path) -> tuple[dict[str, Any], int]:
    """Read vocalsep's metadata in the header of a safetensors file, and count the values in the file.

    Raises
    ------
    ModelError
        As `read_info`.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= LARGEST_HEADER:
                raise ModelError("not a safetensors file", path=path, hint=ADD_HINT)
            header = json.loads(file.read(length))
        sizes = [
            math.prod(int(size) for size in entry["shape"]) for name, entry in header.items() if name != "__metadata__"
        ]
        return dict(json.loads(header["__metadata__"][HEADER_KEY])), sum(sizes)
    except FileNotFoundError:
        raise ModelError("no such model file", path=path) from None
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})", path=path) from None
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        reason = "not a vocalsep model (its header has no vocalsep configuration)"
        raise ModelError(reason, path=path, hint=ADD_HINT) from None


def parse_info(metadata: Any, parameters: int) -> ModelInfo:
    """Parse the metadata in a model file's header; raises ModelError."""
    if isinstance(metadata, dict) and "family" in metadata:
        raise ModelError("is a model of another program, which separates but cannot be trained, averaged or exported")
    try:
        return ModelInfo(ModelConfig.from_dict(metadata["config"]), dict(metadata["card"]), parameters)
    except (KeyError, TypeError, ValueError):
        raise ModelError("not a vocalsep model (its header has no configuration and card)") from None


def load(path: pathlib.Path) -> tuple[Network, ModelInfo]:
    """Load a model's network, in evaluation mode with float32 weights.

    Raises
    ------
    ModelError
        As `read_info`; or the weights are incomplete, damaged, or do not fit the configuration.
    MissingExtraError
        Torch is not installed.
    """
    require("torch", "reading a model's weights")

    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from ..networks.table import build

    info = read_info(path)
    with torch.device("meta"):
        network = build(info.config.architecture, info.config.network)
    if info.parameters != sum(tensor.numel() for tensor in network.state_dict().values()):
        raise ModelError("the weights do not fit the model's own configuration", path=path)
    try:
        weights = load_file(path)
        network.load_state_dict(weights, strict=True, assign=True)
    except (SafetensorError, OSError, RuntimeError):
        raise ModelError(
            "the weights are damaged or do not fit the model's own configuration", path=path, hint="copy the file again"
        ) from None
    network = network.float().eval().requires_grad_(False)
    if not all(bool(tensor.isfinite().all()) for tensor in network.state_dict().values()):
        raise ModelError("the weights hold NaN or infinite values; its training diverged", path=path)
    return network, info


def save(path: pathlib.Path, network: Network, config: ModelConfig, card: dict[str, Any]) -> None:
    """Write a model file with 16-bit weights, atomically.

    Raises
    ------
    OutputError
        The file cannot be written; a file that was at `path` before is unchanged.
    """
    import torch
    from safetensors.torch import save as to_bytes

    # Integers, such as the batch counters of batch norms, would be rounded in 16 bits.
    weights = {
        name: tensor.detach().to(torch.float16).contiguous() if tensor.is_floating_point() else tensor.detach()
        for name, tensor in network.state_dict().items()
    }
    write_bytes(path, to_bytes(weights, {HEADER_KEY: json.dumps({"config": config.to_dict(), "card": card})}))
