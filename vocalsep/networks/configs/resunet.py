"""Settings of the U-Net of residual blocks, see `networks.resunet`."""

from __future__ import annotations

import dataclasses

from . import MaskConfig
from .block_unet import block_context


@dataclasses.dataclass(frozen=True)
class ResUNetConfig(MaskConfig):
    """A U-Net of residual blocks; its parameters are those of `MaskConfig`."""

    @property
    def context(self) -> int:
        """Frames to either side that can change a frame's mask."""
        return block_context(self, 2)
