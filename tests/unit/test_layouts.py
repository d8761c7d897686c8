"""Channel layouts keep their names and each channel its place, whatever the format; or are refused beforehand."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from conftest import tones, vocalsep, write

from vocalsep import AudioError
from vocalsep.audio.decoding import open_source
from vocalsep.audio.formats import FORMATS
from vocalsep.audio.key_tempo import KeyTempo
from vocalsep.audio.layouts import LAYOUTS, channel_groups, channel_mask, layout_of_mask, name_and_order
from vocalsep.audio.sink import Sink
from vocalsep.audio.source import MOST_CHANNELS
from vocalsep.datasets.clips import open_clip

RATE = 48000
FFMPEG = shutil.which("ffmpeg")
# Ogg's codecs have one layout for each number of channels.
OTHERS = {"2.1", "3.0(back)", "4.0", "3.1", "4.1", "6.0", "6.0(front)", "hexagonal", "6.1(front)", "7.0", "7.0(front)"}
OTHERS |= {"7.1(wide)", "7.1(wide-side)", "octagonal"}
REFUSED = {"wav": set(), "flac": set(), "ogg": OTHERS, "opus": OTHERS, "m4a": {"6.0(front)"}}
needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="needs the ffmpeg program")


def _tone_each(layout: str) -> np.ndarray:
    """A quarter of a second with another tone on each channel; encoders leave nothing but the bass of an LFE."""
    time = np.arange(RATE // 4) / RATE
    pitches = [80 if name == "LFE" else 320 + 160 * place for place, name in enumerate(LAYOUTS[layout])]
    return np.array([0.2 * np.sin(2 * np.pi * pitch * time) for pitch in pitches], np.float32)


def _pitches(audio: np.ndarray) -> list[int]:
    return [16 * round(np.abs(np.fft.rfft(channel, RATE)).argmax() / 16) for channel in audio[:, 2000:10000]]


def _written(tmp_path, form, layout, audio):
    path = tmp_path / f"x{form.suffix}"
    options = {"sample_rate": RATE, "channels": len(audio), "subtype": form.subtype_for("PCM_16", None)}
    with Sink(path, form, **options, bitrate=256_000, layout=layout) as sink:
        sink.write(audio)
        sink.finish()
    return path


def _probed(path) -> tuple[str, np.ndarray]:
    """Channel layout and samples as the ffmpeg programs give them."""
    fields = "stream=channel_layout,channels"
    probe = ["ffprobe", "-v", "error", "-select_streams", "a:0", "-show_entries", fields, "-of", "json", path]
    output = subprocess.check_output(probe)
    stream = json.loads(output)["streams"][0]
    raw = subprocess.check_output([FFMPEG, "-v", "error", "-i", path, "-map", "0:a:0", "-f", "f32le", "-"])
    return stream.get("channel_layout", ""), np.frombuffer(raw, np.float32).reshape(-1, stream["channels"]).T


@needs_ffmpeg
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["wav", "flac", "ogg", "opus", "m4a"])
def test_each_channel_keeps_its_place(tmp_path, name, layout):
    form, audio = FORMATS[name], _tone_each(layout)
    if layout in REFUSED[name]:
        with pytest.raises(AudioError, match=re.escape(f"({layout}); use wav, flac")):
            _written(tmp_path, form, layout, audio)
        return
    fitted = form.map_channels(len(audio), layout)
    path = _written(tmp_path, form, layout, audio)
    expected = [_pitches(audio)[place] for place in fitted.order]
    probed, decoded = _probed(path)
    assert _pitches(decoded) == expected
    with open_source(path) as source:
        assert _pitches(np.concatenate(list(source.blocks()), axis=1)) == expected
        found = source.info.layout
    # A plain WAV says nothing of one and two channels.
    if fitted.named and len(audio) > 2:
        assert probed == fitted.layout
        assert found == fitted.layout
    if name in ("wav", "flac"):
        assert fitted.layout == layout


@pytest.mark.parametrize("layout", ["3.0", "5.1", "7.1"])
def test_excerpts_of_ogg_have_the_channel_order_of_the_whole(tmp_path, layout):
    path = tmp_path / "song.ogg"
    audio = np.stack([tones(2.0, RATE, seed=channel)[0] for channel in range(len(LAYOUTS[layout]))])
    with Sink(
        path, FORMATS["ogg"], sample_rate=RATE, channels=len(audio), subtype=None, bitrate=192_000, layout=layout
    ) as sink:
        sink.write(audio)
        sink.finish()
    clip = open_clip(path)
    assert clip.seekable
    with open_source(path) as source:
        whole = np.concatenate(list(source.blocks()), axis=1)
    excerpt = clip.read(20_000, 30_000)
    assert np.abs(excerpt - whole[:, 20_000:50_000]).max() < 1e-4


@pytest.mark.parametrize("channels", range(1, MOST_CHANNELS + 1))
@pytest.mark.parametrize("name", FORMATS)
def test_every_number_of_channels_works_or_is_refused(separator, tmp_path, name, channels):
    song = write(tmp_path / "song.wav", tones(0.3, RATE, channels), RATE)
    if channels > FORMATS[name].channels:
        with pytest.raises(AudioError, match=f"holds at most 2 channels, not {channels}; use wav"):
            separator.separate_file(song, tmp_path / "out", format=name)
        assert not (tmp_path / "out").exists()
        return
    for path in separator.separate_file(song, tmp_path / "out", format=name).values():
        with open_source(path) as source:
            assert sum(block.shape[1] for block in source.blocks()) >= 0.3 * RATE
            assert source.info.channels == channels


@needs_ffmpeg
@pytest.mark.parametrize("layout", ["7.1", "6.1", "5.1(side)", "5.0", "2.1", "4.0", "quad"])
def test_split_keeps_the_layout(separator, tmp_path, layout):
    audio = _tone_each(layout)
    song = _written(tmp_path, FORMATS["wav"], layout, audio)
    for name in ("wav", "flac"):
        for path in separator.separate_file(song, tmp_path / name, format=name).values():
            assert _probed(path)[0] == layout


@needs_ffmpeg
@pytest.mark.parametrize("kind", ["mkv", "webm", "mp4"])
def test_videos_with_eight_channels(tmp_path, kind):
    sound = _written(tmp_path, FORMATS["wav"], "7.1", np.tile(_tone_each("7.1"), 4))
    film = tmp_path / f"film.{kind}"
    picture = ["-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=1"]
    codecs = ["-c:v", "libvpx", "-c:a", "libopus"] if kind == "webm" else ["-c:v", "mpeg4", "-c:a", "aac"]
    subprocess.run([FFMPEG, "-v", "error", *picture, "-i", sound, *codecs, film], check=True)
    done = vocalsep("karaoke", film, "-o", tmp_path / "out", "-q")
    assert done.returncode == 0, done.stderr
    layout, audio = _probed(tmp_path / "out" / f"film (karaoke).{kind}")
    assert layout == "7.1"
    assert audio.shape[0] == 8


@needs_ffmpeg
@pytest.mark.parametrize("layout", ["7.1", "6.1", "5.1"])
@pytest.mark.parametrize(
    ("codec", "suffix"), [("pcm_s16le", "mov"), ("aac", "m4a"), ("wavpack", "wv"), ("flac", "mkv")]
)
def test_planes_and_orders_that_pyav_frees_or_counts_wrong(tmp_path, layout, codec, suffix):
    song = _written(tmp_path, FORMATS["wav"], layout, _tone_each(layout))
    path = tmp_path / f"song.{suffix}"
    subprocess.run([FFMPEG, "-v", "error", "-i", song, "-c:a", codec, path], check=True)
    for _ in range(3):
        with open_source(path) as source:
            audio = np.concatenate(list(source.blocks()), axis=1)
            assert source.info.layout == ("" if (layout, codec) == ("6.1", "aac") else layout)
        expected = _pitches(_tone_each(layout))
        # QuickTime has the sides before the back, which FFmpeg 5 did not observe.
        assert sorted(_pitches(audio)) == sorted(expected)
        if suffix != "mov":
            assert _pitches(audio) == expected


def test_masks_and_pairs():
    for layout, speakers in LAYOUTS.items():
        if len(speakers) > 2:
            assert layout_of_mask(channel_mask(layout, len(speakers)), len(speakers)) == layout
    assert layout_of_mask(0, 6) == layout_of_mask(0x3F, 5) == ""
    assert name_and_order("8 channels", ("FL", "FR", "FC", "LFE", "SL", "SR", "BL", "BR")) == (
        "7.1",
        [0, 1, 2, 3, 6, 7, 4, 5],
    )
    assert name_and_order("3 channels", ("NONE",) * 3) == ("", None)
    assert channel_groups("6.1(back)", 7) == ((0, 1), (2,), (3,), (4, 5), (6,))
    assert channel_groups("4.0", 4) == ((0, 1), (2,), (3,))
    assert channel_groups("7.0", 7) == ((0, 1), (2,), (3, 4), (5, 6))
    assert channel_groups("", 7) == ((0, 1), (2,), (3,), (4,), (5, 6))


@pytest.mark.parametrize("channels", range(1, MOST_CHANNELS + 1))
def test_key_and_tempo_of_any_number_of_channels(channels):
    shift = KeyTempo(channels, RATE, 0, 80)
    audio = np.tile(_tone_each("7.1")[:channels], 4)
    slower = np.concatenate([shift.push(audio), shift.flush()], axis=1)
    assert slower.shape == (channels, audio.shape[1] * 100 // 80)
    assert np.abs(np.subtract(_pitches(slower), _pitches(audio))).max() <= 16
