"""Settings of the U-Net of dense blocks, see `networks.denseunet`."""

from __future__ import annotations

import dataclasses

from ...checks import whole_number
from . import MaskConfig
from .block_unet import block_context


@dataclasses.dataclass(frozen=True)
class DenseUNetConfig(MaskConfig):
    """A U-Net of dense blocks.

    Parameters
    ----------
    channels, filters, compression, level_frames, head
        See `MaskConfig`.
    layers : int
        Convolutions in a block. Each adds a share of 1 / `layers` of the level's filters (its growth).
    """

    layers: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number("layers", self.layers, 1, 16)

    @property
    def context(self) -> int:
        """Frames to either side that can change a frame's mask."""
        return block_context(self, self.layers)
