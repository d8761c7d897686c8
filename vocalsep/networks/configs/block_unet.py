"""What the configurations of all block networks have in common, see `networks.block_unet`."""

from __future__ import annotations

from collections.abc import Sequence

from ..receptive_field import Down, Same, Step, Up, context
from . import MaskConfig

STEM_KERNEL, STEM_PADDING = 4, 1


def block_context(config: MaskConfig, block_radius: int, skip_radii: Sequence[int] = ()) -> int:
    """Return the frames to either side that can change a mask of a `BlockUNet`.

    Parameters
    ----------
    config : MaskConfig
    block_radius : int
        Frames to either side, at its own resolution, in the receptive field of a block.
    skip_radii : sequence of int
        The same for each skip connection, the outermost first; missing ones are 0.
    """
    block = Same(block_radius)
    paths = []
    for depth in range(len(config.filters)):
        # A path goes down to some depth, along the skip connection there, and up again. The deepest has none.
        crossing = [block, Same(_radius(skip_radii, depth))] if depth < len(config.filters) - 1 else []
        steps: list[Step] = [Up(STEM_KERNEL, STEM_PADDING), *[block, Up(2, 0)] * depth, *crossing]
        steps += [block, *[Down(2, 0), block] * depth, Down(STEM_KERNEL, STEM_PADDING)]
        paths.append(context(steps, config.stride))
    return max(paths) + config.level_frames


def _radius(radii: Sequence[int], depth: int) -> int:
    return radii[depth] if depth < len(radii) else 0
