"""Separations that are ended early: what runs in other threads ends with them."""

import contextlib
import threading
import time

import pytest
from conftest import RATE, tones
from test_networks import RATE as SMALL_RATE
from test_networks import SMALL, model

from vocalsep import Separator
from vocalsep.inference.backend import MaskBackend
from vocalsep.model_files.checkpoint import save
from vocalsep.system.background import prefetch
from vocalsep.system.cancellation import Cancellation, CancelledError


class Watched(MaskBackend):
    """A backend that tells when it is called, and how the calls end."""

    def __init__(self, backend):
        self.backend, self.shape, self.parallel_calls = backend, backend.shape, backend.parallel_calls
        self.called = threading.Event()
        self.ends = []

    def masks(self, spectra, start, stop, cancellation=None):
        self.called.set()
        try:
            masks = self.backend.masks(spectra, start, stop, cancellation)
        except BaseException as error:
            self.ends.append(type(error))
            raise
        self.ends.append(None)
        return masks


@pytest.fixture
def watched():
    separator = Separator(backend="onnx", threads=1)
    separator.streams.backend = Watched(separator.backend)
    return separator


def endless():
    block = tones(10)
    while True:
        yield block


def test_another_thread_ends_a_separation_amid_a_chunk(watched):
    backend, cancellation = watched.streams.backend, Cancellation()

    def cancel():
        backend.called.wait()
        cancellation.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(CancelledError):
        list(watched.sources_of(endless(), RATE, 2, cancellation=cancellation))
    thread.join()
    assert set(backend.ends) == {CancelledError}


def test_whoever_closes_a_stream_does_not_wait_for_its_chunks(watched):
    backend = watched.streams.backend
    stream = watched.streams.open(2)
    # A chunk and its context are complete, and no other waits for it.
    while not backend.called.wait(0):
        stream.push(tones(10))
    stream.close()
    assert backend.ends == [CancelledError]


def test_the_engine_separates_again_after_a_cancellation(watched):
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(CancelledError):
        list(watched.sources_of([tones(1)], RATE, 2, cancellation=cancellation))
    assert sum(pair[0].shape[1] for pair in watched.sources_of([tones(1)], RATE, 2)) == RATE


@pytest.mark.parametrize("architecture", ["unet", "wave-unet"])
def test_networks_of_torch_begin_nothing_more(architecture, tmp_path):
    network, config = model(architecture, SMALL[architecture], channels=2)
    save(tmp_path / "m.safetensors", network, config, {"licence": "CC0"})
    cancellation = Cancellation()
    blocks = (tones(10, SMALL_RATE) for _ in range(20))
    pairs = Separator(tmp_path / "m.safetensors").sources_of(blocks, SMALL_RATE, 2, cancellation=cancellation)
    next(pairs)
    cancellation.cancel()
    with pytest.raises(CancelledError):
        list(pairs)


def test_closing_a_prefetched_iterator_cancels_what_it_waits_for():
    ended = threading.Event()

    def items():
        yield 0
        assert ended.wait(60)
        raise CancelledError

    started = time.monotonic()
    with contextlib.closing(prefetch(items(), 1, ended.set)) as prefetched:
        assert next(prefetched) == 0
    assert time.monotonic() - started < 50


def test_errors_are_not_taken_for_a_cancellation():
    cancellation, ends = Cancellation(), []
    with pytest.raises(ValueError, match="broken"), cancellation.ended_by(lambda: ends.append(1)):
        raise ValueError("broken")
    cancellation.cancel()
    assert ends == []
    with pytest.raises(CancelledError), cancellation.ended_by(lambda: ends.append(1)):
        ends.append(2)
    assert ends == []
