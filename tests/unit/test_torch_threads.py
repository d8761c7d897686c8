"""Opened models are computed with torch in a pool of threads; networks in training in their caller's."""

import threading

import numpy as np
import pytest
import torch

from vocalsep import Separator
from vocalsep.dsp.front_end import FrontEndConfig
from vocalsep.inference.threads import Threads
from vocalsep.inference.torch_threads import torch_executor
from vocalsep.model_files import checkpoint
from vocalsep.model_files.config import ModelConfig
from vocalsep.networks.configs.unet import UNetConfig
from vocalsep.networks.configs.wave_unet import WaveUNetConfig
from vocalsep.networks.table import build
from vocalsep.system.background import run_in_thread
from vocalsep.training.validation import separate

RATE = 8000
FRONT_END = FrontEndConfig(RATE, 256, 64, 64)
NETWORKS = {"unet": UNetConfig(filters=(4, 8)), "wave-unet": WaveUNetConfig(levels=4, filters=4, tile=3000)}


def recorded(network):
    """Return a network and the set of the threads that compute it."""
    threads = set()
    for module in network.modules():
        module.register_forward_pre_hook(lambda *_: threads.add(threading.get_ident()))
    return network, threads


def noise():
    return np.random.default_rng(0).standard_normal((2, 3 * RATE)).astype(np.float32)


@pytest.mark.parametrize("architecture", NETWORKS)
def test_opened_models_are_computed_in_threads_of_their_own(architecture, tmp_path):
    config = ModelConfig(FRONT_END, NETWORKS[architecture], architecture)
    threads = set()
    for name in ("one", "other"):
        path = tmp_path / f"{name}.safetensors"
        checkpoint.save(path, build(architecture, NETWORKS[architecture]), config, {})
        separator = Separator(path, backend="torch")
        _, of_this = recorded(separator.backend.network)
        separator.separate(noise(), RATE)
        threads |= of_this
    # The same one for both models.
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_a_network_in_training_is_computed_in_its_own_thread():
    network, threads = recorded(build("unet", NETWORKS["unet"]))
    separate(network.eval(), FRONT_END, noise(), torch.device("cpu"))
    assert threads == {threading.get_ident()}


def test_each_call_has_its_share_of_the_cores_and_others_keep_theirs():
    before = torch.get_num_threads()
    executor = torch_executor(Threads(6))
    barrier = threading.Barrier(2)

    def share():
        barrier.wait()
        torch.zeros(100_000).exp()
        return threading.get_ident(), torch.get_num_threads()

    found = [future.result() for future in [executor.submit(share) for _ in range(2)]]
    assert len({thread for thread, _ in found}) == 2
    assert [count for _, count in found] == [3, 3]
    assert torch.get_num_threads() == before
    assert run_in_thread(torch.get_num_threads).result() == before
    assert torch_executor(Threads(6)) is executor
