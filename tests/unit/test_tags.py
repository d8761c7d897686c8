"""Tags and covers through every pair of formats."""

import base64
import contextlib
import os
import pathlib
import struct
import zlib

import av
import mutagen
import pytest
import soundfile
from conftest import read, tones, vocalsep, write
from mutagen.apev2 import APEBinaryValue, APEv2
from mutagen.asf import ASFByteArrayAttribute
from mutagen.flac import Picture as Block
from mutagen.id3 import APIC, COMM, ID3, TIT2, TXXX

from vocalsep.errors import OutputError
from vocalsep.tags import Picture, Tags, read_tags, write_tags
from vocalsep.tags.fields import LARGEST_PICTURE, MOST_TEXT

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
        "artist": ("One", "Два"),
        "album": ("Ä/Ö",),
        "albumartist": ("Various",),
        "date": ("2026-03-01",),
        "genre": ("Synth Pop",),
        "tracknumber": ("3/12",),
        "discnumber": ("1/2",),
        "composer": ("C. Composer",),
        "lyricist": ("L. Lyricist",),
        "conductor": ("Dirigent №1",),
        "copyright": ("CC0",),
        "organization": ("Label",),
        "isrc": ("XX1234567890",),
        "bpm": ("120",),
        "language": ("rus",),
        "compilation": ("1",),
        "comment": ("made for a test",),
        "lyrics": ("ля ля\nla",),
    },
    (Picture(png(), "image/png"),),
)
FFMPEG = {".m4a": ("ipod", "aac"), ".mp4": ("mp4", "aac"), ".mov": ("mov", "aac"), ".mkv": ("matroska", "aac")}
FFMPEG |= {".webm": ("webm", "libopus"), ".wma": ("asf", "wmav2"), ".wv": ("wv", "wavpack")}


def song(path: pathlib.Path, tags: Tags | None = None, **metadata: str) -> pathlib.Path:
    """Write a short audio file in the format of the suffix, with FFmpeg metadata."""
    if path.suffix in FFMPEG:
        container_format, codec = FFMPEG[path.suffix]
        with av.open(str(path), "w", format=container_format) as container:
            stream = container.add_stream(codec, rate=RATE, layout="stereo", bit_rate=128_000)
            frame = av.AudioFrame.from_ndarray(tones(0.3, RATE), format="fltp", layout="stereo")
            frame.sample_rate = RATE
            container.metadata.update(metadata)
            for part in av.AudioResampler(stream.codec_context.format, "stereo", RATE, 960).resample(frame):
                container.mux(stream.encode(part))
            container.mux(stream.encode(None))
    else:
        opus = {"format": "OGG", "subtype": "OPUS"} if path.suffix == ".opus" else {}
        write(path, tones(0.3, RATE), RATE, **opus)
    if tags is not None:
        write_tags(path, tags)
    return path


def samples(path: pathlib.Path) -> bytes:
    """What FFmpeg decodes."""
    with av.open(str(path)) as container:
        return b"".join(frame.to_ndarray().tobytes() for frame in container.decode(audio=0))


FORMATS = ["wav", "flac", "ogg", "opus", "mp3", "m4a", "mp4", "mov"]


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("source", FORMATS)
def test_everything_survives_every_pair_of_formats(tmp_path, source, target):
    first = read_tags(song(tmp_path / f"a.{source}", FULL))
    second = read_tags(song(tmp_path / f"b.{target}", first))
    # ID3v2.3, which every player reads, joins values with a slash
    artists = ("One/Два",) if "mp3" in (source, target) else ("One", "Два")
    assert second == Tags({**FULL.fields, "artist": artists}, FULL.pictures)


