"""U-Net of recurrent residual blocks with attention gates on its skips, see `r2unet` and `attention_unet`."""

from __future__ import annotations

from torch import nn

from .attention_unet import AttentionGate
from .r2unet import R2UNet


class AttentionR2UNet(R2UNet):
    """Estimate masks with recurrent residual blocks and attention gates."""

    def skip(self, in_channels: int, gating: int, depth: int) -> nn.Module:
        """Return an attention gate."""
        return AttentionGate(in_channels, gating)
