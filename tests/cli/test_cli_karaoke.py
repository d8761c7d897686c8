"""Karaoke tracks, sound and video, through the real command line."""

import pathlib
from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile
from conftest import RATE, read, tones, vocalsep, write


@pytest.fixture
def song(tmp_path):
    return write(tmp_path / "song.wav", tones(2.0), subtype="PCM_16")


@pytest.fixture
def split_stems(tmp_path, song):
    assert vocalsep("split", song, "-o", tmp_path / "split").returncode == 0
    return {stem: read(tmp_path / "split" / "song" / f"{stem}.wav") for stem in ("vocals", "accompaniment")}


def karaoke(song: pathlib.Path, out: pathlib.Path, *options: object) -> np.ndarray:
    done = vocalsep("karaoke", song, "-o", out, *options)
    assert done.returncode == 0, done.stderr.decode()
    return read(out / f"{song.stem} (karaoke).wav")


def test_the_karaoke_track_is_the_accompaniment(tmp_path, song, split_stems):
    assert np.array_equal(karaoke(song, tmp_path / "k"), split_stems["accompaniment"])


@pytest.mark.parametrize("level", [-120, -12, 0])
def test_a_guide_vocal_of_any_level(tmp_path, song, split_stems, level):
    gain = 0 if level == -120 else 10 ** (level / 20)
    expected = split_stems["accompaniment"] + gain * split_stems["vocals"]
    assert np.abs(karaoke(song, tmp_path / "k", "--vocals", level) - expected).max() <= 1 / 32768
    if level == 0:
        assert np.array_equal(karaoke(song, tmp_path / "k2", "--vocals", 0), read(song))


def test_key_keeps_the_length_and_tempo_changes_it(tmp_path, song):
    assert karaoke(song, tmp_path / "up", "--key", 2).shape == (2, 2 * RATE)
    assert karaoke(song, tmp_path / "slow", "--tempo", 80).shape == (2, round(2 * RATE / 0.8))


def _video(path: pathlib.Path, seconds: int = 2, sound_seconds: int | None = None) -> pathlib.Path:
    """A film with a moving picture and two audio channels."""
    webm = path.suffix == ".webm"
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libvpx" if webm else "mpeg4", rate=25)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("libopus" if webm else "aac", rate=48000)
        for number in range(25 * seconds):
            image = np.full((48, 64, 3), number * 4 % 256, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
        audio = tones(sound_seconds or seconds, 48000)
        frame = av.AudioFrame.from_ndarray(audio, format="fltp", layout="stereo")
        frame.sample_rate = 48000
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path


def _packets(path: pathlib.Path) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [(float(p.pts * p.time_base), bytes(p)) for p in container.demux(stream) if p.pts is not None]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm"])
def test_a_video_keeps_its_picture_and_gets_other_sound(tmp_path, suffix):
    film = _video(tmp_path / f"film{suffix}")
    done = vocalsep("karaoke", film, "-o", tmp_path / "k")
    assert done.returncode == 0, done.stderr.decode()
    made = tmp_path / "k" / f"film (karaoke){suffix}"
    before, after = _packets(film), _packets(made)
    assert [data for _, data in before] == [data for _, data in after]
    assert np.allclose([at for at, _ in before], [at for at, _ in after], atol=0.002)
    lengths = []
    for path in (film, made):
        with av.open(str(path)) as container:
            lengths.append(sum(frame.samples for frame in container.decode(audio=0)))
            title = container.metadata.get("title", "")
    # a packet of AAC holds 1024 samples; Matroska does not say which of the first packet's to pass over
    assert 0 <= lengths[1] - lengths[0] <= 1024
    assert title.endswith("(Karaoke)")
    assert sorted(p.name for p in (tmp_path / "k").iterdir()) == [made.name]


def test_a_picture_may_outlast_the_sound(tmp_path):
    film = _video(tmp_path / "film.mkv", seconds=5, sound_seconds=1)
    done = vocalsep("karaoke", film, "-o", tmp_path / "k")
    assert done.returncode == 0, done.stderr.decode()
    assert [data for _, data in _packets(film)] == [data for _, data in _packets(tmp_path / "k" / "film (karaoke).mkv")]


def test_the_sound_of_a_video_alone(tmp_path):
    film = _video(tmp_path / "film.mp4")
    assert vocalsep("karaoke", film, "-o", tmp_path, "--format", "flac").returncode == 0
    assert soundfile.info(tmp_path / "film (karaoke).flac").samplerate == 48000


def test_the_tempo_of_a_video_is_refused(tmp_path):
    film = _video(tmp_path / "film.mp4")
    done = vocalsep("karaoke", film, "-o", tmp_path, "--tempo", 90)
    assert done.returncode == 2
    assert b"--tempo would part sound and picture" in done.stderr
