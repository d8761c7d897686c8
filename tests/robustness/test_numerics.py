"""What a separation promises of any song, however it is cut and whatever computes it.

``NUMERICS=2000 pytest -m 'slow or not slow' tests/robustness/test_numerics.py`` tries so many examples of each, other
ones every time, and a twentieth of that with the shipped model.
"""

import dataclasses
import functools
import itertools
import os

import numpy as np
import pytest
import torch
from conftest import read, tones, write
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_networks import FRONT_END, SMALL, model
from test_networks import RATE as OWN_RATE

from vocalsep import Separator
from vocalsep.audio.formats import INTEGER_BITS
from vocalsep.inference.engine import GROUPS
from vocalsep.inference.onnx_export import export
from vocalsep.model_files.checkpoint import save

# Documented: results for any two ways to cut agree so far, for songs of full scale.
AGREED = 1e-5
# A gain that is no power of two rounds every sample again; the shipped network makes more of that than small ones do.
ROUNDED = 3e-5
LONGEST_S = 10
# Rates times channels times seconds: what one example may cost.
MOST_SAMPLES = 160_000
ASKED = int(os.environ.get("NUMERICS", "0"))
MASKS = ("unet", "mono", "pair")
EXPORTED = ("unet", "waves")


def tried(examples, share=1):
    return settings(max_examples=ASKED // share or examples, deadline=None, derandomize=not ASKED)


@pytest.fixture(scope="module")
def open_model(tmp_path_factory):
    """Small random networks, as Separators with any options."""
    folder = tmp_path_factory.mktemp("models")
    wide = {"unet": ("unet", 2), "mono": ("unet", 1), "pair": ("pair", 2), "waves": ("wave-unet", 2)}
    for name, (architecture, channels) in wide.items():
        save(folder / f"{name}.safetensors", *model(architecture, SMALL[architecture], channels), {})

    @functools.cache
    def exported(name):
        export(folder / f"{name}.safetensors", folder / f"{name}.onnx")
        return folder / f"{name}.onnx"

    @functools.cache
    def opened(name, backend="torch", **options):
        path = exported(name) if backend == "onnx" else folder / f"{name}.safetensors"
        return Separator(path, backend=backend, **options)

    before = torch.get_num_threads()
    yield opened
    torch.set_num_threads(before)


@functools.cache
def _music():
    return tones(60, OWN_RATE, 8)


def _flat(value, shape):
    return np.full(shape, value, np.float32)


KINDS = {
    "music": lambda rng, shape: _music()[: shape[0], : shape[1]],
    "noise": lambda rng, shape: rng.uniform(-1, 1, shape),
    "clipped": lambda rng, shape: np.clip(20 * _music()[: shape[0], : shape[1]], -1, 1),
    "full scale": lambda rng, shape: _flat(rng.choice([-1, 1]), shape),
    "silence": lambda rng, shape: _flat(0, shape),
    "denormals": lambda rng, shape: rng.uniform(-1e-39, 1e-39, shape),
    "a click": lambda rng, shape: (np.arange(shape[1]) == shape[1] // 2) * _flat(1, shape),
}


@dataclasses.dataclass(frozen=True)
class Song:
    """Stretches of several kinds, one after another."""

    rate: int
    channels: int
    length: int
    stretches: tuple[str, ...]
    seed: int

    @property
    def samples(self):
        """The song, (channels, length), float32."""
        rng = np.random.default_rng(self.seed)
        ends = np.linspace(0, self.length, len(self.stretches) + 1).astype(int)
        parts = [
            KINDS[kind](rng, (self.channels, stop - start)).astype(np.float32)
            for kind, (start, stop) in zip(self.stretches, itertools.pairwise(ends), strict=True)
        ]
        return np.concatenate(parts, axis=1)


def stretches(kinds=tuple(KINDS)):
    return st.lists(st.sampled_from(kinds), min_size=1, max_size=3).map(tuple)


OWN = st.just(OWN_RATE)
ALL_RATES = st.sampled_from([8000, 8000, 8000, 11025, 44100, 48000, 192000]) | st.integers(8000, 192000)


@st.composite
def songs(draw, rates=OWN, channels=range(1, 9), kinds=tuple(KINDS)):
    rate, count = draw(rates), draw(st.sampled_from(channels))
    longest = min(LONGEST_S * rate, MOST_SAMPLES // count)
    border = st.builds(
        lambda frames, more: max(0, frames * FRONT_END.hop * rate // OWN_RATE + more),
        st.integers(0, 200),
        st.integers(-2, 2),
    )
    length = min(longest, draw(border | st.integers(0, rate) | st.integers(0, longest)))
    return Song(rate, count, length, draw(stretches(kinds)), draw(st.integers(0, 99)))


def blocks_of(draw, song):
    cuts = draw(st.lists(st.integers(0, song.shape[1]), max_size=5))
    return np.split(song, sorted(cuts), axis=1)


def streamed(separator, blocks, rate):
    found = list(separator.stream(blocks, rate))
    nothing = blocks[0][:, :0]
    return [np.concatenate([nothing, *(part[stem] for part in found)], axis=1) for stem in (0, 1)]


def check_sum(song, vocals, accompaniment):
    """No further off than the last bit of what is added."""
    assert vocals.shape == accompaniment.shape == song.shape
    assert vocals.dtype == accompaniment.dtype == song.dtype
    assert np.isfinite(vocals).all()
    largest = np.max(np.abs([song, vocals, accompaniment]), axis=0)
    assert np.all(np.abs(vocals + accompaniment - song) <= np.spacing(largest))


@pytest.mark.slow
@tried(25)
@given(data=st.data())
def test_however_a_song_is_cut_its_stems_are_the_same(open_model, data):
    name = data.draw(st.sampled_from((*MASKS, "waves")))
    drawn = data.draw(songs(ALL_RATES))
    rate, song = drawn.rate, drawn.samples
    expected = open_model(name).separate(song, rate)
    check_sum(song, *expected)
    backend = data.draw(st.sampled_from(("torch", "onnx"))) if name in EXPORTED else "torch"
    options = {"threads": data.draw(st.sampled_from((1, 2, 3)))}
    if name != "waves":
        options["core_frames"] = 8 * data.draw(st.integers(1, 20))
        options["overlap"] = data.draw(st.sampled_from((None, 0, 0.1, 60)))
    stems = streamed(open_model(name, backend, **options), blocks_of(data.draw, song), rate)
    check_sum(song, *stems)
    if options.get("overlap") in (None, 60):
        assert np.abs(stems[0] - expected.vocals).max(initial=0) < AGREED


@pytest.mark.slow
@tried(15)
@given(data=st.data(), decibels=st.floats(-60, 20))
def test_a_louder_song_has_louder_stems(open_model, data, decibels):
    """Wave-U-Net, and Spleeter's network without `level_frames`, hear how loud a song is."""
    drawn = data.draw(songs(kinds=("music", "noise", "clipped", "silence", "full scale", "a click")))
    rate, song = drawn.rate, drawn.samples
    separator = open_model(data.draw(st.sampled_from(MASKS)))
    gain = np.float32(10 ** (decibels / 20))
    vocals = separator.separate(song, rate).vocals
    louder = separator.separate(song * gain, rate).vocals
    assert np.abs(louder / gain - vocals).max(initial=0) < AGREED


@tried(15)
@given(data=st.data())
def test_inverted_polarity_inverts_the_stems(open_model, data):
    drawn = data.draw(songs(ALL_RATES))
    rate, song = drawn.rate, drawn.samples
    separator = open_model(data.draw(st.sampled_from(MASKS)))
    for stem, turned in zip(separator.separate(song, rate), separator.separate(-song, rate), strict=True):
        assert np.array_equal(turned, -stem)


@pytest.mark.slow
@tried(15)
@given(data=st.data())
def test_channel_order_does_not_matter_to_independent_groups(open_model, data):
    """Each channel with a network of one, each pair with a network of two, which may tell left from right."""
    name = data.draw(st.sampled_from(("unet", "mono", "waves")))
    drawn = data.draw(songs(ALL_RATES, (2,) if name == "mono" else (4, 5, 8)))
    rate, song = drawn.rate, drawn.samples
    pairs = [pair for pair in GROUPS[len(song)] if len(pair) == 2]
    order = np.arange(len(song))
    if name == "mono":
        order = order[::-1]
    else:
        order[[*pairs[0], *pairs[-1]]] = [*pairs[-1], *pairs[0]]
    separator = open_model(name)
    for stem, moved in zip(separator.separate(song, rate), separator.separate(song[order], rate), strict=True):
        assert np.array_equal(moved, stem[order])


@pytest.mark.slow
@tried(15)
@given(data=st.data())
def test_what_comes_before_a_song_moves_its_stems(open_model, data):
    """By whole strides of a spectrogram network and whole tiles of another, behind what hears the beginning."""
    name = data.draw(st.sampled_from(("unet", "pair", "waves")))
    separator = open_model(name)
    shape = separator.backend.shape
    if name == "waves":
        step, deaf = shape.tile, shape.context_samples
    else:
        step, deaf = shape.stride * FRONT_END.hop, shape.context * FRONT_END.hop + FRONT_END.n_fft
    drawn = data.draw(songs(channels=(1, 2)))
    song, steps = drawn.samples, data.draw(st.integers(1, 9))
    more = dataclasses.replace(drawn, length=steps * step, stretches=("noise",)).samples
    # The last tile of a song begins where it will.
    end = drawn.length // step * step if name == "waves" else drawn.length
    assume(deaf < end)
    alone = separator.separate(song, OWN_RATE).vocals
    behind = separator.separate(np.concatenate([more, song], axis=1), OWN_RATE).vocals[:, more.shape[1] :]
    assert np.abs(behind - alone)[:, deaf:end].max() < AGREED


@pytest.mark.slow
@tried(15)
@given(data=st.data())
def test_silence_stays_silent(open_model, data):
    """In any channel, before a song and after it. The biases of Wave-U-Net make sound out of nothing."""
    drawn = data.draw(songs(ALL_RATES))
    rate, song = drawn.rate, drawn.samples
    name = data.draw(st.sampled_from(MASKS))
    separator = open_model(name)
    song[data.draw(st.integers(0, len(song) - 1))] = 0
    silent = ~song.any(axis=1)
    for stem in separator.separate(song, rate):
        assert not stem[silent].any()
    around = 2 * FRONT_END.n_fft
    for stem in separator.separate(np.pad(song, ((0, 0), (around, around))), OWN_RATE):
        assert not stem[:, : FRONT_END.n_fft].any()
        assert not stem[:, -FRONT_END.n_fft :].any()


SUBTYPES = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")


@tried(20)
@given(data=st.data(), subtype=st.sampled_from(SUBTYPES), wanted=st.sampled_from((None, *SUBTYPES)))
def test_stem_files_add_up_to_the_bit(open_model, tmp_path_factory, data, subtype, wanted):
    drawn = data.draw(songs(ALL_RATES))
    assume(drawn.length)
    folder = tmp_path_factory.mktemp("files")
    song = write(folder / "song.wav", drawn.samples, drawn.rate, subtype=subtype, format="WAVEX")
    separator = open_model(data.draw(st.sampled_from((*MASKS, "waves"))))
    paths = separator.separate_file(song, folder / "out", subtype=wanted)
    written = wanted or subtype
    vocals, accompaniment = (read(path) for path in paths.values())
    if written in INTEGER_BITS:
        step = 2.0 ** (1 - INTEGER_BITS[written])
        mixture = np.clip(np.rint(read(song) / step) * step, -1, 1 - step)
        assert np.array_equal(vocals + accompaniment, mixture)
    else:
        # What holds 24 bits or fewer is worked on in single precision, whatever it is written as.
        mixture = read(song, "float64" if written == "DOUBLE" and subtype in ("PCM_32", "DOUBLE") else "float32")
        check_sum(mixture, vocals.astype(mixture.dtype), accompaniment.astype(mixture.dtype))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["torch", "onnx"])
@tried(2, share=20)
@given(data=st.data())
def test_the_shipped_model_keeps_all_of_this(backend, data):
    pytest.importorskip("onnxruntime")
    whole, cut = _shipped(backend, None), _shipped(backend, 64)
    shape, front_end = whole.backend.shape, whole.front_end
    step, deaf = shape.stride * front_end.hop, shape.context * front_end.hop + front_end.n_fft
    length = deaf + data.draw(st.integers(1, 3)) * front_end.hop + data.draw(st.integers(-2, 2))
    song = Song(front_end.sample_rate, 2, length, data.draw(stretches()), data.draw(st.integers(0, 99))).samples
    vocals, accompaniment = whole.separate(song, front_end.sample_rate)
    check_sum(song, vocals, accompaniment)
    chunked = streamed(cut, blocks_of(data.draw, song), front_end.sample_rate)
    assert np.abs(chunked[0] - vocals).max() < AGREED
    assert np.array_equal(whole.separate(-song, front_end.sample_rate).vocals, -vocals)
    gain = np.float32(10 ** (data.draw(st.floats(-60, 20)) / 20))
    louder = whole.separate(song * gain, front_end.sample_rate).vocals
    assert np.abs(louder / gain - vocals).max() < ROUNDED
    behind = whole.separate(np.pad(song, ((0, 0), (step, 0)), mode="reflect"), front_end.sample_rate).vocals
    assert np.abs(behind[:, step:] - vocals)[:, deaf:].max() < AGREED


@functools.cache
def _shipped(backend, core_frames):
    return Separator(backend=backend, core_frames=core_frames)
