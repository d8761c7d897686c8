"""Decoding, encoding and resampling: what goes in comes out."""

import contextlib
import ctypes
import pathlib

import av
import numpy as np
import pytest
import soundfile
from conftest import RATE, read, tones, write
from hypothesis import given, settings
from hypothesis import strategies as st

from vocalsep.audio.container import AvioFile
from vocalsep.audio.decoding import has_video, open_source, peak
from vocalsep.audio.formats import FORMATS, output_format
from vocalsep.audio.key_tempo import KeyTempo
from vocalsep.audio.resample import Resampler
from vocalsep.audio.sink import Sink, audio_frame, audio_stream
from vocalsep.audio.source import _joined_blocks
from vocalsep.errors import AudioError, OutputError, UsageError


def decode(path: pathlib.Path, salvage: bool = False) -> np.ndarray:
    with open_source(path, salvage) as source:
        return np.concatenate([*source.blocks(), np.zeros((source.info.channels, 0), np.float32)], axis=1)


def encode(path: pathlib.Path, audio: np.ndarray, rate: int = RATE, subtype: str | None = None) -> pathlib.Path:
    form = FORMATS[path.suffix[1:]]
    with Sink(path, form, sample_rate=rate, channels=len(audio), subtype=subtype, bitrate=256_000) as sink:
        for block in np.array_split(audio, 7, axis=1):
            sink.write(block)
        sink.finish()
    return path


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_wav_gives_back_every_bit(tmp_path, subtype):
    path = write(tmp_path / "in.wav", tones(0.5), subtype=subtype)
    decoded = decode(path)
    assert np.array_equal(decoded, read(path))
    again = encode(tmp_path / "out.wav", decoded, subtype=subtype)
    assert np.array_equal(read(again), read(path))
    assert soundfile.info(again).subtype == subtype


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
def test_flac_gives_back_every_bit(tmp_path, subtype, channels):
    path = write(tmp_path / "in.flac", tones(0.3, channels=channels), subtype=subtype)
    again = encode(tmp_path / "out.flac", decode(path), subtype=subtype)
    assert np.array_equal(read(again), read(path))


@pytest.mark.parametrize("suffix", ["ogg", "opus", "mp3", "m4a"])
@pytest.mark.parametrize("channels", [1, 2])
def test_lossy_formats_stay_in_time(tmp_path, suffix, channels):
    audio = tones(2.0, 48000, channels)
    decoded = decode(encode(tmp_path / f"out.{suffix}", audio, 48000))
    # AAC decoders hand out the last packet whole
    assert 0 <= decoded.shape[1] - audio.shape[1] < (1024 if suffix == "m4a" else 1)
    error = decoded[:, : audio.shape[1]] - audio
    assert 10 * np.log10((audio**2).mean() / (error**2).mean()) > 20


def test_a_format_that_cannot_hold_a_rate_gets_the_next(tmp_path):
    assert soundfile.info(encode(tmp_path / "out.opus", tones(1.0))).samplerate == 48000
    with open_source(encode(tmp_path / "out.m4a", tones(1.0, 9000), 9000)) as source:
        assert source.info.sample_rate == 11025


def test_encoding_twice_gives_the_same_bytes(tmp_path):
    for suffix in ("wav", "flac", "opus", "mp3", "m4a"):
        subtype = "PCM_16" if suffix in ("wav", "flac") else None
        first, second = (encode(tmp_path / f"{n}.{suffix}", tones(1), 48000, subtype) for n in "ab")
        assert first.read_bytes() == second.read_bytes(), suffix


@pytest.mark.parametrize("codec", ["alac", "pcm_s24le"])
def test_lossless_codecs_in_video_containers_keep_every_bit(tmp_path, codec):
    integers = (tones(0.4) * 2**23).astype(np.int32) << 8
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE)
        wanted = {"alac": "s32p", "pcm_s24le": "s32"}[codec]
        stream.codec_context.format = wanted
        stream.codec_context.layout = "stereo"
        packed = integers if wanted.endswith("p") else integers.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(packed), format=wanted, layout="stereo")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with open_source(path) as source:
        assert source.info.subtype == "PCM_24"
        assert not source.info.lossy
    assert np.array_equal(decode(path) * 2**23, integers >> 8)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 5000), min_size=1, max_size=6),
    st.sampled_from([8000, 22050, 44100, 48000, 96000]),
    st.sampled_from([16000, 44100, 48000]),
)
def test_resampling_in_blocks_equals_the_whole_and_keeps_time(lengths, rate_in, rate_out):
    audio = tones(sum(lengths) / rate_in + 1e-3, rate_in, 1)[:, : sum(lengths)]
    streamed, whole = Resampler(1, rate_in, rate_out), Resampler(1, rate_in, rate_out)
    parts = [streamed.push(block) for block in np.split(audio, np.cumsum(lengths)[:-1], axis=1)]
    out = np.concatenate([*parts, streamed.flush()], axis=1)
    expected = np.concatenate([whole.push(audio), whole.flush()], axis=1)
    assert np.allclose(out, expected, atol=1e-6)
    assert abs(out.shape[1] - audio.shape[1] * rate_out / rate_in) <= 1


