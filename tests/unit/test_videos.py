"""Karaoke videos: another sound, and nothing else changes. `sweep_videos.py` tries many more kinds."""

import json
import pathlib
import shutil
import subprocess

import av
import pytest
from conftest import read, vocalsep
from sweep_videos import SONG, Film, faults, karaoke, lag_s, make

from vocalsep.audio.decoding import open_source
from vocalsep.audio.selection import AudioStream, same_language, select_stream
from vocalsep.audio.video_plan import CONTAINERS, plan_video
from vocalsep.errors import AudioError
from vocalsep.jobs.inputs import find_inputs

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the ffmpeg program makes the videos")

KINDS = [
    "hevc-hvc1.mp4",
    "av1-aac.mp4",
    "prores-4444.mov",
    "mjpeg.mov",
    "h264-aac.mkv",
    "vp9-opus.webm",
    "mjpeg-pcm.avi",
]
KINDS += ["cinepak.avi", "wmv2.wmv", "sorenson.flv", "h263.3gp", "h264-ac3.m2ts", "h264-aac.f4v", "mpeg2-ac3.vob"]
KINDS += ["theora-vorbis.ogv"]
PICTURE = ["-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=3"]
SOUND = ["-ss", "10", "-t", "3", "-i", str(SONG)]
X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-pix_fmt", "yuv420p", "-c:a", "aac"]
STREAMS = ["-map", "0:v", "-map", "1:a", "-map", "2:a"]
STARTS = [f"{start}-{suffix}" for start in ("late", "early") for suffix in ("mp4", "mkv", "ts", "mov", "flv")]
CHAPTERS = (
    ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=One\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=1000\n"
)


def ffmpeg(*arguments: object) -> None:
    done = subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this ffmpeg cannot make it: {done.stderr.strip()[-200:]}")


def made_of(path: pathlib.Path, out: pathlib.Path, *options: str) -> pathlib.Path:
    made = karaoke([path], out, *options)[str(path)]
    assert isinstance(made, pathlib.Path), made
    return made


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    films = {kind: make(folder, kind) for kind in KINDS}
    return films, karaoke([film for film in films.values() if film], folder / "out")


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    """A film with all that may be beside picture and sound, as .mkv and as .mp4, and the karaoke videos of both."""
    folder = tmp_path_factory.mktemp("rich")
    cover, font, chapters, words = (folder / name for name in ("cover.jpg", "f.ttf", "c.txt", "s.srt"))
    ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", 1, cover)
    font.write_bytes(bytes(range(256)) * 20)
    chapters.write_text(f"{CHAPTERS}END=3000\ntitle=Two\n")
    words.write_text("1\n00:00:01,000 --> 00:00:02,000\nla\n\n2\n00:00:01,000 --> 00:00:02,000\nle\n")
    inputs = [*PICTURE, *SOUND, "-f", "lavfi", "-i", "sine=440:d=3", "-i", words, "-i", chapters]
    marks = "-map 3 -map_chapters 4 -disposition:a:0 0 -disposition:a:1 default -disposition:s:0 forced -aspect 16:9"
    marks += " -metadata:s:a:0 language=eng -metadata:s:a:0 title=Talk -metadata:s:a:1 language=jpn"
    marks += " -metadata:s:s:0 language=fre -metadata:s:v:0 language=ita -metadata artist=A -color_primaries bt2020"
    common = [*inputs, *STREAMS, *marks.split(), *X264]
    attached = ["-attach", font, "-metadata:s:t:0", "mimetype=application/x-truetype-font", "-attach", cover]
    named = ["-metadata:s:t:1", "mimetype=image/jpeg", "-metadata:s:t:1", "filename=cover.jpg"]
    ffmpeg(*common, "-c:s", "srt", *attached, *named, folder / "a.mkv")
    ffmpeg(*common, "-c:s", "mov_text", folder / "plain.mp4")
    turned = ["-metadata:s:v:0", "rotate=90"]
    ffmpeg("-i", folder / "plain.mp4", "-i", cover, "-map", 0, "-map", "-0:d", "-map", 1, "-c", "copy", *turned,
           "-disposition:v:1", "attached_pic", folder / "b.mp4")  # fmt: skip
    films = [folder / "a.mkv", folder / "b.mp4"]
    made = karaoke(films, folder / "out")
    return {film.suffix: (film, made[str(film)]) for film in films}


