"""Networks that take segments: the stream, and HT-Demucs as a graph with random weights."""

import contextlib
import dataclasses
import itertools
import json
import math
import pickle

import numpy as np
import pytest
import torch
from conftest import tones
from hypothesis import example, given, settings
from hypothesis import strategies as st
from segment_models import CARD, SMALL, write_htdemucs

from vocalsep import ModelError, Separator, UsageError
from vocalsep.inference.backend import ENDINGS, SegmentBackend, SegmentShape, shape_from_dict, shape_to_dict
from vocalsep.inference.families.htdemucs_onnx import Config, open_backend
from vocalsep.inference.families.table import Runtime
from vocalsep.inference.opening import model_info, model_stems
from vocalsep.inference.segment_stream import SegmentStream, weights
from vocalsep.model_files.onnx_metadata import metadata_bytes, read_metadata

RATE = SMALL.sample_rate
SHAPE = SegmentShape(2, 1000, 300, ("drums", "vocals"))


class Swell(SegmentBackend):
    """Sources that depend on the whole segment and on the place in it."""

    def __init__(self, shape: SegmentShape, parallel_calls: int = 1):
        self.shape = shape
        self.parallel_calls = parallel_calls
        self.calls = 0

    def sources(self, mixtures, names, cancellation=None):
        self.calls += 1
        places = np.linspace(0.1, 0.9, mixtures.shape[-1], dtype=np.float32)
        loudness = np.abs(mixtures).mean()
        shares = [(1 + self.shape.sources.index(name)) * places * loudness for name in names]
        return np.stack([mixtures * share for share in shares], axis=1)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_htdemucs(tmp_path_factory.mktemp("models") / "small.onnx")


@pytest.fixture(scope="module")
def small(model):
    return Separator(model, threads=2)


def _streamed(stream, mixture, cuts):
    edges = [0, *sorted(cuts), mixture.shape[1]]
    blocks = [stream.push(mixture[:, a:b]) for a, b in itertools.pairwise(edges)]
    return np.concatenate([*blocks, stream.flush()], axis=1)