@pytest.mark.parametrize("suffix", ["wav", "flac"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_samples_stay_as_they_are(tmp_path, suffix, subtype, channels):
    path = write(tmp_path / f"a.{suffix}", tones(0.1, RATE, channels)[:, :-1], RATE, subtype=subtype)
    before = read(path)
    write_tags(path, FULL)
    assert (read(path) == before).all()
    assert read_tags(path) == FULL


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_sound_of_lossy_formats_stays_too(tmp_path, suffix):
    path = song(tmp_path / f"a.{suffix}")
    before = samples(path)
    write_tags(path, Tags(FULL.fields, (Picture(png() + bytes(300_000), "image/png"),)))
    assert samples(path) == before


@pytest.mark.parametrize("suffix", FORMATS)
def test_writing_replaces_what_was_there(tmp_path, suffix):
    path = song(tmp_path / f"a.{suffix}", FULL)
    assert read_tags(song(tmp_path / f"b.{suffix}")) == Tags()
    write_tags(path, Tags({"title": ("New",)}))
    assert read_tags(path) == Tags({"title": ("New",)})
    write_tags(path, Tags())
    assert read_tags(path) == Tags()


def test_writing_replaces_the_info_of_a_wav(tmp_path):
    with soundfile.SoundFile(tmp_path / "a.wav", "w", RATE, 1) as file:
        file.title, file.artist = "Old", "Old"
        file.write(tones(0.1, RATE, 1).T)
    write_tags(tmp_path / "a.wav", Tags())
    assert read_tags(tmp_path / "a.wav") == Tags()
    assert soundfile.SoundFile(tmp_path / "a.wav").title == ""


def test_marking():
    assert FULL.with_title_mark("Vocals", "file").fields["title"] == ("Бумажный фонарь 🏮 (Vocals)",)
    assert FULL.with_title_mark("Vocals", "file").fields["artist"] == ("One", "Два")
    assert FULL.with_title_mark("Vocals", "file").pictures == FULL.pictures
    assert Tags().with_title_mark("Karaoke", "file").fields == {"title": ("file (Karaoke)",)}
    assert Tags().with_title_mark("Karaoke", "caf\udce9").fields == {"title": ("caf? (Karaoke)",)}


@pytest.mark.parametrize("suffix", FORMATS)
def test_invalid_values_leave_the_others(tmp_path, suffix):
    odd = {"title": ("A\0B\udce9",), "tracknumber": ("A1",), "bpm": ("inf",), "date": ("spring of 1999",)}
    path = song(tmp_path / f"a.{suffix}", Tags({**odd, "album": ("Album",), "mood": ("x",)}))
    fields = read_tags(path).fields
    assert fields["title"] == ("AB?",)
    assert fields["album"] == ("Album",)
    assert fields["date"] in (("spring of 1999",), ("1999",))
    assert "mood" not in fields


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "opus", "mp3"])
def test_several_pictures(tmp_path, suffix):
    covers = (Picture(png(), "image/png", 4, "Rückseite 🖼"), Picture(png(9), "image/png"), Picture(png(7), "image/png"))
    assert read_tags(song(tmp_path / f"a.{suffix}", Tags({}, covers))).pictures == covers


def test_m4a_has_the_front_cover_first_and_no_unknown_types(tmp_path):
    covers = (Picture(png(), "image/png", 4), Picture(png(9), "image/png"), Picture(b"GIF89a", "image/gif"))
    assert read_tags(song(tmp_path / "a.m4a", Tags({}, covers))).pictures == (
        Picture(png(9), "image/png"),
        Picture(png(), "image/png"),
    )


def test_too_large_and_wrong_pictures_are_dropped(tmp_path):
    large = Picture(png() + bytes(LARGEST_PICTURE), "image/png")
    link = Picture(b"https://example.org/cover.png", "-->")
    path = song(tmp_path / "a.flac", Tags({"comment": ("x" * (MOST_TEXT + 1),)}, (large, link)))
    assert read_tags(path) == Tags()
    assert path.stat().st_size < LARGEST_PICTURE
    tags = ID3()
    for number, picture in enumerate((large, link, *FULL.pictures)):
        tags.add(APIC(encoding=0, mime=picture.mime, type=3, desc=str(number), data=picture.data))
    tags.save(song(tmp_path / "a.mp3"))
    assert [picture.data for picture in read_tags(tmp_path / "a.mp3").pictures] == [png()]


def test_vorbis_comments_of_other_programs(tmp_path):
    path = song(tmp_path / "a.ogg")
    file = mutagen.File(path)
    block = Block()
    block.data, block.mime, block.type = png(9), "image/jpg", 3
    file.tags[:] = [
        ("Title", "T"),
        ("DESCRIPTION", "about"),
        ("LABEL", "Label"),
        ("ALBUM ARTIST", "Various"),
        ("TRACKNUMBER", "3"),
        ("TOTALTRACKS", "12"),
        ("REPLAYGAIN_TRACK_GAIN", "-9 dB"),
        ("COVERART", base64.b64encode(png()).decode()),
        ("COVERART", "A"),
        ("METADATA_BLOCK_PICTURE", "not base64!"),
        ("METADATA_BLOCK_PICTURE", base64.b64encode(b"short").decode()),
        ("METADATA_BLOCK_PICTURE", base64.b64encode(block.write()).decode()),
        ("ARTIST", "A"),
    ]
    file.save()
    assert read_tags(path) == Tags(
        {
            "title": ("T",),
            "artist": ("A",),
            "albumartist": ("Various",),
            "tracknumber": ("3/12",),
            "organization": ("Label",),
            "comment": ("about",),
        },
        (Picture(png(), "image/png"), Picture(png(9), "image/png")),
    )


