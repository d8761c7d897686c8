"""What the configurations of all networks have in common. Importing this imports no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ..checks import number, whole_number
from ..errors import ModelError

# A model file may come from anywhere: sizes are bounded here, before anything is allocated.
LARGEST_FILTERS = 4096
LARGEST_DEPTH = 10
LONGEST_LEVEL = 4096

HEADS = ("mask", "magnitude")


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
    """What every network's configuration tells the code that runs it.

    Parameters
    ----------
    channels : int
        Audio channels that go in and come out, 1 or 2.
    """

    channels: int = 2

    def __post_init__(self) -> None:
        whole_number("channels", self.channels, 1, 2)

    @property
    def stride(self) -> int:
        """Bins and frames of an input are multiples of this."""
        return 1

    @property
    def context(self) -> int:
        """Frames to either side that can change a frame's mask."""
        return 0

    def samples_heard(self, samples: int) -> int:
        """Return how many samples of the mixture have to be known for estimates of so many in their middle."""
        return samples


@dataclasses.dataclass(frozen=True)
class MaskConfig(NetworkConfig):
    """What the spectrogram U-Nets have in common.

    Parameters
    ----------
    channels : int
        Audio channels that go in and masks that come out.
    filters : tuple of int
        Filters of each encoder layer; every layer halves bins and frames.
    compression : float
        Exponent that is applied to the magnitudes before the first layer (1 leaves them as they are).
    level_frames : int
        The magnitudes are divided by their root mean square over this many frames to either side, so that a quiet
        song is masked like a loud one; 0 divides each frame by its own.
    head : str
        ``mask``: a sigmoid makes the masks. ``magnitude``: a ReLU makes the vocals' magnitudes, from which the masks
        follow.
    """

    filters: tuple[int, ...] = (16, 32, 64, 128, 256)
    compression: float = 0.5
    level_frames: int = 64
    head: str = "mask"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "filters", tuple(self.filters))
        check_filters(self.filters)
        whole_number("level_frames", self.level_frames, 0, LONGEST_LEVEL)
        number("compression", self.compression, 1e-3, 1)
        one_of("head", self.head, HEADS)

    @property
    def stride(self) -> int:
        """Bins and frames per step of the deepest layer; inputs are multiples of it."""
        return int(2 ** len(self.filters))


def check_filters(filters: tuple[int, ...], fewest_layers: int = 1) -> None:
    """Raise ModelError unless there are as many filters in each layer, and as many layers, as make sense."""
    whole_number("depth", len(filters), fewest_layers, LARGEST_DEPTH)
    for count in filters:
        whole_number("filters", count, 1, LARGEST_FILTERS)


def one_of(name: str, value: object, known: Sequence[str]) -> None:
    """Raise ModelError unless `value` is one of the known words."""
    if value not in known:
        raise ModelError(f"{name} must be one of {', '.join(known)}, not {value!r}")