@pytest.mark.parametrize(("key", "tempo"), [(0, 100), (3, 100), (-12, 100), (12, 100), (0, 80), (5, 150), (12, 50)])
def test_key_and_tempo_do_what_they_say(key, tempo):
    time = np.arange(4 * RATE) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 440 * time).astype(np.float32)[None]
    shift = KeyTempo(1, RATE, key, tempo)
    out = np.concatenate([*(shift.push(block) for block in np.array_split(tone, 9, axis=1)), shift.flush()], axis=1)
    assert out.shape[1] == round(tone.shape[1] * 100 / tempo)
    middle = out[0, RATE // 2 : RATE // 2 + RATE]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    heard = spectrum.argmax() * RATE / len(middle)
    assert heard == pytest.approx(440 * 2 ** (key / 12), rel=0.01)


def test_peak_is_the_largest_sample(tmp_path):
    audio = tones(0.5)
    audio[1, 1000] = -1.75
    assert peak(write(tmp_path / "a.wav", audio, subtype="FLOAT")) == 1.75


def test_nan_infinite_and_absurd_samples_become_silence(tmp_path):
    audio = tones(0.5)
    audio[0, [5, 6, 7]] = [np.nan, np.inf, 1e30]
    with open_source(write(tmp_path / "a.wav", audio, subtype="FLOAT")) as source:
        decoded = np.concatenate(list(source.blocks()), axis=1)
        assert source.repaired == 3
    assert not decoded[0, 5:8].any()
    assert np.isfinite(decoded).all()


def test_a_wrong_estimate_of_the_length_is_no_damage(tmp_path):
    """An ADTS stream has no count of its frames, and what FFmpeg makes of its size is far off."""
    path = tmp_path / "bare.aac"
    audio = np.concatenate([tones(20, channels=1), np.zeros((1, 60 * RATE), np.float32)], axis=1)
    with av.open(str(path), "w", format="adts") as container:
        stream = container.add_stream("aac", rate=RATE)
        stream.codec_context.layout = "mono"
        frame = av.AudioFrame.from_ndarray(audio, format="fltp", layout="mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with open_source(path) as source:
        decoded = sum(block.shape[1] for block in source.blocks())
        assert abs(source.info.samples - decoded) > RATE, "the guess is too good for this test"
    assert decoded == pytest.approx(80 * RATE, abs=3000)


def test_songs_with_tags_in_an_old_encoding_are_read(tmp_path):
    path = encode(tmp_path / "song.mp3", tones(1.0))
    # an ID3v1 block in Latin-1
    path.write_bytes(path.read_bytes() + b"TAG" + b"Caf\xe9 \xff".ljust(30, b"\0") + bytes(94) + b"\xff")
    assert decode(path).shape[0] == 2


def _text(path):
    path.write_text("la la la " * 500)


def _noise(path):
    path.write_bytes(np.random.default_rng(0).bytes(50000))


def _empty(path):
    path.write_bytes(b"")


def _playlist(path):
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/hostname\n#EXT-X-ENDLIST\n")


def _concat(path):
    path.write_text("ffconcat version 1.0\nfile /etc/hostname\n")


@pytest.mark.parametrize("suffix", [".mp3", ".wav", ".m4a", ".mp4", ".flac"])
@pytest.mark.parametrize("spoil", [_text, _noise, _empty, _playlist, _concat])
def test_what_is_no_audio_is_said_to_be_none(tmp_path, spoil, suffix):
    path = tmp_path / f"song{suffix}"
    spoil(path)
    with pytest.raises(AudioError, match=r"no audio|empty|damaged|supported"):
        decode(path)


@pytest.mark.parametrize("suffix", ["flac", "m4a"])
def test_a_file_with_a_cut_last_packet_can_be_salvaged(tmp_path, suffix):
    subtype = "PCM_16" if suffix == "flac" else None
    whole = encode(tmp_path / f"whole.{suffix}", tones(20, channels=1), subtype=subtype)
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    with pytest.raises(AudioError, match=r"damaged|no audio"):
        decode(cut)
    if suffix != "m4a":  # its index is at its end
        assert 8 * RATE < decode(cut, salvage=True).shape[1] < 14 * RATE


def test_a_wav_from_a_pipe_is_whole(tmp_path):
    path = encode(tmp_path / "pipe.wav", tones(1.0), subtype="PCM_16")
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert decode(path).shape == (2, RATE)


def test_an_unknown_codec_is_reported(tmp_path):
    path = write(tmp_path / "odd.wav", tones(0.2), subtype="PCM_16")
    data = bytearray(path.read_bytes())
    data[20:22] = b"\x99\x99"  # the format tag
    path.write_bytes(data)
    with pytest.raises(AudioError, match="cannot decode"):
        decode(path)


def test_blocks_of_any_size_are_gathered():
    blocks = [np.full((1, size), size, np.float32) for size in (1, 2, 70000, 0, 5)]
    gathered = list(_joined_blocks(iter(blocks)))
    assert [block.shape[1] for block in gathered] == [70003, 5]
    assert np.array_equal(np.concatenate(gathered, axis=1), np.concatenate(blocks, axis=1))


def test_ffmpeg_never_sees_an_exception_of_a_file(tmp_path):
    path = write(tmp_path / "a.wav", tones(0.1))
    with path.open("rb") as file:
        quiet = AvioFile(file)
        assert quiet.seek(-5) < 0
        assert quiet.error is None
        assert quiet.seek(0) == 0
        assert quiet.read(4) == b"RIFF"


def test_a_format_refuses_what_it_cannot_hold(tmp_path):
    with pytest.raises(AudioError, match="at most 2 channels"):
        encode(tmp_path / "out.mp3", tones(0.1, channels=6))
    with pytest.raises(UsageError, match="flac cannot hold float"):
        FORMATS["flac"].subtype_for("FLOAT", "float")
    with pytest.raises(UsageError, match="choose one of wav"):
        output_format("midi")


def test_the_input_depth_is_kept_where_the_format_can():
    assert FORMATS["wav"].subtype_for("PCM_24", None) == "PCM_24"
    assert FORMATS["wav"].subtype_for("FLOAT", None) == "FLOAT"
    assert FORMATS["wav"].subtype_for("PCM_S8", None) == "PCM_U8"
    assert FORMATS["flac"].subtype_for("FLOAT", None) == "PCM_24"
    assert FORMATS["flac"].subtype_for("PCM_16", None) == "PCM_16"
    assert FORMATS["mp3"].subtype_for("PCM_16", None) is None


def test_an_unwritable_place_is_named(tmp_path):
    with pytest.raises(OutputError, match="cannot write wav"):
        encode(tmp_path / "no" / "out.wav", tones(0.1), subtype="PCM_16")


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "m4a", "opus"])
def test_a_full_disk_is_noticed_and_nothing_else_is_printed(suffix, capfd):
    full = pathlib.Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    audio = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 200000)).astype(np.float32)
    form = FORMATS[suffix]
    subtype = "PCM_16" if form.subtypes else None

    def fill():
        with Sink(full, form, sample_rate=48000, channels=2, subtype=subtype, bitrate=256_000) as sink:
            sink.write(audio)
            sink.finish()

    with pytest.raises(OutputError, match="cannot write"):
        fill()
    assert capfd.readouterr().err == ""


