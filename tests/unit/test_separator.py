import concurrent.futures
import io
import multiprocessing
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import RATE, read, sdr, tones, write
from hypothesis import given, settings
from hypothesis import strategies as st

from vocalsep import AudioError, OutputError, Separator, UsageError


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 96000, 192000])
def test_any_rate_keeps_length_and_sums(separator, rate):
    mixture = tones(2.3, rate)[:, 5:]
    vocals, accompaniment = separator.separate(mixture, rate)
    assert vocals.shape == accompaniment.shape == mixture.shape
    assert vocals.dtype == mixture.dtype
    assert np.abs(vocals + accompaniment - mixture).max() < 1e-6
    assert np.abs(vocals).max() > 0


@pytest.mark.parametrize("channels", range(1, 9))
def test_up_to_eight_channels(separator, channels):
    mixture = tones(1.5, channels=channels)
    stems = separator.separate(mixture, RATE)
    assert stems.vocals.shape == mixture.shape
    assert np.abs(stems.vocals + stems.accompaniment - mixture).max() < 1e-6


def test_channels_of_one_pair_do_not_reach_another(separator):
    quad = tones(2, channels=4)
    front = separator.separate(quad[:2], RATE).vocals
    assert np.array_equal(separator.separate(quad, RATE).vocals[:2], front)


def test_mono_equals_stereo_of_two_equal_channels(separator):
    mono = tones(2, channels=1)
    both = separator.separate(np.repeat(mono, 2, axis=0), RATE).vocals.mean(axis=0)
    assert np.abs(separator.separate(mono[0], RATE).vocals - both).max() < 1e-5


def test_the_result_does_not_depend_on_the_chunks(separator):
    mixture = np.tile(tones(7, seed=3), 4)
    whole = Separator(core_frames=6400).separate(mixture, RATE).vocals
    for core in (64, 448, 960):
        assert np.abs(Separator(core_frames=core).separate(mixture, RATE).vocals - whole).max() < 1e-5


def test_it_does_not_depend_on_the_threads():
    mixture = tones(5)
    before = torch.get_num_threads()
    try:
        one, several = (Separator(threads=threads).separate(mixture, RATE).vocals for threads in (1, 3))
    finally:
        torch.set_num_threads(before)
    assert np.abs(several - one).max() < 1e-5


def test_twice_gives_the_same_bits(separator):
    mixture = tones(4)
    first, second = (separator.separate(mixture, 48000) for _ in range(2))
    assert np.array_equal(first.vocals, second.vocals)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(1, 30000), min_size=1, max_size=8), st.sampled_from([16000, 44100, 48000]))
def test_streamed_equals_whole(separator, lengths, rate):
    mixture = tones(sum(lengths) / rate, rate)[:, : sum(lengths)]
    blocks = np.split(mixture, np.cumsum(lengths)[:-1], axis=1)
    stems = list(separator.stream(blocks, rate))
    streamed = np.concatenate([block.vocals for block in stems], axis=1)
    assert np.abs(streamed - separator.separate(mixture, rate).vocals).max() < 1e-5
    rest = np.concatenate([block.accompaniment for block in stems], axis=1)
    assert np.abs(streamed + rest - mixture).max() < 1e-6


def test_a_stream_yields_before_it_ends(separator):
    consumed = 0

    def blocks():
        nonlocal consumed
        for _ in range(90):
            consumed += 1
            yield tones(1, channels=1)

    next(iter(separator.stream(blocks(), RATE)))
    # The first chunk's half a minute and its context, and while that is worked on, at most the second's.
    assert consumed < 80


