"""What splitting would take: counted for a network, and tried for a song on this machine."""

from __future__ import annotations

import collections
import dataclasses
import time

import numpy as np

from ..audio.formats import FORMATS, SAMPLE_BYTES
from ..audio.source import SourceInfo
from ..model_files.config import ModelConfig
from .engine import GROUPS, Engine

TRIAL_S = 12.0
COUNTED_STRIDES = 8


@dataclasses.dataclass(frozen=True)
class Cost:
    """Seconds of work and bytes of two WAV stems; None where the song's length is unknown."""

    seconds: float | None
    size: int | None


def split_cost(song: SourceInfo, model: str) -> Cost:
    """Time the model on a few seconds of noise and scale that to the song; raises as `Engine`."""
    if song.samples is None:
        return Cost(None, None)
    engine = Engine(model)
    rate = engine.sample_rate
    noise = np.random.default_rng(0).standard_normal((2, int(TRIAL_S * rate))).astype(np.float32)
    # The first run pays for memory and thread start-up, not for music.
    collections.deque(engine.vocals_of([noise[:, :rate]], rate, 2), maxlen=0)
    started = time.perf_counter()
    collections.deque(engine.vocals_of([noise], rate, 2), maxlen=0)
    factor = (time.perf_counter() - started) / TRIAL_S
    seconds = factor * len(GROUPS[song.channels]) * song.samples / song.sample_rate
    subtype = FORMATS["wav"].subtype_for(song.subtype, None) or "FLOAT"
    return Cost(seconds, 2 * song.samples * song.channels * SAMPLE_BYTES[subtype])


def network_flops(config: ModelConfig) -> float:
    """Count the multiplications and additions per second of audio that a model's network takes.

    They are those of a song in one piece, or for a waveform network those of one of its tiles. Nothing is computed.
    """
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
            network.masks_between(network.hear(torch.empty(shape, dtype=torch.complex64), front_end.bins), 0, frames)
        else:
            samples = network.config.tile
            network(torch.empty(1, settings.channels, settings.samples_heard(samples)))
    return counter.get_total_flops() / samples * front_end.sample_rate