def _wave_of_mp3(path):
    """A WAV that holds MPEG audio, with noise in its middle."""
    with av.open(str(path), "w", format="wav") as out:
        stream = audio_stream(out, "libmp3lame", 32000, 2, 64000)
        out.mux(stream.encode(audio_frame(stream, tones(0.5, 32000), 0)))
        out.mux(stream.encode(None))
    data = path.read_bytes()
    path.write_bytes(data[:2000] + np.random.default_rng(0).bytes(700) + data[2700:])


def _sample_dump(path):
    """A MIDI sample dump whose packets have wrong checksums."""
    soundfile.write(path, tones(0.5, 8000, 1).T, 8000, "PCM_16", format="SDS")
    path.write_bytes(path.read_bytes()[:100] + bytes(range(100)) + path.read_bytes()[200:])


@pytest.mark.parametrize(("name", "make"), [("song.wav", _wave_of_mp3), ("song.sds", _sample_dump)])
def test_messages_of_decoders_are_not_printed(tmp_path, capfd, name, make):
    make(tmp_path / name)
    with contextlib.suppress(AudioError):
        decode(tmp_path / name, salvage=True)
    ctypes.CDLL(None).fflush(None)
    assert capfd.readouterr() == ("", "")


def test_negative_lengths_in_headers_count_as_unknown(tmp_path):
    path = tmp_path / "song.wma"
    with av.open(str(path), "w", format="asf") as out:
        stream = audio_stream(out, "wmav2", RATE, 2, 64000)
        out.mux(stream.encode(audio_frame(stream, tones(0.5), 0)))
        out.mux(stream.encode(None))
    data = bytearray(path.read_bytes())
    properties = data.find(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"))
    # Milliseconds before the sound begins, which are taken off its duration.
    data[properties + 80 : properties + 88] = (100_000).to_bytes(8, "little")
    path.write_bytes(data)
    with open_source(path) as source:
        assert source.info.samples is None
        assert source.info.duration is None


def test_unknown_picture_types_do_not_prevent_decoding(tmp_path):
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w", format="mp4") as out:
        pictures = out.add_stream("mpeg4", rate=10)
        pictures.width = pictures.height = 16
        sound = audio_stream(out, "aac", RATE, 2, 64000)
        picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))
        out.mux(pictures.encode(picture))
        out.mux(pictures.encode(None))
        out.mux(sound.encode(audio_frame(sound, tones(0.5), 0)))
        out.mux(sound.encode(None))
    path.write_bytes(path.read_bytes().replace(b"mp4v", b"none").replace(b"esds", b"none", 1))
    assert decode(path).shape[1] >= RATE // 2
    assert has_video(path)
