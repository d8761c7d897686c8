"""Reduce the filters at the bottom of a U-Net that has no nonlinearity between its two deepest layers."""

from __future__ import annotations

import dataclasses

import torch

from ..errors import ModelError
from .spleeter import SpleeterUNet


def narrow_bottleneck(network: SpleeterUNet, filters: int) -> SpleeterUNet:
    """Return the best approximation of a network with fewer filters at its bottom.

    In Spleeter's U-Net the deepest layer feeds the first transposed layer directly. The two form one linear map, whose
    best approximation through fewer filters is its truncated singular value decomposition (Eckart, Young, 1936).

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
    largest = config.filters[-1]
    if not 1 <= filters <= largest:
        raise ModelError(f"the bottleneck can have 1 to {largest} filters, not {filters}")
    weights = network.state_dict()
    encoder = f"encoder.{len(config.filters) - 1}"
    down, bias, up = (weights[name] for name in (f"{encoder}.weight", f"{encoder}.bias", "decoder.0.weight"))
    encode, decode = down.double().flatten(1), up.double().flatten(1)
    # up.T @ down is far too large to decompose. Its singular values are those of up.T @ R.T, where down.T = Q @ R.
    rest = torch.linalg.qr(encode.T).R
    left, values, right = torch.linalg.svd(decode.T @ rest.T, full_matrices=False)
    chosen = right[:filters] @ torch.linalg.pinv(rest.T)
    narrow = SpleeterUNet(dataclasses.replace(config, filters=(*config.filters[:-1], filters)))
    weights[f"{encoder}.weight"] = (chosen @ encode).reshape(filters, *down.shape[1:])
    weights[f"{encoder}.bias"] = chosen @ bias.double()
    weights["decoder.0.weight"] = (left[:, :filters] * values[:filters]).T.reshape(filters, *up.shape[1:])
    narrow.load_state_dict(weights)
    return narrow.eval()
