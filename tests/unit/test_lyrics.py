"""Lyrics: LRC in all its spellings, damaged files, encodings, lyrics in tags."""

import pathlib

import pytest
from conftest import RATE, tones, write
from hypothesis import given
from hypothesis import strategies as st
from mutagen.id3 import ID3, SYLT, USLT

from vocalsep.errors import LyricsError
from vocalsep.lyrics import Line, Lyrics, Word, format_lrc, parse_lrc, read_lyrics
from vocalsep.tags import Tags, find_lyrics, lyrics_of_tags, read_tags, write_tags

WORDS = Line(5.0, "so far away", (Word(5.0, "so "), Word(5.5, "far "), Word(6.25, "away")), 8.0)
TIMED = Lyrics((Line(1.0, "one"), WORDS, Line(9.0, "")))

HUNDREDTHS = st.integers(0, 24 * 360_000 - 1).map(lambda number: number / 100)
# LRC has no escapes: brackets that look like times or names cannot be kept.
TEXT = st.text(st.characters(exclude_categories=("C", "Zl", "Zp"), exclude_characters="[]<>"), max_size=30)


@st.composite
def lines(draw):
    """A line with its text alone, or with times of words."""
    *starts, last = sorted(draw(st.lists(HUNDREDTHS, min_size=2, max_size=6)))
    texts = [draw(TEXT.map(str.strip).filter(bool)) for _ in starts]
    end = draw(st.none() | st.just(last))
    if len(starts) == 1:
        return Line(starts[0], texts[0], (), end)
    words = tuple(Word(start, text + " ") for start, text in zip(starts[:-1], texts, strict=False))
    words = (*words, Word(starts[-1], texts[-1]))
    return Line(starts[0], "".join(word.text for word in words), words, end)


TITLES = st.dictionaries(st.sampled_from(["ti", "ar", "al", "by"]), TEXT.map(str.strip).filter(bool))


@given(st.lists(lines(), min_size=1, max_size=8), TITLES)
def test_what_is_written_is_read(many, metadata):
    lyrics = Lyrics(tuple(sorted(many, key=lambda line: line.start_s)), metadata)
    assert parse_lrc(format_lrc(lyrics)) == lyrics


@given(st.text(max_size=100))
def test_any_text_is_read_and_written_again(text):
    once = parse_lrc(text)
    assert parse_lrc(format_lrc(once)).lines == once.lines


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        *(("[00:01.5]", 1.5), ("[0:01.50]", 1.5), ("[00:01.500]", 1.5), ("[00:01]", 1.0), ("[00:01:50]", 1.5)),
        *(("[ 00:01,25 ]", 1.25), ("[123:45.67]", 7425.67), ("[01:02:03.4]", 3723.4)),
    ],
)
def test_spellings_of_times(time, seconds):
    assert parse_lrc(f"{time} la").lines == (Line(seconds, "la"),)


def test_a_line_that_is_sung_several_times():
    text = "[00:20.00][00:10.00]<00:20.00>la <00:20.50>le\n[00:15.00] chorus"
    first, second, third = parse_lrc(text).lines
    assert (first.start_s, first.words) == (10.0, (Word(10.0, "la "), Word(10.5, "le")))
    assert (second.text, third.words[1].start_s) == ("chorus", 20.5)


def test_times_of_words_in_both_brackets_and_the_end_of_a_line():
    for text in (
        "[00:05.00]so <00:05.50>far <00:06.25>away<00:08.00>",
        "[00:05.00]so [00:05.50]far [00:06.25]away[00:08.00]",
    ):
        assert parse_lrc(text).lines == (WORDS,)


def test_metadata_and_the_offset():
    lyrics = parse_lrc("[ti: Song ]\n[AR:Band]\n[#:remark]\n[offset:+500]\n[00:01.00]la\n[00:00.20]le")
    assert lyrics.metadata == {"ti": "Song", "ar": "Band"}
    assert [line.start_s for line in lyrics.lines] == [0.0, 0.5]
    assert lyrics.problems == ()


def test_brackets_in_words_are_no_times():
    assert parse_lrc("[00:01.00][Chorus] <3 [x2]").lines == (Line(1.0, "[Chorus] <3 [x2]"),)


def test_damaged_lines_are_named_and_the_others_read():
    lyrics = parse_lrc(
        "[00:01.00]one\n[00:0x.00]two\n[00:75.00]three\nfour\n[offset:soon]\n[00:05.00]five\n" + "x" * 5000
    )
    assert [line.text for line in lyrics.lines] == ["one", "five"]
    assert [problem.split()[:2] for problem in lyrics.problems] == [["line", str(n)] for n in (2, 3, 5, 7, 4)]


