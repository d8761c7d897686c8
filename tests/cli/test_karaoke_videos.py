"""Karaoke videos through the real command line: their pictures and sound are read back."""

import itertools
import pathlib
import shutil
import subprocess

import av
import numpy as np
import pytest
from conftest import RATE, tones, vocalsep, write
from test_cli_karaoke import _packets, _video
from test_tags import png

from vocalsep.audio.formats import FORMATS
from vocalsep.errors import DiskFullError
from vocalsep.inference.engine import Engine
from vocalsep.jobs.outputs import Encoding, OutputSpec, StemMix, WriteOptions
from vocalsep.jobs.rendering import render
from vocalsep.karaoke_video import MovingPicture, VideoContent, VideoSettings, write_karaoke_video
from vocalsep.lyrics import parse_lrc
from vocalsep.tags import Picture, Tags, write_tags

# The second line is much wider than the first.
LRC = "[00:01.00]<00:01.00>lala <00:02.00>lala<00:03.00>\n[00:03.00]WWWWWW WWWWWW\n[00:04.50]\n"
SECONDS = 5.0
SIZE = ("--size", "320x180")


def make(song: pathlib.Path, out: pathlib.Path, *options: object, words: str = "") -> tuple[pathlib.Path, str]:
    """Make a karaoke video and return it with what was said."""
    done = vocalsep("karaoke", song, "-o", out, "--video", *SIZE, *options)
    assert done.returncode == 0, done.stderr.decode()
    assert words in done.stderr.decode()
    made = out / f"{song.stem} (karaoke).mp4"
    assert list(out.iterdir()) == [made]
    return made, done.stderr.decode()


def pictures(path: pathlib.Path) -> list[tuple[float, np.ndarray]]:
    with av.open(str(path)) as video:
        return [(frame.time, frame.to_ndarray(format="rgb24").astype(np.int16)) for frame in video.decode(video=0)]


def sound(path: pathlib.Path) -> np.ndarray:
    with av.open(str(path)) as video:
        return np.concatenate([frame.to_ndarray() for frame in video.decode(audio=0)], axis=1)


