"""Cost of splitting: operations counted for a network, and time measured on this machine."""

from __future__ import annotations

import collections
import dataclasses
import time

import numpy as np

from ..audio.formats import FORMATS, SAMPLE_BYTES
from ..audio.source import SourceInfo
from ..model_files.checkpoint import ModelInfo
from ..model_files.config import ModelConfig
from ..system.extras import require
from .engine import GROUPS, Engine
from .families.table import FamilyInfo

TRIAL_S = 12.0
COUNTED_STRIDES = 8


@dataclasses.dataclass(frozen=True)
class Cost:
    """Seconds of work and bytes of two WAV stems; None if the song's length is unknown."""

    seconds: float | None
    size: int | None


def split_cost(song: SourceInfo, model: str) -> Cost:
    """Estimate the cost of a song from a model's speed on a few seconds of noise; raises as `Engine`."""
    if song.samples is None:
        return Cost(None, None)
    engine = Engine(model)
    rate = engine.sample_rate
    noise = np.random.default_rng(0).standard_normal((2, int(TRIAL_S * rate))).astype(np.float32)
    # The first run includes the allocation of memory and the start of threads.
    collections.deque(engine.vocals_of([noise[:, :rate]], rate, 2), maxlen=0)
    started = time.perf_counter()
    collections.deque(engine.vocals_of([noise], rate, 2), maxlen=0)
    factor = (time.perf_counter() - started) / TRIAL_S
    seconds = factor * len(GROUPS[song.channels]) * song.samples / song.sample_rate
    subtype = FORMATS["wav"].subtype_for(song.subtype, None) or "FLOAT"
    return Cost(seconds, 2 * song.samples * song.channels * SAMPLE_BYTES[subtype])


def model_flops(model: ModelInfo | FamilyInfo) -> float | None:
    """Count a model's operations as `network_flops`; None for a model of a family, whose network is not ours."""
    return None if isinstance(model, FamilyInfo) else network_flops(model.config)


def network_flops(config: ModelConfig) -> float:
    """Count a network's multiplications and additions per second of audio, without computing anything.

    They are counted for a whole song in one chunk, or for one tile of a waveform network.

    Raises
    ------
    MissingExtraError
        Torch is not installed.
    """
    require("torch", "counting a network's operations")

    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from ..networks.network import MaskNetwork
    from ..networks.table import build

    front_end, settings = config.front_end, config.network
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network = build(config.architecture, settings).eval()
        if isinstance(network, MaskNetwork):
            frames = COUNTED_STRIDES * settings.stride
            samples = frames * front_end.hop
            shape = (1, settings.channels, front_end.all_bins, frames)
            spectrum = torch.empty(shape, dtype=torch.complex64)
            network.masks_between(network.network_input(spectrum, front_end.bins), 0, frames)
        else:
            samples = network.config.tile
            network(torch.empty(1, settings.channels, settings.input_samples(samples)))
    return counter.get_total_flops() / samples * front_end.sample_rate
