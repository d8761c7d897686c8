"""Fold batch norms into the convolutions before them: the same function in evaluation mode, with less work."""

from __future__ import annotations

from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .shared import BatchNorm2d


def fold(network: nn.Module) -> None:
    """Fold every batch norm that follows a convolution in the same `nn.Sequential`, in place.

    The network must be in evaluation mode and cannot be trained afterwards.
    """
    for module in list(network.modules()):
        if isinstance(module, nn.Sequential):
            for (_, layer), (name, norm) in pairwise(list(module.named_children())):
                if type(norm) is BatchNorm2d and isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                    fused = fuse_conv_bn_eval(layer, norm, transpose=isinstance(layer, nn.ConvTranspose2d))
                    layer.weight, layer.bias = fused.weight, fused.bias
                    setattr(module, name, nn.Identity())
