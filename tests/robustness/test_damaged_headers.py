"""Headers that are wrong, empty or absent, joined files, other data around: damaged is only what does not decode."""

import pathlib
import re
import shutil
import struct
import subprocess

import av
import numpy as np
import pytest
import soundfile
from conftest import RATE, read, tones, vocalsep, write

from vocalsep.audio.decoding import open_source
from vocalsep.audio.format_converter import mixing_matrix
from vocalsep.audio.formats import FORMATS
from vocalsep.audio.gap_detector import LONGEST_FILL_S, GapDetector
from vocalsep.audio.joined_files import find_joined_files
from vocalsep.audio.sink import Sink, audio_frame, audio_stream
from vocalsep.datasets.clips import open_clip
from vocalsep.errors import AudioError, DamagedError

AUDIO = tones(3.0)
ID3 = b"ID3\4\0\0\0\0\x10\0" + bytes(2048)
RANDOM = np.random.default_rng(0).bytes(20_000)
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the ffmpeg program makes these files")


def decode(path: pathlib.Path, salvage: bool = False) -> tuple[np.ndarray, str]:
    """Return the samples of a file, and the remarks about it."""
    with open_source(path, salvage) as source:
        samples = np.concatenate([*source.blocks(), np.zeros((source.info.channels, 0), np.float32)], axis=1)
        return samples, "; ".join([*source.remarks, source.damaged]).strip("; ")


def encode(path: pathlib.Path, codec: str, container: str, audio: np.ndarray = AUDIO, rate: int = RATE) -> bytes:
    with av.open(str(path), "w", format=container) as out:
        stream = audio_stream(out, codec, rate, len(audio), 128_000)
        out.mux(stream.encode(audio_frame(stream, audio, 0)))
        out.mux(stream.encode(None))
    return path.read_bytes()


def wav(folder: pathlib.Path, subtype: str = "PCM_16", **options) -> bytearray:
    return bytearray(write(folder / "whole.wav", AUDIO, RATE, subtype=subtype, **options).read_bytes())