def about(path: pathlib.Path) -> dict[str, object]:
    """What a player shows of a video, apart from the order of its audio streams."""
    with av.open(str(path)) as film:
        streams = []
        for stream in film.streams:
            attachment = bytes(stream.data) if stream.type == "attachment" else b""
            context = stream.codec_context
            tag = "" if context is None or stream.type == "audio" else context.codec_tag
            colour = (context.color_primaries, context.display_aspect_ratio) if stream.type == "video" else ()
            properties = (
                stream.type,
                stream.metadata.get("language"),
                stream.metadata.get("title"),
                tag,
                colour,
                attachment,
            )
            streams.append((*properties, stream.metadata.get("filename"), int(stream.disposition)))
        return {
            "streams": sorted(map(str, streams)),
            "chapters": [(one["start"] * one["time_base"], one["metadata"]) for one in film.chapters()],
            "artist": {key.lower(): value for key, value in film.metadata.items()}.get("artist"),
            "turned": next(iter(film.decode(video=0))).rotation,
        }


@pytest.mark.parametrize("kind", KINDS)
def test_the_picture_is_the_same_and_the_sound_in_time(swept, kind):
    films, made = swept
    if films[kind] is None:
        pytest.skip("this ffmpeg cannot make it")
    output = made[str(films[kind])]
    assert isinstance(output, pathlib.Path), output
    assert output.suffix == (films[kind].suffix if films[kind].suffix in CONTAINERS else ".mkv")
    assert faults(films[kind], output) == []


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_all_that_is_beside_the_sound_is_kept(rich, suffix):
    film, made = rich[suffix]
    before, after = about(film), about(made)
    assert before == after
    assert len(before["chapters"]) == 2
    assert Film(film).pictures == Film(made).pictures


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_default_stream_is_used_and_comes_first_of_all(rich, suffix):
    film, made = rich[suffix]
    with av.open(str(film)) as one, av.open(str(made)) as other:
        old, new = one.streams.audio, other.streams.audio
        assert [stream.language for stream in old] == ["eng", "jpn"]
        assert [stream.language for stream in new] == ["jpn", "eng"]
        kept = [bytes(packet) for packet in one.demux(old[0]) if packet.size]
        assert [bytes(packet) for packet in other.demux(new[1]) if packet.size] == kept


def test_a_stream_is_chosen_by_number_or_language(rich):
    film, _ = rich[".mkv"]
    assert [plan_video(film, asked).sound for asked in (None, "1", "2", "en", "ja", "eng", "jpn")] == [
        2,
        1,
        2,
        1,
        2,
        1,
        2,
    ]
    info = json.loads(vocalsep("info", film, "--json", "--audio-stream", "en").stdout)
    assert (info["audio_stream"], info["channels"]) == (1, 2)
    assert [one["language"] for one in info["audio_streams"]] == ["eng", "jpn"]


def test_library_and_plot_use_the_chosen_audio_stream(rich, separator, tmp_path):
    film, _ = rich[".mkv"]
    for asked, channels in (("en", 2), (2, 1), (None, 1)):
        stem = separator.separate_file(film, tmp_path / str(asked), stems="vocals", audio_stream=asked)["vocals"]
        assert read(stem).shape[0] == channels
    with pytest.raises(AudioError, match="has no audio stream 3"):
        separator.separate_file(film, tmp_path, audio_stream=3)
    assert vocalsep("plot", film, "-o", tmp_path / "a.png", "--audio-stream", "eng").returncode == 0
    assert b"has no audio stream fr" in vocalsep("plot", film, "-o", tmp_path / "b.png", "--audio-stream", "fr").stderr


