import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vocalsep.dsp.front_end import FrontEndConfig
from vocalsep.dsp.stft import istft, stft
from vocalsep.dsp.streaming_stft import InverseStft, Stft, frame_count

SMALL = FrontEndConfig(n_fft=64, hop=16, bins=32)


@pytest.mark.parametrize("samples", [1, 15, 16, 17, 63, 64, 65, 1000, 44100])
@pytest.mark.parametrize("config", [SMALL, FrontEndConfig()])
def test_round_trip_is_exact(samples, config):
    signal = torch.randn(2, samples, generator=torch.Generator().manual_seed(samples))
    spectrum = stft(signal, config)
    assert spectrum.shape == (2, config.n_fft // 2 + 1, frame_count(samples, config))
    assert torch.allclose(istft(spectrum, config, samples), signal, atol=5e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 200), max_size=12))
def test_streamed_equals_whole(lengths):
    signal = torch.randn(1, sum(lengths), generator=torch.Generator().manual_seed(len(lengths)))
    forward, inverse = Stft(SMALL, 1), InverseStft(SMALL, 1)
    frames = [forward.push(block.numpy()) for block in signal.split(lengths, dim=1)] if lengths else []
    frames.append(forward.flush())
    streamed = np.concatenate(frames, axis=2)
    back = np.concatenate([inverse.push(block) for block in frames], axis=1)
    assert back.shape[1] >= signal.shape[1]
    assert np.allclose(back[:, : signal.shape[1]], signal, atol=1e-5)
    if lengths and sum(lengths):
        assert np.allclose(streamed, stft(signal, SMALL), atol=1e-5)


def test_a_tone_lands_in_its_bin():
    config = FrontEndConfig()
    frequency = 100 * config.sample_rate / config.n_fft
    time = torch.arange(config.sample_rate) / config.sample_rate
    magnitude = stft(torch.sin(2 * np.pi * frequency * time)[None], config).abs()
    assert int(magnitude[0, :, 20].argmax()) == 100
    # a unit sine of a bin's own frequency, under a Hann window, has a quarter of the window length
    assert magnitude[0, 100, 20] == pytest.approx(config.n_fft / 4, rel=1e-3)


def _librosa(signal, config):
    import librosa

    return librosa.stft(signal, n_fft=config.n_fft, hop_length=config.hop, center=False)


def _torch(signal, config):
    window = torch.hann_window(config.n_fft)
    spectrum = torch.stft(
        torch.from_numpy(signal), config.n_fft, config.hop, window=window, center=False, return_complex=True
    )
    return spectrum.numpy()


# Numba compiles what librosa needs for 20 s when it is first used.
@pytest.mark.parametrize("reference", [_torch, pytest.param(_librosa, marks=pytest.mark.slow)])
def test_frames_agree_with_other_libraries(reference):
    config = FrontEndConfig()
    signal = torch.randn(44100, generator=torch.Generator().manual_seed(1))
    expected = reference(np.pad(signal.numpy(), (config.n_fft - config.hop, 0)), config)
    ours = stft(signal[None], config)[0, :, : expected.shape[1]].numpy()
    assert np.abs(ours - expected).max() < 1e-3 * np.abs(expected).max()
