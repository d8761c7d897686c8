"""Tags beyond the usual ones, chapters and broadcast chunks: kept wherever the target can hold them."""

import dataclasses
import pathlib
import struct

import av
import mutagen
import numpy as np
import pytest
import soundfile
from conftest import read, tones, vocalsep, write
from hypothesis import given
from hypothesis import strategies as st
from mutagen import id3
from mutagen.apev2 import APEv2
from mutagen.mp4 import MP4
from test_tags import RATE, info_wav, song

from vocalsep.tags import Chapter, Tags, read_tags, write_tags
from vocalsep.tags.broadcast import FIXED, Broadcast
from vocalsep.tags.fields import FIELDS, MAX_CUSTOM_FIELDS, MOST_TEXT
from vocalsep.tags.riff import append_chunks, chunks

HOLDING = ["wav", "flac", "ogg", "opus", "mp3", "m4a"]
SPECIAL = {
    "date": "2026-03-01",
    "originaldate": "1999",
    "tracknumber": "3/12",
    "discnumber": "1/2",
    "bpm": "128",
    "compilation": "1",
    "language": "pol",
}
ALL = Tags(
    {field.name: (SPECIAL.get(field.name, f"{field.name} of łza"),) for field in FIELDS}
    | {"musicbrainz_trackid": ("f27ec8db-af05-4f36-916e-3d57f91ecf5e",)},
    custom={"Energy Level": ("7",), "mood": ("絆",), "CUSTOM:NAME": ("x", "y")},
)
CHAPTERS = (Chapter(0.0, 0.1, "Eins Ä"), Chapter(0.1, 0.3, "絆"))


def spelt_alike(tags: Tags) -> Tags:
    """Vorbis comments have names in capitals; values are joined in ID3v2.3; the last chapter ends with the song."""
    free = {name.lower(): tuple("/".join(values).split("/")) for name, values in tags.custom.items()}
    chapters = tuple((round(one.start, 3), one.title) for one in tags.chapters)
    return dataclasses.replace(tags, custom=free, chapters=chapters)


@pytest.mark.parametrize("target", HOLDING)
@pytest.mark.parametrize("source", HOLDING)
def test_tags_and_chapters_are_kept_between_all_formats(tmp_path, source, target):
    tags = dataclasses.replace(ALL, chapters=CHAPTERS)
    first = read_tags(song(tmp_path / f"a.{source}", tags))
    second = read_tags(song(tmp_path / f"b.{target}", first))
    assert spelt_alike(second) == spelt_alike(tags)


@pytest.mark.parametrize("suffix", HOLDING)
def test_chapters_leave_the_samples_as_they_are(tmp_path, suffix):
    path = song(tmp_path / f"a.{suffix}")
    before = decoded(path)
    write_tags(path, dataclasses.replace(ALL, chapters=CHAPTERS))
    assert np.array_equal(decoded(path), before)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
    write_tags(path, Tags())
    assert read_tags(path).fields == {}