def columns(picture: np.ndarray, colour: str) -> int:
    """Number of columns in the rows of the current line that hold white, or the yellow of what is sung."""
    line = picture[picture.shape[0] // 2 : picture.shape[0] * 3 // 4]
    red, green, blue = line[..., 0], line[..., 1], line[..., 2]
    kinds = {"white": (red > 190) & (blue > 190), "yellow": (red > 190) & (green > 140) & (blue < 130)}
    return int(kinds[colour].any(axis=0).sum())


def sung_and_unsung(path: pathlib.Path) -> dict[float, tuple[int, int]]:
    return {round(time, 3): (columns(one, "yellow"), columns(one, "white")) for time, one in pictures(path)}


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    path = write(folder / "song.flac", tones(SECONDS), subtype="PCM_16")
    write_tags(path, Tags({"title": ("Title",), "artist": ("Artist",)}, (Picture(png(), "image/png"),)))
    (folder / "song.lrc").write_text(LRC)
    return path


@pytest.fixture(scope="module")
def made(song, tmp_path_factory):
    return make(song, tmp_path_factory.mktemp("video") / "out", words="words from song.lrc")[0]


def test_the_sound_is_the_karaoke_track(song, made, tmp_path):
    assert vocalsep("karaoke", song, "-o", tmp_path, "--format", "m4a").returncode == 0
    expected = sound(tmp_path / "song (karaoke).m4a")
    assert np.array_equal(sound(made), expected)
    assert 0 <= expected.shape[1] - SECONDS * RATE < 1024
    with av.open(str(made)) as video:
        assert (video.metadata["title"], video.metadata["artist"]) == ("Title (Karaoke)", "Artist")
        assert video.streams.video[0].codec_context.name == "h264"
        assert video.streams.video[0].average_rate == 25
        assert [video.streams[index].start_time for index in (0, 1)] == [0, 0]


def test_each_line_is_shown_and_sung_at_its_time(made):
    shown = sung_and_unsung(made)
    assert list(shown) == [round(number / 25, 3) for number in range(round(25 * SECONDS))]
    narrow, wide = shown[0.96][1], shown[4.0][0]
    assert 0 < narrow < wide / 1.5
    # The frame at the very time of a line is the first that shows it.
    assert shown[0.96][0] == 0 < shown[1.24][0]
    assert shown[2.96][0] <= narrow < shown[3.0][0] == wide
    assert shown[1.48][0] < shown[2.0][0] < shown[2.48][0]
    assert shown[2.0][0] == pytest.approx(narrow / 2, rel=0.25)
    assert shown[4.48] != (0, 0) == shown[4.52]


def test_unlike_pictures_are_few(made):
    """Between words nothing is drawn anew."""
    frames = [one for time, one in pictures(made) if 3.2 < time < 4.4]
    assert max(np.abs(before - after).max() for before, after in itertools.pairwise(frames)) < 12


def test_words_follow_tempo_and_passages(song, tmp_path):
    slow = sung_and_unsung(make(song, tmp_path / "slow", "--tempo", 50, "--key", 1)[0])
    assert len(slow) == round(25 * SECONDS * 2)
    assert slow[5.96][0] < slow[6.0][0]
    part = sung_and_unsung(make(song, tmp_path / "part", "--start", 2, "--duration", 2)[0])
    assert len(part) == 50
    assert part[0.96][0] < part[1.0][0]


def test_words_as_subtitles(song, tmp_path):
    path, _ = make(song, tmp_path / "out", "--words", "subtitles")
    with av.open(str(path)) as video:
        (stream,) = video.streams.subtitles
        assert stream.codec_context.name == "mov_text"
        shown = [
            (float(p.pts * p.time_base), float(p.duration * p.time_base), bytes(p)[2:].decode())
            for p in video.demux(stream)
            if p.size > 2
        ]
    assert shown == [(1.0, 2.0, "lala lala"), (3.0, 1.5, "WWWWWW WWWWWW")]
    # The title stays above the subtitles.
    assert {sung for sung, _ in sung_and_unsung(path).values()} == {0}


def test_given_words_come_before_those_of_the_song(song, tmp_path):
    (tmp_path / "other.lrc").write_text("[00:00.00]WWWWWWWWWW\n[00:0x]oops")
    path, said = make(song, tmp_path / "out", "--lyrics", tmp_path / "other.lrc")
    assert "other.lrc: line 2 " in said
    assert sung_and_unsung(path)[0.0][0] > 100


@pytest.mark.parametrize(("lyrics", "words"), [("", "no words"), ("plain words", "in its tags have no times")])
def test_without_words_there_are_title_and_picture(song, tmp_path, lyrics, words):
    copy = pathlib.Path(shutil.copy(song, tmp_path / "song.flac"))
    write_tags(copy, Tags({"title": ("WWW",), **({"lyrics": (lyrics,)} if lyrics else {})}))
    path, _ = make(copy, tmp_path / "out", words=words)
    assert pictures(path)[-1][1].max() > 200


def test_the_picture_of_a_video_stays_behind_the_words(tmp_path):
    film = _video(tmp_path / "film.mp4", seconds=3)
    (tmp_path / "film.lrc").write_text("[00:01.00]WWWWW\n[00:02.80]\n")
    path, _ = make(film, tmp_path / "out")
    before = {round(time, 3): one[:4, :4].mean() for time, one in pictures(film)}
    shown = pictures(path)
    assert shown[0][1].shape == (480, 640, 3)
    for time, one in shown:
        assert one[:40, :40].mean() == pytest.approx(before.get(round(time, 3), before[2.96]), abs=8)
    darkest = next(one for time, one in shown if round(time, 3) == 2.6)
    assert columns(darkest, "yellow") > 100
    # At half the tempo the pictures are shown for twice as long.
    slow = pictures(make(film, tmp_path / "slow", "--tempo", 50)[0])
    assert slow[100][1][:40, :40].mean() == pytest.approx(before[2.0], abs=8)


def test_subtitles_leave_the_picture_of_a_video_as_it_is(made, tmp_path):
    film = pathlib.Path(shutil.copy(made, tmp_path / "film.mp4"))
    (tmp_path / "film.lrc").write_text("[00:01.00]la")
    path, _ = make(film, tmp_path / "out", "--words", "subtitles")
    assert _packets(path) == _packets(film)


def test_pictures_that_lie_on_their_side_are_turned(made, tmp_path):
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        pytest.skip("the ffmpeg program makes the video")
    film = tmp_path / "film.mp4"
    turned = ["-map", "0:v:0", "-map", "0:a", "-c", "copy", "-metadata:s:v:0", "rotate=90", "-t", "1"]
    subprocess.run([ffmpeg, "-v", "error", "-i", made, *turned, film], check=True)
    shown = pictures(make(film, tmp_path / "out")[0])
    with av.open(str(film)) as video:
        frame = next(video.decode(video=0))
        expected = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90) % 4).astype(int)
    assert shown[0][1].shape == (854, 480, 3)
    assert np.abs(shown[0][1][::8, ::8].mean() - expected[::3, ::3].mean()) < 12


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--video", "--lyrics", "none.lrc"], "none.lrc: cannot be read"),
        (["--video", "--lyrics", "plain.lrc"], "plain.lrc: has words without times"),
        (["--video", "--lyrics", "empty.lrc"], "empty.lrc: holds no lyrics"),
        (["--lyrics", "song.lrc"], "add --video"),
        (["--video", "--format", "mp3"], "leave --format out"),
        (["--video", "--size", "big"], "write it as 1280x720"),
        (["--video", "--size", "1281x720"], "not possible"),
        (["--video", "--font", "song.lrc"], "is no font"),
        (["--video", "--lyrics", "song.lrc", "song.flac"], "words of one song"),
    ],
)
def test_mistakes_are_one_line(song, tmp_path, options, words):
    for name, text in (("plain.lrc", "la\nla"), ("empty.lrc", "[ti:a]"), ("song.lrc", LRC)):
        (tmp_path / name).write_text(text)
    shutil.copy(song, tmp_path / "song.flac")
    done = vocalsep("karaoke", song, *options, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr.decode()
    assert len(done.stderr.decode().splitlines()) == 1
    assert not (tmp_path / "separated").exists()


def test_a_bad_file_beside_a_song_fails_that_song_only(song, tmp_path):
    for name in ("a", "b"):
        shutil.copy(song, tmp_path / f"{name}.flac")
    (tmp_path / "a.lrc").write_bytes(b"RIFF\0\1\2\3" * 20)
    done = vocalsep("karaoke", tmp_path, "-o", tmp_path / "out", "--video", *SIZE)
    assert done.returncode == 1
    assert "a.lrc: is no text file" in done.stderr.decode()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b (karaoke).mp4"]


def test_nothing_is_left_of_a_video_that_was_cancelled(song, tmp_path):
    stages = set()

    def progress(done, total):
        stages.add(done * 2 > total)
        if done > 0.7 * total:
            raise KeyboardInterrupt

    mix = StemMix("karaoke", "Karaoke", 0.0, 1.0, karaoke_video=VideoSettings(width=320, height=180))
    output = OutputSpec(mix, tmp_path / "out" / "a.mp4")
    with pytest.raises(KeyboardInterrupt):
        render(Engine("default"), song, [output], WriteOptions(Encoding(FORMATS["wav"])), progress)
    assert stages == {False, True}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_reported(made):
    content = VideoContent("T", lyrics=parse_lrc(LRC), picture=MovingPicture(made))
    with pytest.raises(DiskFullError):
        write_karaoke_video(pathlib.Path("/dev/full"), made, content, VideoSettings())