def test_split_names_the_audio_stream_unless_it_was_chosen(rich, tmp_path):
    film, _ = rich[".mkv"]
    files = []
    for options in (["--audio-stream", "eng"], []):
        done = vocalsep("split", film, "--stem", "vocals", "-o", tmp_path / f"{len(files)}", "--json", *options)
        assert done.returncode == 0, done.stderr
        files += json.loads(done.stdout)["files"]
    assert [one["channels"] for one in files] == [2, 1]
    assert files[0]["remarks"] == []
    assert "took 2 (jpn, 1 channel, default)" in files[1]["remarks"][0]


@pytest.mark.parametrize(
    ("asked", "why"),
    [("3", "no audio stream 3; it holds 1 (eng, Talk, 2 channels), 2"), ("fr", "stream fr"), ("", "empty")],
)
def test_a_stream_that_is_not_there_is_refused(rich, tmp_path, asked, why):
    done = vocalsep("karaoke", rich[".mkv"][0], "-o", tmp_path, "-q", "--audio-stream", asked)
    assert done.returncode == 2
    assert why in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def shifted(tmp_path_factory):
    """Films whose sound starts later, or earlier, than the picture, and their karaoke videos."""
    folder = tmp_path_factory.mktemp("shifted")
    films = []
    for place in STARTS:
        late, suffix = place.split("-")
        picture, sound = ("0", "0.7") if late == "late" else ("0.4", "0")
        films.append(folder / f"{late}.{suffix}")
        offsets = ["-itsoffset", picture, *PICTURE, "-itsoffset", sound, *SOUND]
        ffmpeg(*offsets, "-map", "0:v", "-map", "1:a", *X264, "-fps_mode", "passthrough", films[-1])
    made = karaoke(films, folder / "out")
    return {place: (film, made[str(film)]) for place, film in zip(STARTS, films, strict=True)}


@pytest.mark.parametrize("place", STARTS)
def test_sound_that_starts_later_or_earlier_stays_so(shifted, place):
    film, made = shifted[place]
    old, new = Film(film), Film(made)
    assert old.start > 0.4 if place.startswith("late") else old.start < -0.3
    assert abs(lag_s(old, new)) <= 0.001
    assert faults(film, made) == []


def test_videos_cut_without_encoding_keep_their_beginning(tmp_path):
    whole, film = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    ffmpeg(*PICTURE, *SOUND, "-map", "0:v", "-map", "1:a", *X264, "-g", 50, whole)
    ffmpeg("-ss", 0.9, "-i", whole, "-c", "copy", film)
    assert faults(film, made_of(film, tmp_path / "out")) == []


def test_joined_transport_streams_go_on(tmp_path):
    part, film = tmp_path / "part.ts", tmp_path / "film.ts"
    ffmpeg(*PICTURE, *SOUND, "-map", "0:v", "-map", "1:a", *X264, part)
    film.write_bytes(part.read_bytes() * 2)
    once, twice = Film(part), Film(made_of(film, tmp_path / "out"))
    assert twice.pictures == once.pictures * 2
    assert twice.times == pytest.approx([*once.times, *(3 + at for at in once.times)], abs=0.001)


@pytest.mark.parametrize("suffix", ["vob", "ts"])
def test_sound_that_begins_after_a_silent_opening_is_found(tmp_path, suffix):
    path = tmp_path / f"film.{suffix}"
    picture = ["-f", "lavfi", "-i", "testsrc=duration=30:size=320x240:rate=25"]
    sound = ["-f", "lavfi", "-itsoffset", "20", "-i", "sine=440:duration=5"]
    codecs = ["-map", "0", "-map", "1", "-c:v", "mpeg2video", "-b:v", "3M", "-c:a", "mp2"]
    subprocess.run(["ffmpeg", "-v", "error", *picture, *sound, *codecs, path], check=True)
    with open_source(path) as source:
        samples = sum(block.shape[1] for block in source.blocks())
        assert source.info.video
        assert abs(samples / source.info.sample_rate - 5) < 0.1