def test_plain_text_becomes_lines_without_times():
    lyrics = parse_lrc("\n\none\n\ntwo\n")
    assert lyrics.lines == (Line(None, "one"), Line(None, ""), Line(None, "two"))
    assert not lyrics.timed
    assert lyrics.text == "one\n\ntwo"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings(tmp_path, encoding):
    (tmp_path / "a.lrc").write_bytes("[00:01.00]Grüße, 君が代\r\n".encode(encoding))
    assert read_lyrics(tmp_path / "a.lrc") == Lyrics((Line(1.0, "Grüße, 君が代"),))


def test_old_encodings_are_read_and_reported(tmp_path):
    (tmp_path / "a.lrc").write_bytes("[00:01.00]déjà “vu”".encode("cp1252"))
    lyrics = read_lyrics(tmp_path / "a.lrc")
    assert lyrics.lines[0].text == "déjà “vu”"
    assert lyrics.problems == ("is neither UTF-8 nor UTF-16: read as Windows-1252",)


@pytest.mark.parametrize("data", [None, b"", b"[ti:a]\n", b"[00:0x]la", b"RIFF\0\1\2\3" * 9, b"la\n" * 2_000_000])
def test_what_holds_no_lyrics_is_one_error(tmp_path, data):
    path = tmp_path / "a.lrc"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(LyricsError, match=r"a\.lrc: "):
        read_lyrics(path)


def test_tempo_and_excerpts_move_all_times():
    assert TIMED.at_tempo(50).lines[1] == Line(
        10.0, "so far away", (Word(10.0, "so "), Word(11.0, "far "), Word(12.5, "away")), 16.0
    )
    part = TIMED.excerpt(6.0, 9.0)
    assert [(line.start_s, line.text, line.end_s) for line in part.lines] == [(0.0, "so far away", 2.0)]


def audio(path: pathlib.Path) -> pathlib.Path:
    return write(path, tones(0.2), RATE, format="MP3" if path.suffix == ".mp3" else None)


@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.ogg", "a.wav"])
def test_lyrics_with_times_go_through_tags(tmp_path, name):
    tags = Tags({"syncedlyrics": (format_lrc(TIMED).strip(),), "lyrics": ("one\nso far away",)})
    write_tags(audio(tmp_path / name), tags)
    assert read_tags(tmp_path / name).fields == tags.fields
    assert lyrics_of_tags(read_tags(tmp_path / name)) == TIMED


def test_frames_of_timed_lyrics(tmp_path):
    entries = [("la ", 1000), ("le", 1500), ("\nli ", 2000), ("lo", 2500)]
    for text, expected in (
        (entries, ["la le", "li lo"]),
        ([(words.strip(), time) for words, time in entries], ["la", "le", "li", "lo"]),
    ):
        tags = ID3()
        tags.add(SYLT(encoding=3, lang="eng", format=2, type=1, desc="", text=text))
        tags.add(USLT(encoding=3, lang="eng", desc="", text="plain"))
        tags.save(audio(tmp_path / "a.mp3"))
        lyrics = find_lyrics(tmp_path / "a.mp3").lyrics
        assert [line.text for line in lyrics.lines] == expected
        assert lyrics.lines[0].start_s == 1.0
    write_tags(tmp_path / "a.mp3", Tags({"syncedlyrics": (format_lrc(TIMED),)}))
    frame = ID3(tmp_path / "a.mp3").getall("SYLT")[0]
    assert frame.text[:3] == [("\none", 1000), ("\nso ", 5000), ("far ", 5500)]


def test_tags_follow_tempo_and_excerpts():
    tags = Tags({"lyrics": ("[00:04.00]la",), "syncedlyrics": ("[00:02.00]le",), "title": ("[00:01.00]",)})
    assert tags.at_key_and_tempo(0, 50).fields["lyrics"] == ("[00:08.00]la",)
    assert tags.excerpt(3 * RATE, 9 * RATE, RATE).fields["syncedlyrics"] == ("[00:00.00]le",)
    assert tags.excerpt(3 * RATE, RATE // 2, RATE).fields == {
        "syncedlyrics": ("[00:00.00]le",),
        "title": ("[00:01.00]",),
    }
    plain = Tags({"lyrics": ("la",)})
    assert plain.excerpt(0, RATE, RATE).fields == plain.at_key_and_tempo(1, 90).fields == plain.fields


def test_the_file_beside_a_song_comes_before_its_tags(tmp_path):
    song = audio(tmp_path / "a.flac")
    assert find_lyrics(song) is None
    write_tags(song, Tags({"lyrics": ("from tags",)}))
    assert find_lyrics(song).lyrics.text == "from tags"
    for name in ("a.flac.lrc", "a.LRC", "a.lrc"):
        (tmp_path / name).write_text(f"[00:01.00]{name}")
        assert find_lyrics(song).lyrics.text == name
        assert find_lyrics(song).place == name