@pytest.mark.parametrize("backend", [pytest.param("torch", marks=pytest.mark.slow), "onnx"])
def test_a_program_may_end_amid_a_stream(backend):
    code = (
        "import numpy, vocalsep\n"
        f"separator = vocalsep.Separator(backend={backend!r})\n"
        "stream = separator.stream((numpy.ones((2, 44100), 'f') for _ in range(90)), 44100)\n"
        "next(stream)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("samples", [0, 1, 2, 441, 1023, 1024, 1025, 4096])
def test_the_shortest_mixtures(separator, samples):
    mixture = tones(0.2)[:, :samples]
    stems = separator.separate(mixture, 32000)
    assert stems.vocals.shape == mixture.shape
    assert np.isfinite(stems.vocals).all()


def test_silence_gives_silence(separator):
    stems = separator.separate(np.zeros((2, RATE), np.float32), RATE)
    assert not stems.vocals.any()
    assert not stems.accompaniment.any()


@pytest.mark.parametrize("gain_db", [-60, -20, 20])
def test_a_louder_mixture_gives_louder_stems(separator, gain_db):
    mixture, gain = tones(3), 10 ** (gain_db / 20)
    vocals = separator.separate(mixture, RATE).vocals
    scaled = separator.separate(mixture * np.float32(gain), RATE).vocals / gain
    assert np.abs(scaled - vocals).max() < 1e-4 * np.abs(vocals).max()


@pytest.mark.parametrize(
    "signal",
    [
        np.ones((1, RATE), np.float32),
        np.sign(np.sin(np.arange(RATE) * 0.05)).astype(np.float32)[None],
        np.full((2, RATE), 1e-40, np.float32),
        np.eye(1, RATE, 5000, dtype=np.float32),
    ],
    ids=["dc", "square", "denormal", "impulse"],
)
def test_odd_signals_stay_finite_and_sum(separator, signal):
    stems = separator.separate(signal, RATE)
    assert np.isfinite(stems.vocals).all()
    assert np.abs(stems.vocals + stems.accompaniment - signal).max() < 1e-6


def test_tensors_integers_and_doubles(separator):
    mixture = tones(1)
    expected = separator.separate(mixture, RATE).vocals
    as_tensor = separator.separate(torch.from_numpy(mixture), RATE)
    assert isinstance(as_tensor.vocals, torch.Tensor)
    assert np.array_equal(as_tensor.vocals.numpy(), expected)
    as_integers = separator.separate(np.rint(mixture * 32768).astype(np.int16), RATE)
    assert np.abs(as_integers.vocals - expected).max() < 1e-3
    assert separator.separate(mixture.astype(np.float64), RATE).vocals.dtype == np.float64


def test_progress_ends_at_the_whole(separator):
    seen = []
    separator.separate(tones(2), RATE, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (2 * RATE, 2 * RATE)


@pytest.mark.parametrize(
    ("mixture", "rate", "words"),
    [
        (np.zeros((RATE, 2), np.float32), RATE, "transpose"),
        (np.zeros((1, 2, 3), np.float32), RATE, r"\(1, 2, 3\)"),
        (np.array([0, np.nan, 0], np.float32), RATE, "NaN"),
        (np.array([0, np.inf, 0], np.float32), RATE, "infinite"),
        (np.array([0, 3e38, 0], np.float32), RATE, "impossibly large"),
        (np.array([0, -1e300, 0]), RATE, "impossibly large"),
        (np.zeros(10, complex), RATE, "real numbers"),
        (np.zeros(10, np.float32), 3999, "3999 Hz"),
    ],
)
def test_ill_formed_mixtures_are_named(separator, mixture, rate, words):
    with pytest.raises(AudioError, match=words):
        separator.separate(mixture, rate)


def test_channels_must_not_change_in_a_stream(separator):
    with pytest.raises(AudioError, match="changes from 2 to 1"):
        list(separator.stream([tones(0.1), tones(0.1, channels=1)], RATE))


def test_an_empty_stream_is_empty(separator):
    assert list(separator.stream([], RATE)) == []


@pytest.mark.parametrize("options", [{"overlap": -1}, {"core_frames": 100}, {"device": "tpu"}, {"threads": 0}])
def test_senseless_parameters_are_refused(options):
    with pytest.raises(UsageError):
        Separator(**options)


def test_a_missing_gpu_is_reported():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    separator = Separator(device="cuda")
    assert separator.device == "cpu"
    assert "not available" in separator.fallback


def test_it_separates_the_shipped_song(separator, demo):
    estimate = separator.separate(demo["mixture"], RATE)
    for stem in ("vocals", "accompaniment"):
        length = min(demo[stem].shape[1], estimate.vocals.shape[1])
        truth, mixture = demo[stem][:, :length], demo["mixture"][:, :length]
        assert sdr(truth, getattr(estimate, stem)[:, :length]) > sdr(truth, mixture) + 3


def test_it_separates_a_real_song_outside_its_training(separator, real_stems):
    mixture = real_stems["vocals"] + real_stems["accompaniment"]
    estimate = separator.separate(mixture, RATE)
    for stem in ("vocals", "accompaniment"):
        assert sdr(real_stems[stem], getattr(estimate, stem)) > sdr(real_stems[stem], mixture) + 3


def test_files_are_separated_like_arrays(separator, tmp_path):
    song = write(tmp_path / "song.wav", tones(1.5), subtype="FLOAT")
    paths = separator.separate_file(song, tmp_path / "out", format="wav")
    expected = separator.separate(read(song, "float32"), RATE)
    assert np.array_equal(read(paths["vocals"], "float32"), expected.vocals)
    assert np.array_equal(read(paths["accompaniment"], "float32"), expected.accompaniment)
    with pytest.raises(OutputError, match="exists"):
        separator.separate_file(song, tmp_path / "out")
    with pytest.raises(UsageError, match="unknown stem"):
        separator.separate_file(song, tmp_path / "out", stems=["drums"])


@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16", "float64", "int16"])
def test_tensors_of_any_type_that_require_a_gradient(separator, name):
    mixture = torch.from_numpy(tones(1))
    tensor = (mixture * 32767).to(torch.int16) if name == "int16" else mixture.to(getattr(torch, name))
    if tensor.is_floating_point():
        tensor.requires_grad_()
    stems = separator.separate(tensor, RATE)
    wide = torch.float64 if name in ("float64", "int16") else torch.float32
    assert stems.vocals.dtype == wide
    assert not stems.vocals.requires_grad
    streamed = torch.cat([torch.from_numpy(block.vocals) for block in separator.stream([tensor], RATE)], dim=1)
    assert torch.equal(streamed, stems.vocals)
    assert (stems.vocals - separator.separate(mixture, RATE).vocals).abs().max() < 1e-2


@pytest.mark.parametrize("rate", ["44100", "fast", None, 44100.5, float("nan"), True, 1j])
def test_a_rate_that_is_no_number_of_hertz_is_named(separator, rate):
    for separate in (separator.separate, lambda *given: list(separator.stream([given[0]], given[1]))):
        with pytest.raises(AudioError, match="whole number of Hz"):
            separate(tones(0.1), rate)


@pytest.mark.parametrize("rate", [np.int32(RATE), float(RATE), np.float64(RATE)])
def test_a_rate_of_any_number_type(separator, rate):
    assert separator.separate(tones(0.1), rate).vocals.shape == tones(0.1).shape


@pytest.mark.parametrize("mixture", ["song.wav", [[1.0], [1.0, 2.0]], None, torch.zeros(2, 3).to_sparse()])
def test_what_is_no_array_is_named(separator, mixture):
    with pytest.raises(AudioError, match="a mixture"):
        separator.separate(mixture, RATE)


class Pipe:
    """A binary file that cannot seek."""

    def __init__(self, data):
        self.file = io.BytesIO(data)

    def read(self, size=-1):
        return self.file.read(min(size, 1000))


def test_files_that_are_open(separator, tmp_path):
    song = write(tmp_path / "song.wav", tones(1), subtype="PCM_16")
    expected = read(separator.separate_file(song, tmp_path / "expected")["vocals"])
    with song.open("rb") as file:
        for number, source in enumerate((file, io.BytesIO(song.read_bytes()), Pipe(song.read_bytes()))):
            paths = separator.separate_file(source, tmp_path / str(number))
            assert np.array_equal(read(paths["vocals"]), expected)
    for source, error in ((io.StringIO("song"), UsageError), (io.BytesIO(), AudioError), (7, UsageError)):
        with pytest.raises(error):
            separator.separate_file(source, tmp_path / "none")
    with song.open("rb") as closed:
        pass
    with pytest.raises(AudioError, match="closed"):
        separator.separate_file(closed, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_some_stems_or_none(separator, tmp_path):
    song = write(tmp_path / "song.wav", tones(0.5))
    with pytest.raises(UsageError, match="stems is empty"):
        separator.separate_file(song, tmp_path / "none", stems=[])
    assert list(separator.separate_file(song, tmp_path / "one", stems="vocals")) == ["vocals"]
    with pytest.raises(UsageError, match="in seconds"):
        separator.separate_file(song, tmp_path / "none", start=[1])


def _separated_there(separator, mixture):
    return separator.separate(mixture, RATE).vocals


@pytest.mark.parametrize("backend", [pytest.param("torch", marks=pytest.mark.slow), "onnx"])
def test_it_can_be_sent_to_another_process(backend, tmp_path, monkeypatch):
    here = Separator(backend=backend, threads=1)
    mixture = tones(0.5)
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        there = pool.submit(_separated_there, here, mixture).result()
    assert np.abs(there - here.separate(mixture, RATE).vocals).max() < 1e-6
    by_path = Separator(os.path.relpath(here.path), hard=True, backend=backend)
    monkeypatch.chdir(tmp_path)
    again = pickle.loads(pickle.dumps(by_path))
    assert (type(again), again.streams.hard, again.path) == (Separator, True, here.path)


def test_an_error_names_its_file(separator, tmp_path):
    with pytest.raises(AudioError) as caught:
        separator.separate_file("nosuch.wav", tmp_path)
    assert caught.value.path == "nosuch.wav"
    assert str(caught.value).startswith("nosuch.wav: ")
