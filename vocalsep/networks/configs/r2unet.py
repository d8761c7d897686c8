"""Settings of the U-Net of recurrent residual blocks, see `networks.r2unet`."""

from __future__ import annotations

import dataclasses

from ...checks import whole_number
from . import MaskConfig
from .block_unet import block_context

LAYERS = 2


@dataclasses.dataclass(frozen=True)
class R2UNetConfig(MaskConfig):
    """A U-Net of recurrent residual blocks.

    Parameters
    ----------
    channels, filters, compression, level_frames, head
        See `MaskConfig`.
    steps : int
        How often each convolution is applied again to its own output (t in the paper, 2 or 3).
    """

    steps: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number("steps", self.steps, 1, 8)

    @property
    def context(self) -> int:
        """Frames to either side that can change a frame's mask."""
        return block_context(self, LAYERS * (self.steps + 1))
