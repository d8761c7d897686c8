"""Settings of the U-Net of MultiRes blocks, see `networks.multiresunet`."""

from __future__ import annotations

import dataclasses

from ...checks import number
from . import MaskConfig
from .block_unet import block_context

SHARES = (6, 3, 2)


@dataclasses.dataclass(frozen=True)
class MultiResUNetConfig(MaskConfig):
    """A U-Net of MultiRes blocks.

    Parameters
    ----------
    channels, filters, compression, level_frames, head
        See `MaskConfig`.
    alpha : float
        A block's convolutions have a sixth, a third and a half of `alpha` times the level's filters.
    """

    alpha: float = 1.67

    def __post_init__(self) -> None:
        super().__post_init__()
        number("alpha", self.alpha, 0.1, 10)

    @property
    def context(self) -> int:
        """Frames to either side that can change a frame's mask."""
        depth = len(self.filters)
        return block_context(self, len(SHARES), [residual_units(level, depth) for level in range(depth - 1)])


def residual_units(level: int, depth: int) -> int:
    """Return the number of residual units of a skip connection: one at the innermost level, one more at each outer."""
    return depth - 1 - level
