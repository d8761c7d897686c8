"""Model files: safetensors weights with the model's configuration as JSON in the header.

A model file rebuilds its own network. Reading one parses numbers and text and runs no code.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import TYPE_CHECKING, Any

from ..errors import ModelError
from ..system.atomic_files import write_bytes
from .config import ModelConfig

if TYPE_CHECKING:
    from ..networks.network import Network

HEADER_KEY = "vocalsep"
LARGEST_HEADER = 100_000_000


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """What a model file says of itself, without its weights.

    Parameters
    ----------
    config : ModelConfig
        Front end and network.
    card : dict
        What it was trained on and how well it does: keys such as ``licence``, ``trained_on``, ``figures``.
    parameters : int
        Number of values that the file holds.
    """

    config: ModelConfig
    card: dict[str, Any]
    parameters: int


def read_info(path: pathlib.Path) -> ModelInfo:
    """Read configuration and card of a model file.

    Raises
    ------
    ModelError
        The file is missing, is no safetensors file, or was not written by vocalsep.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= LARGEST_HEADER:
                raise ModelError(f"{path}: not a safetensors file; --model takes what vocalsep itself has written")
            header = json.loads(file.read(length))
        counted = [_product(entry["shape"]) for name, entry in header.items() if name != "__metadata__"]
        return understood(json.loads(header["__metadata__"][HEADER_KEY]), sum(counted))
    except FileNotFoundError:
        raise ModelError(f"{path}: no such model file") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
    except ModelError as error:
        raise ModelError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        raise ModelError(f"{path}: not a vocalsep model (its header holds no vocalsep configuration)") from None


def understood(said: Any, parameters: int) -> ModelInfo:
    """Read what a model file's header says, configuration and card; raises ModelError."""
    try:
        return ModelInfo(ModelConfig.from_dict(said["config"]), dict(said["card"]), parameters)
    except (KeyError, TypeError, ValueError):
        raise ModelError("not a vocalsep model (its header holds no configuration and card)") from None


def load(path: pathlib.Path) -> tuple[Network, ModelInfo]:
    """Rebuild a model's network, in evaluation mode with float32 weights.

    Raises
    ------
    ModelError
        As `read_info`; or the weights are cut short, or do not fit the configuration.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from ..networks.table import build

    info = read_info(path)
    with torch.device("meta"):
        network = build(info.config.architecture, info.config.network)
    if info.parameters != sum(tensor.numel() for tensor in network.state_dict().values()):
        raise ModelError(f"{path}: the weights do not fit the model's own configuration")
    try:
        weights = load_file(path)
        network.load_state_dict(weights, strict=True, assign=True)
    except (SafetensorError, OSError, RuntimeError):
        raise ModelError(
            f"{path}: the weights are damaged or do not fit the model's own configuration; copy the file anew"
        ) from None
    network = network.float().eval().requires_grad_(False)
    if not all(bool(tensor.isfinite().all()) for tensor in network.state_dict().values()):
        raise ModelError(f"{path}: the weights hold NaN or infinite values; its training went wrong")
    return network, info


def save(path: pathlib.Path, network: Network, config: ModelConfig, card: dict[str, Any]) -> None:
    """Write a model file, 16-bit, whole or not at all.

    Raises
    ------
    OutputError
        The file cannot be written; nothing is left under `path` that was not there before.
    """
    import torch
    from safetensors.torch import save as to_bytes

    # The batch counter of a batch norm counts training steps; 16 bits would round it.
    weights = {
        name: tensor.detach().to(torch.float16).contiguous() if tensor.is_floating_point() else tensor.detach()
        for name, tensor in network.state_dict().items()
    }
    write_bytes(path, to_bytes(weights, {HEADER_KEY: json.dumps({"config": config.to_dict(), "card": card})}))


def _product(shape: list[int]) -> int:
    product = 1
    for size in shape:
        product *= int(size)
    return product
