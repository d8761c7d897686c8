"""Settings of the U-Net with attention gates, see `networks.attention_unet`."""

from __future__ import annotations

import dataclasses

from . import MaskConfig
from .block_unet import block_context


@dataclasses.dataclass(frozen=True)
class AttentionUNetConfig(MaskConfig):
    """A U-Net with attention gates; its parameters are those of `MaskConfig`."""

    @property
    def context(self) -> int:
        """Frames to either side that can change a frame's mask."""
        return block_context(self, 2)