def test_an_mp4_has_its_index_in_front(rich):
    data = rich[".mp4"][1].read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")


def test_a_phones_keys_and_the_timecode_are_kept(tmp_path):
    film = tmp_path / "film.mov"
    place = {"com.apple.quicktime.location.ISO6709": "+48.1+011.5/", "com.apple.quicktime.make": "Apple"}
    keys = [word for key, value in place.items() for word in ("-metadata", f"{key}={value}")]
    ffmpeg(*PICTURE, *SOUND, "-map", "0:v", "-map", "1:a", *X264, *keys, "-movflags", "use_metadata_tags", "-timecode",
           "01:02:03:04", film)  # fmt: skip
    with av.open(str(made_of(film, tmp_path / "out"))) as made:
        assert place.items() <= made.metadata.items()
        timecode = made.streams.video[0].metadata.get("timecode")
        remarks = plan_video(film).remarks
        assert timecode == "01:02:03:04" or (timecode is None and "its timecode is lost" in remarks[0])
        if timecode:
            assert not remarks
            assert [stream.type for stream in made.streams] == ["video", "audio", "data"]


def test_what_cannot_be_kept_is_said_before_it_is_left_out(tmp_path):
    film = tmp_path / "film.wmv"
    assert make(tmp_path, "wmv2.wmv").rename(film)
    assert plan_video(film).remarks == ("written as .mkv: .wmv can be read but not written",)
    done = vocalsep("karaoke", film, "-o", tmp_path)
    assert done.returncode == 0
    assert b"film.wmv: written as .mkv" in done.stderr
    again = vocalsep("karaoke", film, "-o", tmp_path)
    assert again.returncode == 2
    assert b"film (karaoke).mkv: exists already" in again.stderr
    assert vocalsep("karaoke", film, "-o", tmp_path, "--skip-existing", "--json").returncode == 0


def test_a_name_without_suffix_still_makes_a_video(tmp_path):
    film = make(tmp_path, "h264-aac.mkv")
    assert vocalsep("karaoke", film, "-o", tmp_path, "--name", "{name}-out").returncode == 0
    assert faults(film, tmp_path / "h264-aac-out") == []


def test_folders_find_cameras_and_discs_videos(tmp_path):
    names = ["a.M2TS", "b.mts", "c.vob", "d.f4v", "e.3g2", "f.divx", "g.asf", "h.qt", "i.ogm", "j.m2t", "k.txt"]
    for name in names:
        (tmp_path / name).touch()
    assert [song.path.name for song in find_inputs([str(tmp_path)], False, None)[0]] == names[:-1]


def test_languages_have_several_codes():
    assert all(same_language("de", code) for code in ("ger", "deu", "DE", "de-AT"))
    assert same_language("pt-BR", "por")
    assert not same_language("", "")
    assert not same_language("en", "enm")
    assert same_language("haw", "haw")


def test_which_stream_is_the_usual_one():
    streams = [AudioStream(1, "aac", 2, 44100, "eng"), AudioStream(2, "aac", 6, 48000, "eng", "", True)]
    film = pathlib.Path("film.mkv")
    assert [select_stream(streams, asked, film) for asked in (None, "en", "1", 0)] == [1, 1, 0, 0]
    assert select_stream(streams, None, pathlib.Path("x.stem.mp4")) == 0
    assert select_stream(streams[:1], None, film) == 0
    for wrong in ("0", "3", "jpn", 2, "²"):
        with pytest.raises(AudioError, match="has no audio stream"):
            select_stream(streams, wrong, film)