def _whole(backend, mixture, hop):
    """The same in one piece: all segments from the start of the song, as the programs of these families do it."""
    shape, end = backend.shape, mixture.shape[1]
    window = weights(shape.window, shape.used)
    around = 2 * shape.samples
    silence = np.zeros((2, around), np.float32)
    padded = np.concatenate([silence, mixture, silence], axis=1)
    total, sums = np.zeros((2, 2, padded.shape[1])), np.zeros(padded.shape[1])
    for start in range(-shape.before, end, hop):
        used, left, length, own, last = shape.used, shape.context // 2, shape.samples, window, False
        if start + used > end and shape.ending in ("centred", "short"):
            used = end - start
            left = (length - used) // 2 if shape.ending == "centred" else left
            length = length if shape.ending == "centred" else used + shape.context
        elif start + used > end and shape.ending == "padded":
            core = length - 2 * shape.before
            used = min(used, (end // core + 1) * core + shape.before - start)
            own = weights(shape.window, used)
        elif start + used > end and shape.ending == "shifted":
            # Once, unless the segment before has ended with the song.
            if start > -shape.before and start - hop + used == end:
                break
            start, last = max(-shape.before, end - used), True
        first = around + start - left
        segment = backend.sources(padded[None, :, first : first + length], shape.sources)[0]
        at = slice(around + start, around + start + used)
        total[..., at] += own[:used] * segment[..., left : left + used]
        sums[at] += own[:used]
        if last:
            break
    inside = slice(around, around + end)
    return total[..., inside] / sums[inside]


@settings(max_examples=40, deadline=None)
@given(
    ending=st.sampled_from(ENDINGS),
    window=st.sampled_from(("triangle", "hann", "hamming", "flat")),
    before=st.sampled_from((0, 1, 400, 499)),
    hop=st.sampled_from((899, 898, 750, 125)),
    context=st.sampled_from((0, 1, 101)),
    samples=st.integers(1, 5000),
    parallel=st.integers(1, 3),
    cuts=st.lists(st.integers(0, 5000), max_size=8),
)
@example("shifted", "flat", 499, 899, 101, 401, 1, [])
def test_a_stream_gives_what_the_whole_song_does(ending, window, before, hop, context, samples, parallel, cuts):
    shape = dataclasses.replace(SHAPE, ending=ending, window=window, before=before, context=context)
    backend = Swell(shape, parallel)
    mixture = np.random.default_rng(samples).uniform(-1, 1, (2, samples)).astype(np.float32)
    stream = SegmentStream(backend, 2, hop, shape.sources)
    found = _streamed(stream, mixture, [cut for cut in cuts if cut < samples])
    assert found.shape == (4, samples)
    assert found.reshape(2, 2, -1) == pytest.approx(_whole(backend, mixture, hop), abs=1e-5)


def test_vocals_of_a_network_for_the_accompaniment_are_the_rest():
    backend = Swell(dataclasses.replace(SHAPE, sources=("accompaniment",)))
    mixture = tones(0.2)
    stream = SegmentStream(backend, 2, 500)
    vocals = np.concatenate([stream.push(mixture), stream.flush()], axis=1)
    other = SegmentStream(backend, 2, 500, ("accompaniment",))
    accompaniment = np.concatenate([other.push(mixture), other.flush()], axis=1)
    assert vocals + accompaniment == pytest.approx(mixture, abs=1e-6)
    assert np.abs(vocals).max() > 0.1


def test_a_passage_is_that_of_the_whole_song_and_computes_little_else():
    backend = Swell(SHAPE)
    mixture = np.random.default_rng(0).uniform(-1, 1, (2, 30_000)).astype(np.float32)
    whole = _streamed(SegmentStream(backend, 2, 300), mixture, [7000])
    backend.calls = 0
    part = _streamed(SegmentStream(backend, 2, 300, wanted=(12_345, 12_999)), mixture, [7000, 7001, 20_000])
    assert np.array_equal(part[:, 12_345:12_999], whole[:, 12_345:12_999])
    assert backend.calls == 6


def test_mono_is_given_to_both_channels(small):
    mixture = tones(2.2, RATE)
    left = small.separate(mixture[0], RATE).vocals
    both = small.separate(np.stack([mixture[0]] * 2), RATE).vocals
    assert left == pytest.approx(both[0], abs=1e-6)
    assert both[0] == pytest.approx(both[1], abs=1e-6)


def test_sound_on_one_side_is_separated_as_mono_is(small):
    mixture = tones(12, RATE)
    mixture[1] = 0
    stems = small.separate(mixture, RATE)
    assert np.abs(stems.vocals[1]).max() < 1e-6
    assert stems.vocals[0] == pytest.approx(small.separate(mixture[0], RATE).vocals, abs=1e-5)


def _demucs_segment(session, config, mixture):
    """One segment with the transforms of torch, as in the program of the paper's authors."""
    hop, pad = config.n_fft // 4, config.n_fft // 8 * 3
    window = torch.hann_window(config.n_fft)
    signal = torch.from_numpy(mixture)
    frames = math.ceil(signal.shape[1] / hop)
    padded = torch.nn.functional.pad(signal[None], (pad, pad + frames * hop - signal.shape[1]), mode="reflect")[0]
    options = {"window": window, "normalized": True, "center": True}
    spectrum = torch.stft(padded, config.n_fft, hop, pad_mode="reflect", return_complex=True, **options)
    spectrum = spectrum[:, :-1, 2 : 2 + frames]
    planes = torch.view_as_real(spectrum).permute(0, 3, 1, 2).reshape(1, 4, *spectrum.shape[1:])
    sources, added = session.run(None, {"mixture": mixture[None], "spectrum": planes.contiguous().numpy()})
    made = torch.from_numpy(sources[0])
    made = made.view(4, 2, 2, *spectrum.shape[1:]).permute(0, 1, 3, 4, 2).contiguous()
    made = torch.nn.functional.pad(torch.view_as_complex(made).reshape(8, *spectrum.shape[1:]), (2, 2, 0, 1))
    samples = torch.istft(made, config.n_fft, hop, length=hop * frames + 2 * pad, **options)
    return samples[:, pad : pad + config.samples].reshape(4, 2, -1).numpy() + added[0]


@pytest.mark.parametrize("samples", [4000, 4032, 4095])
def test_transforms_around_the_graph_are_those_of_demucs(tmp_path, samples):
    config = dataclasses.replace(SMALL, samples=samples)
    backend = open_backend(write_htdemucs(tmp_path / "m.onnx", config), config, Runtime()).backend
    mixture = np.random.default_rng(1).uniform(-1, 1, (2, samples)).astype(np.float32)
    expected = _demucs_segment(backend.session, config, mixture)
    found = backend.sources(mixture[None], ("vocals", "drums"))[0]
    assert found == pytest.approx(expected[[3, 0]], abs=2e-6)


def test_any_rate_channels_and_stems(small):
    assert small.stems == ("vocals", "accompaniment", "drums", "bass", "other")
    for channels, rate in ((1, 8000), (2, 44100), (3, 8000)):
        mixture = tones(0.7, rate, channels)
        stems = small.separate(mixture, rate, stems=small.stems)
        assert list(stems) == list(small.stems)
        parts = stems["drums"] + stems["bass"] + stems["other"]
        assert parts == pytest.approx(stems["accompaniment"], abs=1e-6)
        assert stems["vocals"] + stems["accompaniment"] == pytest.approx(mixture, abs=1e-6)
        assert np.array_equal(small.separate(mixture, rate).vocals, stems["vocals"])
        blocks = np.array_split(mixture, 5, axis=1)
        drums = np.concatenate([block["drums"] for block in small.stream(blocks, rate, stems=["drums"])], axis=1)
        assert np.array_equal(drums, stems["drums"])


def test_overlap_is_a_share_of_a_segment(model, small):
    assert small.streams.hop == 3000
    assert Separator(model, overlap=0.5).streams.hop == 2000
    for overlap in (1.0, 3.0, math.nan):
        with pytest.raises(UsageError, match="a share of a segment, from 0 to less than 1"):
            Separator(model, overlap=overlap)


def test_a_separator_can_be_sent_to_another_process(small):
    again = pickle.loads(pickle.dumps(small))
    assert again.stems == small.stems


def test_what_the_model_lacks_is_said(model, small, tmp_path):
    mixture = tones(0.5, RATE)
    with pytest.raises(
        UsageError, match="unknown stem 'piano'; this model has vocals, accompaniment, drums, bass, other"
    ):
        small.separate(mixture, RATE, stems=["piano"])
    with pytest.raises(UsageError, match=r"unknown stem 'drums'; this model has vocals, accompaniment$"):
        Separator("default").separate(mixture, RATE, stems=["drums"])
    for options, reason in (
        ({"hard": True}, "hard masks: this model works on segments"),
        ({"core_frames": 64}, "core_frames: this model works on segments"),
        ({"backend": "torch"}, "computed by the onnx backend alone"),
        ({"precision": "bfloat16"}, "on the CPU in float32 only"),
    ):
        with pytest.raises(UsageError, match=reason):
            Separator(model, **options)


def test_the_file_says_what_it_is(model):
    info = model_info(model)
    assert (info.config, info.card) == (SMALL, CARD)
    assert model_stems(model) == ("vocals", "accompaniment", "drums", "bass", "other")
    assert model_stems("default") == ("vocals", "accompaniment")


def _with_metadata(model, path, **changes):
    info = {**model_info(model).to_dict(), **changes}
    # The last entry of a key counts.
    path.write_bytes(model.read_bytes() + metadata_bytes("vocalsep", json.dumps(info)))
    return path


def test_a_broken_file_is_refused(model, tmp_path):
    config = dataclasses.asdict(SMALL)
    for changes, reason in (
        ({"family": "x"}, "unknown family 'x'; known are htdemucs-onnx"),
        ({"config": {**config, "samples": 5000}}, "it has other inputs or outputs"),
        ({"config": {**config, "sources": ["vocals"]}}, "it has other inputs or outputs"),
        ({"config": {**config, "samples": 1 << 40}}, "samples must be a whole number"),
        ({"config": {**config, "n_fft": 1 << 40}}, "n_fft must be a whole number"),
        ({"config": {**config, "sources": ["drums"]}}, "none of the sources drums is vocals or accompaniment"),
        ({"config": {**config, "sources": ["../x", "vocals"]}}, "different names of small letters"),
        ({"config": {**config, "size": 1}}, "configuration is invalid"),
        ({"config": 7}, "configuration is invalid"),
    ):
        with pytest.raises(ModelError, match=reason):
            Separator(_with_metadata(model, tmp_path / "m.onnx", **changes))
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(model.read_bytes()[:-7])
    with pytest.raises(ModelError, match="damaged"):
        Separator(cut)


def test_shapes_survive_json():
    assert shape_from_dict(json.loads(json.dumps(shape_to_dict(SHAPE)))) == SHAPE
    for changes in ({"hop": 1001}, {"before": 1000}, {"window": "sine"}, {"ending": "cut"}, {"sources": "vocals"}):
        with pytest.raises(ModelError):
            dataclasses.replace(SHAPE, **changes)
    with pytest.raises(ModelError, match="n_fft must be a multiple of 8"):
        Config(n_fft=1001)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_metadata_of_any_bytes_is_read_or_refused(model, tmp_path_factory, data):
    whole = bytearray(model.read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "any.onnx"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    with contextlib.suppress(ModelError):
        assert all(isinstance(text, str) for entry in read_metadata(path).items() for text in entry)


def test_metadata_is_what_onnx_reads(model):
    import onnx

    found = {entry.key: entry.value for entry in onnx.load(model).metadata_props}
    assert found == read_metadata(model) != {}
