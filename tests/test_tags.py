"""Tags and covers through every pair of formats."""

import pathlib
import struct
import zlib

import av
import pytest
import soundfile
from conftest import read, tones, vocalsep, write

from vocalsep.tags import Picture, Tags, read_tags, write_tags

RATE = 48000


def png(side: int = 8) -> bytes:
    """A small grey picture."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + b"\x80" * side for _ in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


FULL = Tags(
    {
        "title": ("Бумажный фонарь 🏮",),
        "artist": ("One", "Two"),
        "album": ("Ä/Ö",),
        "albumartist": ("Various",),
        "date": ("2026-03-01",),
        "genre": ("Synth Pop",),
        "tracknumber": ("3/12",),
        "discnumber": ("1/2",),
        "composer": ("C. Composer",),
        "copyright": ("CC0",),
        "isrc": ("XX1234567890",),
        "bpm": ("120",),
        "comment": ("made for a test",),
        "lyrics": ("la la\nla",),
    },
    (Picture(png(), "image/png"),),
)


def song(path: pathlib.Path, tags: Tags | None = None) -> pathlib.Path:
    if path.suffix in (".m4a", ".mkv"):
        with av.open(str(path), "w", format="ipod" if path.suffix == ".m4a" else "matroska") as container:
            stream = container.add_stream("aac", rate=RATE)
            frame = av.AudioFrame.from_ndarray(tones(0.3, RATE), format="fltp", layout="stereo")
            frame.sample_rate = RATE
            container.metadata["title"] = "From FFmpeg"
            container.metadata["ALBUM_ARTIST"] = "Various"
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    else:
        opus = {"format": "OGG", "subtype": "OPUS"} if path.suffix == ".opus" else {}
        write(path, tones(0.3, RATE), RATE, **opus)
    if tags is not None:
        write_tags(path, tags)
    return path


FORMATS = ["wav", "flac", "ogg", "opus", "mp3", "m4a"]


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("source", FORMATS)
def test_everything_survives_every_pair_of_formats(tmp_path, source, target):
    first = read_tags(song(tmp_path / f"a.{source}", FULL))
    second = read_tags(song(tmp_path / f"b.{target}", first))
    joined = {"mp3"} & {source, target}
    for name, values in FULL.fields.items():
        # ID3v2.3, which every player reads, joins values with a slash
        expected = ("/".join(values),) if joined else values
        got = second.fields[name]
        assert ("/".join(got),) == expected if joined else got == expected, name
    assert second.pictures[0].data == FULL.pictures[0].data
    assert second.pictures[0].mime == "image/png"


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_samples_stay_as_they_are(tmp_path, suffix):
    path = song(tmp_path / f"a.{suffix}")
    before = read(path)
    write_tags(path, FULL)
    assert (read(path) == before).all()


def test_writing_replaces_what_was_there(tmp_path):
    for suffix in FORMATS:
        path = song(tmp_path / f"a.{suffix}", FULL)
        write_tags(path, Tags({"title": ("New",)}))
        assert read_tags(path) == Tags({"title": ("New",)})


def test_marking():
    assert FULL.marked("Vocals", "file").fields["title"] == ("Бумажный фонарь 🏮 (Vocals)",)
    assert FULL.marked("Vocals", "file").fields["artist"] == ("One", "Two")
    assert Tags().marked("Karaoke", "file").fields == {"title": ("file (Karaoke)",)}


def test_tags_of_a_wav_without_id3(tmp_path):
    with soundfile.SoundFile(tmp_path / "a.wav", "w", RATE, 1) as file:
        file.title, file.artist, file.date = "Title", "Artist", "1999"
        file.write(tones(0.1, RATE, 1).T)
    fields = read_tags(tmp_path / "a.wav").fields
    assert (fields["title"], fields["artist"], fields["date"]) == (("Title",), ("Artist",), ("1999",))


def test_tags_of_a_container_that_only_ffmpeg_knows(tmp_path):
    fields = read_tags(song(tmp_path / "a.mkv")).fields
    assert fields["title"] == ("From FFmpeg",)
    assert fields["albumartist"] == ("Various",)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"ID3\x04\0\0\x7f\x7f\x7f\x7fTIT2",
        b"fLaC" + b"\xff" * 99,
        b"OggS" + b"\1" * 99,
        b"RIFF\xff\xff\xff\xffWAVELIST",
    ],
)
def test_broken_tags_are_no_tags(tmp_path, data):
    for suffix in ("mp3", "flac", "ogg", "wav"):
        (tmp_path / f"a.{suffix}").write_bytes(data)
        assert read_tags(tmp_path / f"a.{suffix}") == Tags()
    assert read_tags(tmp_path / "missing.mp3") == Tags()


def test_an_rf64_and_a_video_are_left_alone(tmp_path):
    path = write(tmp_path / "a.wav", tones(0.1), format="RF64")
    before = path.read_bytes()
    write_tags(path, FULL)
    assert path.read_bytes() == before


def test_the_command_line_copies_them(tmp_path):
    path = song(tmp_path / "a.flac", FULL)
    for form in ("wav", "mp3", "m4a"):
        assert vocalsep("split", path, "-o", tmp_path / form, "--format", form).returncode == 0
        tags = read_tags(tmp_path / form / "a" / f"vocals.{form}")
        assert tags.fields["title"] == ("Бумажный фонарь 🏮 (Vocals)",)
        assert tags.fields["album"] == ("Ä/Ö",)
        assert tags.pictures[0].data == FULL.pictures[0].data