def with_size(data: bytearray, size: int) -> bytes:
    at = data.index(b"data") + 4
    return bytes(data[:at] + struct.pack("<I", size) + data[at + 4 :])


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("size", ["nothing", "unknown", "streamed", "half", "too much"])
def test_a_wav_of_any_announced_size_is_read_to_its_end(tmp_path, subtype, size):
    data = wav(tmp_path, subtype)
    true = len(data) - data.index(b"data") - 8
    sizes = {"nothing": 0, "unknown": 0xFFFFFFFF, "streamed": 0x7FFFF000, "half": true // 2, "too much": 2 * true}
    path = tmp_path / "song.wav"
    path.write_bytes(with_size(data, sizes[size]))
    decoded, remarks = decode(path)
    assert np.array_equal(decoded, read(tmp_path / "whole.wav", "float32"))
    assert remarks == ("ends 3.0 s before the length that its header gives" if size == "too much" else "")


@pytest.mark.parametrize("where", ["no ds64", "empty ds64"])
def test_an_rf64_without_its_sizes_is_read_to_its_end(tmp_path, where):
    data = wav(tmp_path, format="RF64")
    at = data.index(b"ds64")
    if where == "no ds64":
        data[at : at + 4] = b"JUNK"
    else:
        data[at + 8 : at + 24] = bytes(16)
    path = tmp_path / "song.wav"
    path.write_bytes(data)
    assert np.array_equal(decode(path)[0], read(tmp_path / "whole.wav", "float32"))


def test_chunks_behind_a_wav_of_unknown_size_are_no_sound(tmp_path):
    data = wav(tmp_path)
    info = b"INFOISFT" + struct.pack("<I", 14) + b"a recorder 1.0"
    path = tmp_path / "song.wav"
    path.write_bytes(with_size(data, 0) + b"LIST" + struct.pack("<I", len(info)) + info)
    assert decode(path)[0].shape == AUDIO.shape


def test_an_empty_wav_holds_nothing(tmp_path):
    path = write(tmp_path / "song.wav", AUDIO[:, :0])
    path.write_bytes(path.read_bytes() + b"LIST" + struct.pack("<I", 4) + b"INFO")
    assert decode(path)[0].shape == (2, 0)


@pytest.mark.parametrize(("form", "suffix", "at", "size"), [("AU", "au", 8, 4), ("W64", "w64", None, 8)])
def test_other_formats_without_a_size_in_the_header_are_read(tmp_path, form, suffix, at, size):
    path = tmp_path / f"song.{suffix}"
    soundfile.write(path, AUDIO.T, RATE, "PCM_16", format=form)
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 16 if at is None else at
    data[at : at + size] = bytes(size)
    path.write_bytes(data)
    assert decode(path)[0].shape == AUDIO.shape


def with_total(data: bytes, total: int) -> bytes:
    field = int.from_bytes(data[18:26], "big") >> 36 << 36 | total
    return data[:18] + field.to_bytes(8, "big") + data[26:]


@pytest.fixture(scope="module")
def flac(tmp_path_factory) -> bytes:
    return write(tmp_path_factory.mktemp("flac") / "a.flac", AUDIO, subtype="PCM_16").read_bytes()


@pytest.mark.parametrize("total", [0, 2 * RATE, 5 * RATE])
@pytest.mark.parametrize("behind", [b"", b"TAG" + bytes(125), RANDOM, bytes(20_000)])
def test_flac_with_unknown_or_wrong_length_is_read_completely(tmp_path, flac, total, behind):
    whole, path = tmp_path / "whole.flac", tmp_path / "song.flac"
    whole.write_bytes(flac)
    path.write_bytes(with_total(flac, total) + behind)
    decoded, remarks = decode(path)
    assert np.array_equal(decoded, decode(whole)[0])
    assert bool(remarks) == (total > AUDIO.shape[1])
    with open_source(path) as source:
        assert source.info.samples == AUDIO.shape[1]


def test_truncated_flac_is_damaged_if_shorter_than_its_header(tmp_path, flac):
    path = tmp_path / "song.flac"
    path.write_bytes(flac[: len(flac) * 6 // 10])
    with pytest.raises(AudioError, match="damaged"):
        decode(path)
    kept, _ = decode(path, salvage=True)
    path.write_bytes(with_total(flac, 0)[: len(flac) * 6 // 10])
    decoded, remarks = decode(path)
    assert "last packet is cut off" in remarks
    assert np.array_equal(decoded, kept)
    assert np.array_equal(decoded, np.asarray(read_flac(flac, tmp_path), np.float32)[:, : decoded.shape[1]])
    assert decoded.shape[1] > 1.5 * RATE


def read_flac(data: bytes, folder: pathlib.Path) -> np.ndarray:
    path = folder / "read.flac"
    path.write_bytes(data)
    return read(path)


def test_a_flac_with_a_hole_is_damaged(tmp_path, flac):
    path = tmp_path / "song.flac"
    middle = len(flac) // 2
    path.write_bytes(flac[:middle] + RANDOM[:300] + flac[middle + 300 :])
    with pytest.raises(AudioError, match=r"damaged file, at 1\.. s"):
        decode(path)


@pytest.mark.parametrize("suffix", ["flac", "wav", "ogg", "opus", "m4a"])
def test_joined_files_are_read_completely_in_one_format(tmp_path, suffix):
    form = FORMATS[suffix]
    parts = ((tones(1.5, 48000), 48000), (tones(1.5, 48000, seed=1), 48000), (tones(1.0, 24000, 1), 24000))
    data, single = [], []
    for number, (audio, rate) in enumerate(parts):
        path = tmp_path / f"{number}.{suffix}"
        subtype = None if form.lossy else "PCM_16"
        with Sink(path, form, sample_rate=rate, channels=len(audio), subtype=subtype, bitrate=128_000) as sink:
            sink.write(audio)
            sink.finish()
        data.append(path.read_bytes())
        single.append(decode(path)[0])
    joined = tmp_path / f"joined.{suffix}"
    joined.write_bytes(b"".join(data))
    decoded, remarks = decode(joined)
    same = np.concatenate(single[:2], axis=1)
    assert np.array_equal(decoded[:, : same.shape[1]], same)
    assert decoded.shape == (2, same.shape[1] + single[2].shape[1] * (1 if suffix == "opus" else 2))
    assert np.array_equal(decoded[0, same.shape[1] :], decoded[1, same.shape[1] :])
    assert "2 to 1 channels at 3.0 s" in remarks
    with open_source(joined) as source:
        # An MP4 does not count what fills up its last packet.
        assert 0 <= decoded.shape[1] - source.info.samples <= (6000 if suffix == "m4a" else 0)
    # Two of one length: neither the first nor the last frame, nor the header, tell of the other.
    joined.write_bytes(data[0] * 2)
    assert np.array_equal(decode(joined)[0], np.tile(single[0], 2))


JOINABLE = {
    "au": "pcm_s16be",
    "caf": "pcm_s16be",
    "w64": "pcm_s16le",
    "aiff": "pcm_s16be",
    "voc": "pcm_u8",
    "tta": "tta",
    "wv": "wavpack",
    "wma": "wmav2",
    "flv": "adpcm_swf",
    "nut": "pcm_s16le",
    "rm": "ac3",
    "amr": "libopencore_amrnb",
    "wtv": "mp2",
}
WITHOUT_SIZES = ("nut", "rm", "amr", "wtv")


@needs_ffmpeg
@pytest.mark.parametrize(
    ("suffix", "between"),
    [(suffix, b"") for suffix in JOINABLE] + [(suffix, ID3) for suffix in JOINABLE if suffix not in WITHOUT_SIZES],
)
def test_files_joined_by_cat_are_read_to_the_end(tmp_path, suffix, between):
    singles = []
    for frequency in (440, 880):
        path = tmp_path / f"{frequency}.{suffix}"
        options = ["-ar", "8000", "-ac", "1"] if suffix == "amr" else ["-ar", "44100"]
        sine = ["-f", "lavfi", "-i", f"sine={frequency}:duration=1.5"]
        command = ["ffmpeg", "-v", "error", *sine, *options, "-c:a", JOINABLE[suffix], path]
        if subprocess.run(command, stderr=subprocess.DEVNULL).returncode:
            pytest.skip(f"this ffmpeg program cannot write {suffix}")
        singles.append(path)
    joined = tmp_path / f"joined.{suffix}"
    joined.write_bytes(between.join(path.read_bytes() for path in singles))
    decoded, remarks = decode(joined, salvage=True)
    expected = np.concatenate([decode(path)[0] for path in singles], axis=1)
    assert np.array_equal(decoded, expected)
    assert not remarks


@needs_ffmpeg
@pytest.mark.parametrize("suffix", ["mp4", "flv"])
def test_only_the_first_of_joined_videos_is_read_with_a_remark(tmp_path, suffix):
    path = tmp_path / f"song.{suffix}"
    inputs = ["-f", "lavfi", "-i", "testsrc=duration=1:size=64x64", "-f", "lavfi", "-i", "sine=440:duration=1"]
    subprocess.run(["ffmpeg", "-v", "error", *inputs, "-c:a", "aac", path], check=True)
    single = decode(path)[0]
    path.write_bytes(path.read_bytes() * 2)
    decoded, remarks = decode(path)
    assert np.array_equal(decoded, single)
    assert "consists of 2 videos that were joined: only the first is read" in remarks


def test_damaged_files_raise_their_own_error_with_path_and_hint(tmp_path, flac):
    path = tmp_path / "song.flac"
    path.write_bytes(flac[: len(flac) // 2])
    with pytest.raises(DamagedError) as caught:
        decode(path)
    assert caught.value.path == str(path)
    assert caught.value.reason.startswith("damaged file, at ")
    assert caught.value.hint == "salvage=True takes what can be decoded"


@pytest.mark.parametrize(
    ("codec", "container"), [("libmp3lame", "mp3"), ("mp2", "mp2"), ("aac", "adts"), ("ac3", "ac3"), ("aac", "mpegts")]
)
def test_raw_streams_that_change_format_stay_in_the_first(tmp_path, codec, container):
    one = encode(tmp_path / "one", codec, container, tones(2.0, 48000, 2), 48000)
    other = encode(tmp_path / "other", codec, container, tones(2.0, 44100, 1), 44100)
    path = tmp_path / "joined"
    path.write_bytes(one + other)
    decoded, remarks = decode(path)
    assert decoded.shape[0] == 2
    # Codecs fill up their last packet, and keep a delay at their start.
    assert 4 * 48000 - 1500 <= decoded.shape[1] <= 4 * 48000 + 6000
    assert "damaged" not in remarks
    assert "48000 Hz and 2 channels" in remarks
    assert np.abs(decoded[:, -48000:]).max() > 0.1


def test_mono_mixtures_keep_their_level_below_full_scale():
    assert np.allclose(mixing_matrix("mono", 1, "stereo", 2), [[1], [1]])
    assert np.allclose(mixing_matrix("stereo", 2, "mono", 1), [[0.5, 0.5]])
    down = mixing_matrix("5.1", 6, "stereo", 2)
    assert np.abs(down).sum(axis=1).max() <= 1 + 1e-6
    assert down[0, 0] > down[0, 2] > 0
    assert down[0, 1] == 0
    assert np.allclose(mixing_matrix("stereo", 2, "5.1", 6)[:2], np.eye(2))
    assert mixing_matrix("4 channels", 4, "stereo", 2).shape == (2, 4)


def _ape(size: int) -> bytes:
    def block(flags: int) -> bytes:
        fields = (2000, size + 32, 1, 1 << 31 | flags, 0, 0)
        return b"APETAGEX" + struct.pack("<6I", *fields)

    return block(1 << 29) + RANDOM[:size] + block(0)


LYRICS = b"LYRICSBEGININD00002" + b"11"
BEHIND = {
    "id3v1": b"TAG" + bytes(125),
    "ape": _ape(20_000),
    "ape, lyrics, id3v1": _ape(5000) + LYRICS + b"%06dLYRICS200" % len(LYRICS) + b"TAG" + bytes(125),
}


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("counted", [True, False])
def test_tags_after_an_mp3_give_no_remark(tmp_path, behind, counted):
    data = encode(tmp_path / "whole.mp3", "libmp3lame", "mp3")
    if not counted:
        data = data.replace(b"Info", b"none").replace(b"Xing", b"none")
    whole, path = tmp_path / "plain.mp3", tmp_path / "song.mp3"
    whole.write_bytes(data)
    path.write_bytes(data + BEHIND[behind])
    decoded, remarks = decode(path)
    assert remarks == ""
    assert np.array_equal(decoded, decode(whole)[0])
    assert find_joined_files(path)[0].stop == len(data)


@pytest.mark.parametrize(("codec", "container"), [("libmp3lame", "mp3"), ("aac", "adts"), ("ac3", "ac3")])
@pytest.mark.parametrize("behind", [RANDOM, bytes(20_000), b"\xff\xd8\xff" + RANDOM])
def test_other_data_behind_a_stream_is_no_damage(tmp_path, codec, container, behind):
    data = encode(tmp_path / "whole", codec, container)
    path = tmp_path / f"song.{container}"
    path.write_bytes(data + behind)
    decoded, remarks = decode(path)
    assert "damaged" not in remarks
    whole = decode(tmp_path / "whole")[0]
    assert np.array_equal(decoded[:, : whole.shape[1] - 2048], whole[:, :-2048])
    assert abs(decoded.shape[1] - whole.shape[1]) <= 1536


def test_a_stream_with_holes_is_damaged(tmp_path):
    data = encode(tmp_path / "whole.mp3", "libmp3lame", "mp3")
    path = tmp_path / "song.mp3"
    path.write_bytes(b"".join(data[at : at + 3000] + RANDOM[:1500] for at in range(0, len(data), 4500)))
    with pytest.raises(AudioError, match="packets cannot be decoded; salvage=True"):
        decode(path)


def test_an_mp3_that_ends_before_its_count_is_no_damage(tmp_path):
    data = encode(tmp_path / "whole.mp3", "libmp3lame", "mp3")
    path = tmp_path / "song.mp3"
    path.write_bytes(data[: len(data) // 3])
    decoded, remarks = decode(path)
    assert decoded.shape[1] == pytest.approx(RATE, abs=3000)
    assert re.fullmatch(r"ends 2\.[01] s before the length that its header gives", remarks)


@pytest.mark.parametrize("front", [ID3, ID3 * 2, bytes(5000), bytes(300) + ID3])
@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff", "ogg", "mp3"])
def test_songs_after_tags_and_zeros_are_read(tmp_path, front, suffix):
    whole = write(tmp_path / f"whole.{suffix}", AUDIO)
    path = tmp_path / f"song.{suffix}"
    path.write_bytes(front + whole.read_bytes())
    decoded, remarks = decode(path)
    assert remarks == ""
    assert np.array_equal(decoded, decode(whole)[0])


def drop(source: pathlib.Path, target: pathlib.Path, which) -> None:
    """Copy a file without the packets of which `which` takes the number and the time in seconds."""
    with av.open(str(source)) as given, av.open(str(target), "w") as out:
        stream = given.streams.audio[0]
        copy = out.add_stream_from_template(stream)
        for number, packet in enumerate(given.demux(stream)):
            if packet.dts is not None and not which(number, float(packet.pts * packet.time_base)):
                packet.stream = copy
                out.mux(packet)


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("mp4", "aac"), ("mkv", "libopus"), ("mka", "flac"), ("ts", "ac3"), ("flv", "aac"), ("nut", "mp2")],
)
@pytest.mark.parametrize("few", [True, False])
def test_gaps_in_the_timestamps_are_filled_with_silence(tmp_path, suffix, codec, few):
    container = {"mkv": "matroska", "mka": "matroska", "ts": "mpegts"}.get(suffix, suffix)
    whole, path = tmp_path / f"whole.{suffix}", tmp_path / f"song.{suffix}"
    rate = 44100 if suffix == "flv" else 48000
    encode(whole, codec, container, tones(4.0, rate), rate)
    drop(whole, path, (lambda _, time: 1.5 < time < 2.3) if few else (lambda number, _: number % 15 == 14))
    truth, plain = decode(whole)
    decoded, remarks = decode(path)
    assert plain == ""
    assert abs(decoded.shape[1] - truth.shape[1]) < 0.06 * rate
    # Far behind the gaps the sound is where it was.
    tail = slice(int(3.2 * rate), int(3.6 * rate))
    lags = range(-300, 301)
    fits = [float((decoded[0, tail.start + lag : tail.stop + lag] * truth[0, tail]).sum()) for lag in lags]
    assert abs(lags[int(np.argmax(fits))]) <= rate // 400
    assert ("has a gap" if few else " gaps in its sound") in remarks


def frames(*times: float | None, seconds: float = 0.02) -> list[float]:
    timeline = GapDetector()
    following = [*times[1:], None]
    return [timeline.gap_before(time, seconds, after) for time, after in zip(times, following, strict=True)]


def test_only_steps_that_last_are_gaps():
    assert frames(1.0, 1.02, 1.5, 1.52) == pytest.approx([0, 0, 0.46, 0])
    assert frames(0.0, 0.02, None, 0.06, 0.58) == pytest.approx([0, 0, 0, 0, 0.5])
    # rounded to milliseconds, one time that is wrong, a clock that runs ahead slowly
    assert not any(frames(0.0, 0.021, 0.039, 0.061, 0.08))
    assert not any(frames(0.0, 0.02, 0.06, 0.06, 0.08, 0.10))
    assert not any(frames(*(number * 0.0205 for number in range(400))))
    # a clock that restarts, before or far behind
    assert not any(frames(5.0, 5.02, 0.0, 0.02, 0.04))
    assert not any(frames(5.0, 5.02, 90_000.0, 90_000.02))
    assert sum(frames(*(number * 100.0 for number in range(50)))) <= LONGEST_FILL_S


def test_transport_stream_with_restarted_clock_is_not_padded(tmp_path):
    data = encode(tmp_path / "one.ts", "ac3", "mpegts", tones(2.0, 48000), 48000)
    path = tmp_path / "joined.ts"
    path.write_bytes(data * 3)
    decoded, remarks = decode(path)
    assert remarks == ""
    assert decoded.shape[1] == pytest.approx(6 * 48000, abs=6000)


def test_an_mp4_whose_index_goes_beyond_its_end_is_damaged(tmp_path):
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="ipod", options={"movflags": "faststart"}) as out:
        stream = audio_stream(out, "aac", RATE, 2, 128_000)
        out.mux(stream.encode(audio_frame(stream, AUDIO, 0)))
        out.mux(stream.encode(None))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(AudioError, match="cut short"):
        decode(path)
    assert 1.5 * RATE < decode(path, salvage=True)[0].shape[1] < 2.5 * RATE
    box = data.index(b"mdhd")
    wrong = bytearray(data)
    wrong[box + 20 : box + 24] = struct.pack(">I", 9 * RATE)
    path.write_bytes(wrong)
    assert decode(path)[0].shape[1] >= AUDIO.shape[1]


def test_truncated_stems_are_excluded_from_training_and_scores(tmp_path):
    path = write(tmp_path / "stem.wav", AUDIO)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    clip = open_clip(path)
    assert clip.samples == AUDIO.shape[1]
    with pytest.raises(AudioError, match="damaged"):
        clip.read()


def _m4a(folder: pathlib.Path) -> bytes:
    return encode(folder / "whole.m4a", "aac", "ipod")


def _protected_wma(folder: pathlib.Path) -> bytes:
    data = bytearray(encode(folder / "whole.wma", "wmav2", "asf"))
    drm_reason = bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e") + struct.pack("<QQ", 32, 0)
    data[16:24] = struct.pack("<Q", struct.unpack("<Q", data[16:24])[0] + len(drm_reason))
    data[24:28] = struct.pack("<I", struct.unpack("<I", data[24:28])[0] + 1)
    return bytes(data[:30] + drm_reason + data[30:])


REFUSED = {
    "drms.m4p": (lambda folder: _m4a(folder).replace(b"mp4a", b"drms", 1), "DRM"),
    "enca.mp4": (lambda folder: _m4a(folder).replace(b"mp4a", b"enca", 1), "DRM"),
    "aavd.aax": (lambda folder: _m4a(folder).replace(b"mp4a", b"aavd", 1), "DRM"),
    "song.wma": (_protected_wma, "DRM"),
    "book.aa": (lambda _: b"\0\0\1\0\x57\x90\x75\x36" + RANDOM, "DRM"),
    "broken.m4a": (lambda folder: _m4a(folder)[:20_000], "broke off"),
    "song.mid": (lambda _: b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk", "MIDI"),
    "list.m3u8": (lambda _: b"#EXTM3U\nsong.mp3\n", "playlist"),
    "song.mp3": (lambda _: b"\n<!DOCTYPE html><html>no such song</html>", "web page"),
    "songs.wav": (lambda _: b"PK\3\4" + RANDOM, "archive"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_named(tmp_path, name):
    make, words = REFUSED[name]
    path = tmp_path / name
    path.write_bytes(make(tmp_path))
    with pytest.raises(AudioError, match=words):
        open_source(path)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("song.mxf", "-f lavfi -i testsrc=s=320x240:r=25:d=1 -ar 48000"),
        ("song.dv", "-f lavfi -i testsrc=s=720x576:r=25:d=1 -pix_fmt yuv420p -ar 48000 -c:a pcm_s16le -shortest"),
        ("song.rm", "-c:a ac3 -f rm"),
        ("song.nut", "-c:a pcm_s16le"),
        ("song.loas", "-c:a aac -f latm"),
        ("song.voc", "-c:a pcm_s16le"),
        ("song.tta", "-c:a tta"),
        ("song.thd", "-c:a truehd -strict -2"),
    ],
)
def test_less_common_containers_are_read(tmp_path, name, options):
    song = write(tmp_path / "song.wav", tones(1.0))
    path = tmp_path / name
    inputs = ["-i", song, *options.split()]
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", *map(str, inputs), str(path)], check=True)
    decoded, remarks = decode(path)
    assert remarks == ""
    with open_source(path) as source:
        assert decoded.shape[1] / source.info.sample_rate == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("rate", [4000, 100_001, 384_000])
@pytest.mark.parametrize("form", list(FORMATS))
def test_rates_from_4_to_384_khz_go_into_every_format(tmp_path, rate, form):
    audio = tones(0.5, rate)
    path = tmp_path / f"out.{form}"
    subtype = None if FORMATS[form].lossy else "PCM_16"
    with Sink(path, FORMATS[form], sample_rate=rate, channels=2, subtype=subtype, bitrate=128_000) as sink:
        sink.write(audio)
        sink.finish()
    with open_source(path) as source:
        written = source.info.sample_rate
        seconds = sum(block.shape[1] for block in source.blocks()) / written
    assert written == FORMATS[form].rate_for(rate)
    assert written == rate or form != "wav"
    assert seconds == pytest.approx(0.5, abs=1100 / written)


def test_split_goes_through_with_a_remark(tmp_path):
    one, other = (write(tmp_path / f"{name}.ogg", tones(1.0, seed=seed)) for seed, name in enumerate("ab"))
    mono = write(tmp_path / "c.ogg", tones(1.0, 22050, 1), 22050)
    chain = tmp_path / "chain.ogg"
    chain.write_bytes(one.read_bytes() + other.read_bytes() + mono.read_bytes())
    pipe = with_total(write(tmp_path / "pipe.flac", AUDIO, subtype="PCM_16").read_bytes(), 0)
    done = vocalsep("split", chain, "-o", tmp_path / "out", "-q")
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"2 to 1 channels at 2.0 s" in done.stderr
    assert read(tmp_path / "out/chain/vocals.wav").shape == (2, 3 * RATE)
    done = vocalsep("split", "-", "-o", tmp_path / "out", "-q", stdin=pipe)
    assert (done.returncode, done.stderr) == (0, b"")
    assert read(tmp_path / "out/stdin/vocals.wav").shape == AUDIO.shape


@pytest.mark.parametrize("rate", [4000, 384_000])
def test_the_library_separates_at_the_ends_of_the_range(separator, rate):
    mixture = tones(0.5, rate)
    vocals, accompaniment = separator.separate(mixture, rate)
    assert np.allclose(vocals + accompaniment, mixture, atol=1e-6)
    with pytest.raises(AudioError, match="4000 to 384000"):
        separator.separate(mixture, rate * 2 if rate > 4000 else 3999)