def test_vorbis_numbers_are_split_from_their_totals(tmp_path):
    comments = mutagen.File(song(tmp_path / "a.flac", FULL)).tags
    assert (comments["TRACKNUMBER"], comments["TRACKTOTAL"]) == (["3"], ["12"])


def test_id3_program_data_and_replay_gain_are_not_copied(tmp_path):
    tags = ID3()
    tags.add(COMM(encoding=0, lang="eng", desc="iTunNORM", text=["0000"]))
    tags.add(TXXX(encoding=0, desc="replaygain_track_gain", text=["-9 dB"]))
    tags.add(TIT2(encoding=3, text=["T"]))
    tags.save(song(tmp_path / "a.mp3"))
    assert read_tags(tmp_path / "a.mp3") == Tags({"title": ("T",)})


def test_id3_tags_in_a_local_code_page_stay_readable(tmp_path):
    tags = ID3()
    tags.add(TIT2(encoding=0, text=["Фонарь".encode("cp1251").decode("latin-1")]))
    tags.save(song(tmp_path / "a.mp3"))
    write_tags(song(tmp_path / "b.mp3"), read_tags(tmp_path / "a.mp3"))
    assert "Фонарь".encode("cp1251") in (tmp_path / "b.mp3").read_bytes()


def test_tags_of_windows_media(tmp_path):
    path = song(tmp_path / "a.wma")
    file = mutagen.File(path)
    mime, description = "image/png\0".encode("utf-16-le"), "Обложка\0".encode("utf-16-le")
    packed = struct.pack("<BI", 3, len(png())) + mime + description + png()
    file.tags.update({"Title": "T", "Author": ["One", "Два"], "WM/AlbumTitle": "Album", "WM/TrackNumber": "3"})
    file.tags["WM/IsCompilation"] = True
    file.tags["WM/Picture"] = [ASFByteArrayAttribute(b"\3broken"), ASFByteArrayAttribute(packed)]
    file.save()
    fields = {"title": ("T",), "artist": ("One", "Два"), "album": ("Album",), "tracknumber": ("3",)}
    cover = Picture(png(), "image/png", 3, "Обложка")
    assert read_tags(path) == Tags({**fields, "compilation": ("1",)}, (cover,))


def test_ape_tags(tmp_path):
    path = song(tmp_path / "a.wv")
    tags = APEv2()
    tags.update({"Title": "T", "Artist": ["One", "Два"], "Year": "1999", "Track": "3/12", "Publisher": "Label"})
    tags["Cover Art (Front)"] = APEBinaryValue(b"cover.png\0" + png())
    tags.save(path)
    assert read_tags(path) == Tags(
        {
            "title": ("T",),
            "artist": ("One", "Два"),
            "date": ("1999",),
            "tracknumber": ("3/12",),
            "organization": ("Label",),
        },
        (Picture(png(), "image/png"),),
    )


def test_tags_of_an_aiff(tmp_path):
    path = song(tmp_path / "a.aiff")
    file = mutagen.File(path)
    file.add_tags()
    file.tags.add(TIT2(encoding=3, text=["Фонарь"]))
    file.save()
    assert read_tags(path) == Tags({"title": ("Фонарь",)})


def info_wav(*chunks: tuple[bytes, bytes], encoding: str = "utf-8") -> bytes:
    inner = b"".join(name + struct.pack("<I", len(text)) + text + b"\0" * (len(text) % 2) for name, text in chunks)
    fmt = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    body = b"WAVE" + fmt + b"data" + struct.pack("<I", 4) + bytes(4) + b"LIST"
    body += struct.pack("<I", 4 + len(inner)) + b"INFO" + inner
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_tags_of_a_wav_without_id3(tmp_path):
    texts = {"INAM": "Фонарь", "IART": "Ä", "IPRD": "Album", "ICRD": "1999", "IGNR": "Pop", "ITRK": "3", "ICOP": "CC0"}
    chunks = [(name.encode(), text.encode() + b"\0") for name, text in texts.items()]
    path = tmp_path / "a.wav"
    path.write_bytes(info_wav(*chunks, (b"ICMT", "Straße".encode("latin-1")), (b"ISFT", b"other")))
    assert read_tags(path).fields == {
        "title": ("Фонарь",),
        "artist": ("Ä",),
        "album": ("Album",),
        "date": ("1999",),
        "genre": ("Pop",),
        "tracknumber": ("3",),
        "copyright": ("CC0",),
        "comment": ("Straße",),
    }


