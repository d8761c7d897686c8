"""Fewer filters at the bottom of a U-Net whose two deepest layers meet without a nonlinearity between them."""

from __future__ import annotations

import dataclasses

import torch

from ..errors import ModelError
from .spleeter import SpleeterUNet


def narrow_bottleneck(network: SpleeterUNet, filters: int) -> SpleeterUNet:
    """Return a network with that many filters at its bottom, as near to the given one as they allow.

    In Spleeter's U-Net the deepest layer's output goes straight into the first transposed layer. The two are one linear
    map, whose best approximation through fewer filters is its truncated singular value decomposition (Eckart, Young,
    1936).

    Parameters
    ----------
    network : SpleeterUNet
    filters : int
        At most as many as it has.

    Raises
    ------
    ModelError
        `filters` is out of range.
    """
    config = network.config
    held = config.filters[-1]
    if not 1 <= filters <= held:
        raise ModelError(f"the bottleneck can have 1 to {held} filters, not {filters}")
    weights = network.state_dict()
    encoder = f"encoder.{len(config.filters) - 1}"
    down, bias, up = (weights[name] for name in (f"{encoder}.weight", f"{encoder}.bias", "decoder.0.weight"))
    in_channels, out_channels = down.double().flatten(1), up.double().flatten(1)
    # out_channels.T @ in_channels is far too large to decompose; with the Q of `in_channels` aside, its R does as well.
    rest = torch.linalg.qr(in_channels.T).R
    left, values, right = torch.linalg.svd(out_channels.T @ rest.T, full_matrices=False)
    chosen = right[:filters] @ torch.linalg.pinv(rest.T)
    narrow = SpleeterUNet(dataclasses.replace(config, filters=(*config.filters[:-1], filters)))
    weights[f"{encoder}.weight"] = (chosen @ in_channels).reshape(filters, *down.shape[1:])
    weights[f"{encoder}.bias"] = chosen @ bias.double()
    weights["decoder.0.weight"] = (left[:, :filters] * values[:filters]).T.reshape(filters, *up.shape[1:])
    narrow.load_state_dict(weights)
    return narrow.eval()