def decoded(path: pathlib.Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


@pytest.fixture(scope="module")
def tagged(tmp_path_factory):
    """An MP3 with what DJ software and MusicBrainz Picard write."""
    path = song(tmp_path_factory.mktemp("tagged") / "s.mp3")
    tags = id3.ID3()
    frames = (
        id3.TIT2(encoding=3, text="Title"),
        id3.TKEY(encoding=3, text="8A"),
        id3.TPE4(encoding=3, text="Remixer"),
        id3.GRP1(encoding=3, text="Group"),
        id3.TMOO(encoding=3, text="Calm"),
        id3.UFID(owner="http://musicbrainz.org", data=b"f27ec8db"),
        id3.TXXX(encoding=3, desc="MusicBrainz Album Id", text="album-id"),
        id3.TXXX(encoding=3, desc="MusicBrainz Artist Id", text=["one", "two"]),
        id3.TXXX(encoding=3, desc="EnergyLevel", text="7"),
        id3.TXXX(encoding=3, desc="replaygain_track_gain", text="-9 dB"),
        id3.TXXX(encoding=3, desc="AccurateRipResult", text="x"),
        id3.TXXX(encoding=3, desc="Encoder settings", text="-V0"),
        id3.TXXX(encoding=3, desc="Acoustid Fingerprint", text="AQAA"),
        id3.TXXX(encoding=3, desc="Speaker", text="Somebody"),
        id3.TIPL(encoding=3, people=[["producer", "P"], ["mix", "M"], ["violin", "V"]]),
        id3.COMM(encoding=3, lang="eng", desc="", text="plain"),
        id3.COMM(encoding=3, lang="eng", desc="Source", text="vinyl"),
        id3.COMM(encoding=3, lang="eng", desc="iTunSMPB", text="0000"),
        id3.TSSE(encoding=3, text="LAME"),
        id3.TENC(encoding=3, text="someone"),
        id3.TLEN(encoding=3, text="300"),
    )
    for frame in frames:
        tags.add(frame)
    tags.save(path)
    return path


@pytest.mark.parametrize("form", ["mp3", "flac", "m4a", "wav", "opus"])
def test_the_command_line_keeps_what_djs_and_musicbrainz_write(tagged, tmp_path, form):
    done = vocalsep("split", tagged, "-o", tmp_path, "--format", form, "--stem", "vocals", "--quiet")
    assert done.returncode == 0, done.stderr.decode()
    tags = read_tags(tmp_path / f"s/vocals.{form}")
    expected = {
        "title": "Title (Vocals)",
        "initialkey": "8A",
        "remixer": "Remixer",
        "grouping": "Group",
        "musicbrainz_trackid": "f27ec8db",
        "musicbrainz_albumid": "album-id",
        "musicbrainz_artistid": "one/two",
        "producer": "P",
        "mixer": "M",
        "performer": "V (violin)",
        "comment": "plain",
    }
    assert {name: "/".join(values) for name, values in tags.fields.items()} == expected
    free = {name.lower(): "/".join(values) for name, values in tags.custom.items()}
    assert free == {"mood": "Calm", "energylevel": "7", "speaker": "Somebody", "comment:source": "vinyl"}


def test_players_find_the_frames_that_they_look_for(tagged, tmp_path):
    tags = read_tags(tagged)
    written = id3.ID3(song(tmp_path / "a.mp3", tags))
    assert (written["TKEY"].text, written["TPE4"].text, written["TIT1"].text) == (["8A"], ["Remixer"], ["Group"])
    assert written["UFID:http://musicbrainz.org"].data == b"f27ec8db"
    assert written["TXXX:MusicBrainz Album Id"].text == ["album-id"]
    atoms = MP4(song(tmp_path / "a.m4a", tags)).tags
    assert bytes(atoms["----:com.apple.iTunes:initialkey"][0]) == b"8A"
    assert bytes(atoms["----:com.apple.iTunes:MusicBrainz Track Id"][0]) == b"f27ec8db"
    assert atoms["\xa9grp"] == ["Group"]
    comments = mutagen.File(song(tmp_path / "a.flac", tags)).tags
    assert (comments["INITIALKEY"], comments["MUSICBRAINZ_ALBUMID"]) == (["8A"], ["album-id"])


def test_sources_of_other_families(tmp_path):
    wanted = {"initialkey": ("8A",), "remixer": ("R",), "musicbrainz_albumid": ("id",)}
    ape = song(tmp_path / "a.wv")
    tags = APEv2()
    tags.update({"KEY": "8A", "MixArtist": "R", "MUSICBRAINZ_ALBUMID": "id", "Energy": "7", "MP3GAIN_MINMAX": "1"})
    tags.save(ape)
    asf = song(tmp_path / "a.wma")
    file = mutagen.File(asf)
    file.tags.update(
        {"WM/InitialKey": "8A", "WM/ModifiedBy": "R", "MusicBrainz/Album Id": "id", "Energy": "7", "WM/Provider": "x"}
    )
    file.save()
    vorbis = song(tmp_path / "a.ogg")
    file = mutagen.File(vorbis)
    file.tags[:] = [("KEY", "8A"), ("Remixer", "R"), ("musicbrainz_albumid", "id"), ("Energy", "7"), ("Encoder", "e")]
    file.save()
    mp4 = song(tmp_path / "a.m4a")
    file = MP4(mp4)
    for name, value in (("initialkey", "8A"), ("REMIXER", "R"), ("MusicBrainz Album Id", "id"), ("Energy", "7")):
        file.tags[f"----:com.apple.iTunes:{name}"] = value.encode()
    file.tags["\xa9too"] = "encoder"
    file.save()
    for path in (ape, asf, vorbis, mp4):
        found = read_tags(path)
        assert found.fields == wanted, path
        assert {name.lower(): values for name, values in found.custom.items()} == {"energy": ("7",)}, path


def test_a_wav_has_its_fields_in_its_info_too(tmp_path):
    path = song(tmp_path / "a.wav", ALL)
    with soundfile.SoundFile(path) as file:
        assert (file.title, file.artist) == ("title of łza", "artist of łza")
    with path.open("rb") as file:
        names = [name for name, _, _ in chunks(file)]
    assert (names.count(b"LIST"), names[-1] in (b"id3 ", b"ID3 ")) == (1, True)
    source = tmp_path / "b.wav"
    source.write_bytes(info_wav((b"INAM", b"T"), (b"IENG", b"E"), (b"ILNG", b"pol")))
    assert read_tags(source).fields == {"title": ("T",), "engineer": ("E",), "language": ("pol",)}


@given(st.dictionaries(st.text(max_size=120), st.text(max_size=50), max_size=20))
def test_names_and_texts_of_any_kind_raise_nothing(tmp_path_factory, free):
    folder = tmp_path_factory.mktemp("free")
    tags = Tags({"title": ("T",)}, custom={name: (text,) for name, text in free.items()})
    for suffix in ("wav", "flac", "mp3"):
        source = pathlib.Path(folder / f"a.{suffix}")
        source.write_bytes(_plain(suffix))
        write_tags(source, tags)
        assert read_tags(source).fields["title"] == ("T",)


def _plain(suffix: str, made: dict[str, bytes] = {}) -> bytes:  # noqa: B006 - kept from one example to the next
    import tempfile

    if suffix not in made:
        with tempfile.TemporaryDirectory() as folder:
            made[suffix] = song(pathlib.Path(folder) / f"a.{suffix}").read_bytes()
    return made[suffix]


def test_what_is_too_much_is_bounded(tmp_path):
    many = Tags({}, custom={f"field {number}": ("x",) for number in range(MAX_CUSTOM_FIELDS + 50)})
    assert len(read_tags(song(tmp_path / "a.flac", many)).custom) == MAX_CUSTOM_FIELDS
    long = Tags({}, custom={"a": ("x" * MOST_TEXT,), "b": ("y",), "n" * 101: ("z",)})
    assert set(read_tags(song(tmp_path / "b.flac", long)).custom) == {"A"}
    chapters = tuple(Chapter(number / 1e4, (number + 1) / 1e4, str(number)) for number in range(1500))
    assert len(read_tags(song(tmp_path / "c.mp3", Tags(chapters=chapters))).chapters) == 1000


def bext(description: bytes, time: int) -> bytes:
    texts = description.ljust(256, b"\0") + b"Origin".ljust(32, b"\0") + b"Ref".ljust(32, b"\0") + b"2026-03-0112:30:00"
    loudness = struct.pack("<5h", -2300, 10, -100, -2000, -2100)
    return texts + struct.pack("<QH", time, 2) + b"\7" * 64 + loudness + bytes(180) + b"A=PCM,F=48000\r\n"


IXML = (
    b"<BWFXML><SCENE>4</SCENE><SPEED><TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>1</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>"
    b"<TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>4294967290</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO></SPEED></BWFXML>"
)


@pytest.fixture(scope="module")
def broadcast(tmp_path_factory):
    path = write(tmp_path_factory.mktemp("broadcast") / "s.wav", tones(0.5, RATE), RATE, subtype="PCM_24")
    append_chunks(path, [(b"bext", bext(b"Scene 4, take 2", 5_000_000_000)), (b"iXML", IXML)])
    return path


def test_a_broadcast_wav_keeps_its_time_and_description(broadcast, tmp_path):
    assert vocalsep("split", broadcast, "-o", tmp_path, "--quiet").returncode == 0
    with (tmp_path / "s/vocals.wav").open("rb") as file:
        offsets = {name: (offset, size) for name, offset, size in chunks(file)}
        file.seek(offsets[b"bext"][0] + 8)
        data = file.read(offsets[b"bext"][1])
    assert data[:338] == bext(b"Scene 4, take 2", 0)[:338]
    assert struct.unpack_from("<QH", data, 338) == (5_000_000_000, 1)
    assert not any(data[348:])
    assert len(data) == FIXED
    broadcast_tags = read_tags(tmp_path / "s/vocals.wav").broadcast
    assert (broadcast_tags.time, broadcast_tags.ixml) == (5_000_000_000, IXML)
    assert read(tmp_path / "s/vocals.wav").shape == read(broadcast).shape
    with av.open(str(tmp_path / "s/vocals.wav")) as container:
        assert container.metadata["time_reference"] == "5000000000"
    assert vocalsep("split", broadcast, "-o", tmp_path, "--format", "flac", "--quiet").returncode == 0


def test_a_passage_begins_later(broadcast):
    chapters = (Chapter(0, 1, "a"), Chapter(1, 2, "b"), Chapter(2, 3, "c"))
    tags = dataclasses.replace(read_tags(broadcast), chapters=chapters).excerpt(RATE * 3 // 2, RATE, RATE)
    assert tags.chapters == (Chapter(0.0, 0.5, "b"), Chapter(0.5, 1.0, "c"))
    assert tags.broadcast.time == 5_000_000_000 + RATE * 3 // 2
    assert b"_HI>2<" in tags.broadcast.ixml
    assert b"_LO>%d<" % (RATE * 3 // 2 - 6) in tags.broadcast.ixml
    assert Tags().excerpt(5, 5, RATE) == Tags()


def test_another_key_and_tempo_change_what_they_make_wrong():
    tags = dataclasses.replace(ALL, chapters=CHAPTERS)
    slow = tags.at_key_and_tempo(0, 50)
    assert slow.fields["bpm"] == ("64",)
    assert slow.fields["initialkey"] == tags.fields["initialkey"]
    assert slow.chapters[1] == Chapter(0.2, 0.6, "絆")
    assert "initialkey" not in tags.at_key_and_tempo(1, 100).fields
    assert tags.at_key_and_tempo(0, 100) == tags


@given(st.binary(max_size=1200), st.binary(max_size=200))
def test_damaged_broadcast_chunks_raise_nothing(bext, ixml):
    found = Broadcast.of(bext, ixml)
    if found:
        later = found.shifted(2**63)
        assert len(later.bext) in (0, FIXED)


def test_files_with_damaged_chapters_keep_their_other_tags(tmp_path):
    path = song(tmp_path / "a.flac")
    file = mutagen.File(path)
    file.tags = None
    file.add_tags()
    file.tags[:] = [("TITLE", "T"), ("CHAPTER001", "nonsense"), ("CHAPTER002", "99:99:99"), ("CHAPTER002NAME", "x")]
    file.save()
    assert read_tags(path).fields == {"title": ("T",)}
    assert read_tags(path).custom == {}