def test_a_truncated_wav_keeps_its_first_tags(tmp_path):
    data = info_wav((b"INAM", b"Title"), (b"IART", b"Artist"))
    for end in range(len(data)):
        (tmp_path / "a.wav").write_bytes(data[:end])
        assert set(read_tags(tmp_path / "a.wav").fields) <= {"title", "artist"}
    (tmp_path / "a.wav").write_bytes(data[:-4])
    assert read_tags(tmp_path / "a.wav").fields["title"] == ("Title",)


@pytest.mark.parametrize("suffix", ["mkv", "webm"])
def test_tags_of_a_container_that_only_ffmpeg_knows(tmp_path, suffix):
    metadata = {"title": "Фонарь", "ALBUM_ARTIST": "Various", "Lyrics-eng": "la", "track": "3/12", "nothing": "x"}
    path = song(tmp_path / f"a.{suffix}", **metadata)
    expected = {"title": ("Фонарь",), "albumartist": ("Various",), "tracknumber": ("3/12",), "lyrics": ("la",)}
    assert read_tags(path) == Tags(expected)
    before = path.read_bytes()
    write_tags(path, FULL)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"ID3\x04\0\0\x7f\x7f\x7f\x7fTIT2",
        b"ID3\x04\0\0\0\0\0\x14TIT2\0\0\0\x7f\0\0\3T",
        b"fLaC" + b"\xff" * 99,
        b"fLaC\x04\xff\xff\xff" + b"\xff" * 99,
        b"OggS" + b"\1" * 99,
        b"RIFF\xff\xff\xff\xffWAVELIST",
        b"RIFF\xff\xff\xff\xffWAVEid3 \xff\xff\xff\xffID3\x04\0\0",
        b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42\xff\xff\xff\xffmoov",
        b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c" + b"\xff" * 99,
        bytes(range(256)) * 8,
    ],
)
def test_broken_tags_are_no_tags(tmp_path, data):
    for suffix in ("mp3", "flac", "ogg", "wav", "m4a", "wma"):
        (tmp_path / f"a.{suffix}").write_bytes(data)
        assert read_tags(tmp_path / f"a.{suffix}") == Tags()


def test_what_is_no_file_has_no_tags(tmp_path):
    assert read_tags(tmp_path / "missing.mp3") == Tags()
    assert read_tags(str(tmp_path)) == Tags()


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_that_is_cut_off_raises_nothing(tmp_path, suffix):
    data = song(tmp_path / f"a.{suffix}", FULL).read_bytes()
    for end in range(0, len(data), len(data) // 25):
        (tmp_path / f"cut.{suffix}").write_bytes(data[:end])
        read_tags(tmp_path / f"cut.{suffix}")


def test_an_rf64_is_left_alone(tmp_path):
    path = write(tmp_path / ".vocalsep-ab12.wav", tones(0.1), format="RF64")
    before = path.read_bytes()
    write_tags(path, FULL)
    assert path.read_bytes() == before


def test_a_wav_without_room_below_4_gib_is_left_alone(tmp_path):
    size = (1 << 32) - 100
    path = tmp_path / "a.wav"
    path.write_bytes(info_wav()[:40].replace(b"data\4\0\0\0", b"data" + struct.pack("<I", size - 44)))
    os.truncate(path, size)
    write_tags(path, FULL)
    assert path.stat().st_size == size


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "m4a"])
def test_what_cannot_be_written_is_an_error_of_one_line(tmp_path, suffix):
    (tmp_path / f"a.{suffix}").write_bytes(b"RIFF\0\0\0\0WAVEnothing of the kind")
    with pytest.raises(OutputError, match=r"^cannot write the tags of a .*; free some space there.*$"):
        write_tags(tmp_path / f"a.{suffix}", FULL)


@contextlib.contextmanager
def disk_of(size: int):
    """Let no file grow beyond `size` bytes, which gives the same kind of error as a full disk."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_full_disk_is_an_error_of_one_line(tmp_path, suffix):
    path = song(tmp_path / f"a.{suffix}")
    large = Tags(FULL.fields, (Picture(png() + bytes(1_000_000), "image/png"),))
    with disk_of(path.stat().st_size + 1000), pytest.raises(OutputError, match="file too large; free some space"):
        write_tags(path, large)


def test_the_command_line_copies_them(tmp_path):
    path = song(tmp_path / "a.flac", FULL)
    for form in ("wav", "mp3", "m4a"):
        assert vocalsep("split", path, "-o", tmp_path / form, "--format", form).returncode == 0
        tags = read_tags(tmp_path / form / "a" / f"vocals.{form}")
        assert tags.fields["title"] == ("Бумажный фонарь 🏮 (Vocals)",)
        assert tags.fields["album"] == ("Ä/Ö",)
        assert tags.pictures[0].data == FULL.pictures[0].data
