"""Opened models compute with torch in one thread; networks in training in their caller's."""

import threading

import numpy as np
import pytest
import torch

from vocalsep import Separator
from vocalsep.dsp.front_end import FrontEndConfig
from vocalsep.inference.torch_thread import in_torch_thread, start_in_torch_thread
from vocalsep.model_files import checkpoint
from vocalsep.model_files.config import ModelConfig
from vocalsep.networks.configs.unet import UNetConfig
from vocalsep.networks.configs.wave_unet import WaveUNetConfig
from vocalsep.networks.table import build
from vocalsep.training.validation import separate

RATE = 8000
FRONT_END = FrontEndConfig(RATE, 256, 64, 64)
NETWORKS = {"unet": UNetConfig(filters=(4, 8)), "wave-unet": WaveUNetConfig(levels=4, filters=4, tile=3000)}
torch_thread_id = in_torch_thread(threading.get_ident)


def recorded(network):
    """Return a network and the set of the threads that compute it."""
    threads = set()
    for module in network.modules():
        module.register_forward_pre_hook(lambda *_: threads.add(threading.get_ident()))
    return network, threads


def noise():
    return np.random.default_rng(0).standard_normal((2, 3 * RATE)).astype(np.float32)


@pytest.mark.parametrize("architecture", NETWORKS)
def test_opened_models_are_computed_in_the_torch_thread(architecture, tmp_path):
    paths = [tmp_path / f"{name}.safetensors" for name in ("one", "other")]
    config = ModelConfig(FRONT_END, NETWORKS[architecture], architecture)
    threads = set()
    for path in paths:
        checkpoint.save(path, build(architecture, NETWORKS[architecture]), config, {})
        separator = Separator(path, backend="torch")
        _, of_this = recorded(separator.backend.network)
        separator.separate(noise(), RATE)
        threads |= of_this
    assert threads == {torch_thread_id()}
    assert threading.get_ident() not in threads


def test_a_network_in_training_is_computed_in_its_own_thread():
    network, threads = recorded(build("unet", NETWORKS["unet"]))
    separate(network.eval(), FRONT_END, noise(), torch.device("cpu"))
    assert threads == {threading.get_ident()}


def test_errors_and_nested_calls_reach_the_caller():
    @in_torch_thread
    def nested(levels):
        return nested(levels - 1) if levels else threading.get_ident()

    @in_torch_thread
    def fails():
        raise ValueError("as given")

    assert nested(3) == torch_thread_id()
    with pytest.raises(ValueError, match="as given"):
        fails()
    assert start_in_torch_thread(threading.get_ident).result() == torch_thread_id()
