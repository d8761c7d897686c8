"""Artefacts of MP3 and AAC."""

from __future__ import annotations

import io

import numpy as np

CODECS = {"mp3": "libmp3lame", "adts": "aac"}
BITRATES = (64_000, 96_000, 128_000, 160_000, 192_000, 256_000)
RATES = (32000, 44100, 48000)
# More samples than encoder and decoder delay the audio by.
LARGEST_DELAY = 4096


def codec_loss(
    audio: np.ndarray, sample_rate: int, rng: np.random.Generator, *, bitrates: tuple[int, ...] = BITRATES
) -> np.ndarray:
    """Encode and decode as MP3 or AAC at a random bit rate.

    Parameters
    ----------
    audio : ndarray (channels, samples), float32
        1 or 2 channels.
    sample_rate : int
        Hz; at rates other than 32, 44.1 and 48 kHz, which the codecs share, the audio is returned unchanged.
    rng : numpy.random.Generator
    bitrates : tuple of int
        Bits per second, one of which is drawn.

    Returns
    -------
    ndarray of the same shape, aligned with `audio`
    """
    container = list(CODECS)[int(rng.integers(len(CODECS)))]
    bitrate = int(bitrates[int(rng.integers(len(bitrates)))])
    peak = float(np.abs(audio).max(initial=0.0))
    if sample_rate not in RATES or peak == 0:
        return audio.copy()
    scale = np.float32(max(1.0, peak))
    decoded = transcode(audio / scale, sample_rate, container, bitrate)
    return _aligned(audio, decoded * scale)


def transcode(audio: np.ndarray, sample_rate: int, container: str, bitrate: int) -> np.ndarray:
    """Encode and decode in memory; return (channels, samples) with the codec's delay and padding."""
    import av

    layout = "mono" if audio.shape[0] == 1 else "stereo"
    memory = io.BytesIO()
    with av.open(memory, "w", format=container) as output:
        stream = output.add_stream(CODECS[container], rate=sample_rate)
        stream.codec_context.layout = layout
        stream.codec_context.bit_rate = bitrate
        stream.codec_context.format = "fltp"
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(audio, np.float32), format="fltp", layout=layout)
        frame.sample_rate = sample_rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            output.mux(packet)
    memory.seek(0)
    with av.open(memory) as container_in:
        parts = [frame.to_ndarray() for frame in container_in.decode(audio=0)]
    return np.concatenate(parts, axis=1) if parts else np.zeros_like(audio)


def _aligned(audio: np.ndarray, decoded: np.ndarray) -> np.ndarray:
    """Remove the delay, which depends on the encoder, at the maximum of the cross-correlation."""
    samples = audio.shape[1]
    size = 1 << (samples + decoded.shape[1]).bit_length()
    first, second = audio.sum(axis=0), decoded.sum(axis=0)
    if not first.any():
        first, second = audio[0], decoded[0]
    correlation = np.fft.irfft(np.conj(np.fft.rfft(first, size)) * np.fft.rfft(second, size), size)
    delay = int(np.argmax(correlation[:LARGEST_DELAY]))
    aligned = np.zeros_like(audio)
    part = decoded[:, delay : delay + samples]
    aligned[:, : part.shape[1]] = part
    return aligned
