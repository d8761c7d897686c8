"""Sound on one side only is separated as in mono; ordinary stereo is not changed."""

import numpy as np
import pytest
from conftest import RATE, sdr, tones
from test_networks import RATE as SMALL_RATE
from test_networks import SMALL, model

from vocalsep import Separator
from vocalsep.inference.one_sided import RADIUS_S, OneSidedDetector
from vocalsep.inference.streams import Stream
from vocalsep.model_files.checkpoint import save


@pytest.fixture(scope="module")
def mono(demo):
    """Vocals and mixture of eight seconds of the shipped song, (samples,) each."""
    cut = slice(12 * RATE, 20 * RATE)
    return demo["vocals"].mean(axis=0)[cut], demo["mixture"].mean(axis=0)[cut].astype(np.float32)


def _other_side(kind: str, mixture: np.ndarray) -> np.ndarray:
    rms = np.sqrt((mixture**2).mean())
    noise = np.random.default_rng(0).standard_normal(mixture.size).astype(np.float32) * rms
    return {
        "silent": np.zeros_like(mixture),
        "offset": np.full_like(mixture, 0.05),
        "-20 dB": mixture * np.float32(0.1),
        "-10 dB, inverted": mixture * np.float32(-0.3),
        "delayed crosstalk": np.roll(mixture, 20) * np.float32(0.05),
        "hiss": noise * np.float32(0.01),
        "copy and hiss": mixture * np.float32(0.1) + noise * np.float32(0.02),
    }[kind]


@pytest.mark.parametrize(
    "kind", ["silent", "offset", "-20 dB", "-10 dB, inverted", "delayed crosstalk", "hiss", "copy and hiss"]
)
@pytest.mark.parametrize("loud", [0, 1])
def test_one_sided_sound_is_separated_as_mono(separator, mono, kind, loud):
    vocals, mixture = mono
    sides = [mixture, _other_side(kind, mixture)]
    stereo = np.stack(sides if loud == 0 else sides[::-1])
    stems = separator.separate(stereo, RATE)
    expected = separator.separate(mixture, RATE).vocals
    assert sdr(vocals, stems.vocals[loud]) > sdr(vocals, expected) - 0.5
    assert np.abs(stems.vocals + stems.accompaniment - stereo).max() < 1e-6
    if kind in ("silent", "-20 dB"):
        assert np.abs(stems.vocals[loud] - expected).max() < 1e-5
        assert np.abs(stems.vocals[1 - loud] - expected * (0 if kind == "silent" else 0.1)).max() < 1e-5


def test_onnx_separates_one_sided_sound_as_mono(mono):
    _, mixture = mono
    onnx = Separator(backend="onnx")
    one = onnx.separate(np.stack([mixture, 0 * mixture]), RATE).vocals
    assert np.abs(one[0] - onnx.separate(mixture, RATE).vocals).max() < 1e-5


def test_each_channel_pair_has_its_own_side_weights(separator, mono):
    _, mixture = mono
    stereo = tones(8)
    expected = separator.separate(mixture, RATE).vocals
    quad = separator.separate(np.stack([*stereo, 0.1 * mixture, mixture]), RATE).vocals
    assert np.array_equal(quad[:2], separator.separate(stereo, RATE).vocals)
    assert np.abs(quad[3] - expected).max() < 1e-5


@pytest.mark.parametrize("rate", [32000, 44100])
def test_ordinary_stereo_is_bit_identical(separator, demo, rate):
    song = demo["mixture"][:, : 20 * RATE].astype(np.float32)
    louder = song * np.float32([[1], [0.63]])
    panned = np.stack([demo["accompaniment"].mean(axis=0), 0.5 * demo["vocals"].mean(axis=0)])[:, : 20 * RATE]
    for mixture in (song, louder, panned.astype(np.float32), tones(3), np.zeros((2, RATE), np.float32)):
        detector = OneSidedDetector(RATE, 1024)
        weights = np.concatenate([detector.push(mixture)[1], detector.flush()[1]], axis=1)
        assert not weights[:2].any()
    plain = Stream(separator.streams.open(2)._stream, None)
    expected = np.concatenate([plain.push(song), plain.flush()], axis=1)
    assert np.array_equal(separator.separate(song, RATE).vocals, expected)


def _changing() -> np.ndarray:
    """Stereo, then its left side only with a trace on the right, then stereo: with gradual transitions."""
    stereo = tones(24)
    time = np.arange(stereo.shape[1]) / RATE
    trace = np.clip(np.abs(time - 12) - 7, 0.02, 1)
    return np.stack([stereo[0], stereo[1] * trace]).astype(np.float32)


@pytest.mark.parametrize("architecture", ["default", "unet", "wave-unet"])
def test_side_weights_depend_neither_on_blocks_nor_on_chunks(separator, tmp_path, architecture):
    if architecture == "default":
        engine, small, rate = separator, Separator(core_frames=64, backend="torch"), RATE
    else:
        config = {**SMALL[architecture], **({"tile": 12000} if architecture == "wave-unet" else {})}
        save(tmp_path / "m.safetensors", *model(architecture, config), {})
        engine = Separator(tmp_path / "m.safetensors")
        small = Separator(tmp_path / "m.safetensors", core_frames=64) if architecture == "unet" else engine
        rate = SMALL_RATE
    mixture = _changing()[:, :: RATE // rate]
    whole = engine.separate(mixture, rate).vocals
    cuts = [1, 1000, 1024, 60000, 60001, 150000]
    for other in dict.fromkeys((engine, small)):
        stems = other.stream(np.split(mixture, cuts, axis=1), rate)
        streamed = np.concatenate([block.vocals for block in stems], axis=1)
        assert np.abs(streamed - whole).max() < 1e-5


def test_side_weights_need_ten_one_sided_seconds():
    detector = OneSidedDetector(RATE, 1024)
    mixture = _changing()
    returned, weights = (
        np.concatenate(parts, axis=1) for parts in zip(detector.push(mixture), detector.flush(), strict=True)
    )
    assert np.array_equal(returned, mixture)
    weight = weights[0]
    assert not weights[1].any()
    # The right side is quiet from second 5 to second 19.
    assert weight[12 * RATE // 1024] == 1
    for stereo in (slice(int((5 + RADIUS_S / 2) * RATE / 1024)), slice(int((19 - RADIUS_S / 2) * RATE / 1024), None)):
        assert not weight[stereo].any()
    assert np.abs(np.diff(weight)).max() < 0.2


@pytest.mark.parametrize("gain", [0.0, 0.1, -0.1])
def test_one_sided_sound_with_waveform_models(tmp_path, gain):
    save(tmp_path / "m.safetensors", *model("wave-unet", SMALL["wave-unet"]), {})
    engine = Separator(tmp_path / "m.safetensors")
    mixture = tones(2, SMALL_RATE, channels=1)[0]
    expected = engine.separate(mixture, SMALL_RATE).vocals
    for loud in (0, 1):
        sides = [mixture, np.float32(gain) * mixture]
        vocals = engine.separate(np.stack(sides if loud == 0 else sides[::-1]), SMALL_RATE).vocals
        assert np.abs(vocals[loud] - expected).max() < 1e-6
        assert np.abs(vocals[1 - loud] - gain * expected).max() < 1e-6
