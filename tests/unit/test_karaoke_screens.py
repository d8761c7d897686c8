"""What a karaoke video shows when, and how words are laid out and drawn."""

import itertools
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vocalsep.errors import MissingExtraError, UsageError
from vocalsep.karaoke_video import VideoSettings, check_drawing
from vocalsep.karaoke_video.drawing import Drawing
from vocalsep.karaoke_video.fonts import FontChoice, choose_font
from vocalsep.karaoke_video.frames import Frame, Overlay, yuv_frame
from vocalsep.karaoke_video.screens import CARD, SMALL, find_passages, plan_screens
from vocalsep.lyrics import Line, Lyrics, parse_lrc

SONG = "[00:10.00]one\n[00:13.00]<00:13.00>two <00:14.00>three\n[00:15.00]\n[00:40.00]four\n[00:42.00]five"


def screen_at(screens, time):
    return [screen for screen in screens if screen.start_s <= time][-1]


@pytest.fixture(scope="module")
def song():
    passages = find_passages(parse_lrc(SONG))
    return passages, plan_screens(passages, titled=True)


def test_the_title_comes_first_and_makes_room_for_the_words(song):
    _, screens = song
    assert (screens[0].start_s, screens[0].title, screens[0].current) == (0.0, CARD, None)
    assert (screen_at(screens, 8.0).title, screen_at(screens, 8.0).current) == ("", 0)
    assert plan_screens([], titled=True) == [screens[0]]
    at_once = plan_screens(find_passages(parse_lrc("[00:00.50]la")), titled=True)
    assert [(screen.title, screen.current) for screen in at_once] == [(SMALL, 0), (SMALL, None), ("", None)]


def test_a_line_and_the_next_one_are_shown(song):
    passages, screens = song
    assert [passage.start_s for passage in passages] == [10.0, 13.0, 40.0, 42.0]
    assert passages[1].end_s == 15.0
    shown = [
        (screen_at(screens, time).current, screen_at(screens, time).following) for time in (10.5, 13.5, 40.5, 42.5)
    ]
    assert shown == [(0, 1), (1, None), (2, 3), (3, None)]


def test_long_pauses_are_empty_and_counted_in(song):
    _, screens = song
    assert screen_at(screens, 20.0).current is None
    assert [screen_at(screens, time).count for time in (6.5, 7.5, 8.5, 9.5, 10.5, 36.5, 37.5, 39.9, 40.0, 41.5)] == [
        *(0, 3, 2, 1, 0),
        *(0, 3, 1, 0, 0),
    ]


def test_words_are_sung_one_after_another(song):
    passages, _ = song
    line = passages[1]
    assert [line.sung(0, time) for time in (12.9, 13.0, 13.5, 14.0, 14.5, 15.0)] == [0, 0, 2, 4, 6.5, 9]
    assert [passages[0].sung(0, time) for time in (9.9, 10.0)] == [0, 3]


def test_lines_of_one_time_are_shown_together():
    (passage,) = find_passages(parse_lrc("[00:01.00]君が代は\n[00:01.00]May your reign"))
    assert [line.text for line in passage.lines] == ["君が代は", "May your reign"]


@given(st.lists(st.tuples(st.integers(0, 600_000), st.sampled_from(["", "la", "la la la la la la"])), max_size=12))
def test_each_line_is_on_the_screen_while_it_is_sung(rows):
    lines = [Line(time / 1000, text) for time, text in sorted(rows)]
    passages = find_passages(Lyrics(tuple(lines)))
    screens = plan_screens(passages, titled=True)
    assert [line.text for passage in passages for line in passage.lines] == [line.text for line in lines if line.text]
    assert screens[0].start_s == 0
    assert all(before.start_s < after.start_s for before, after in itertools.pairwise(screens))
    for number, passage in enumerate(passages):
        for time in (passage.start_s, (passage.start_s + passage.end_s) / 2):
            if passage.end_s > passage.start_s:
                assert screen_at(screens, time).current == number


def wiped(text, width=640, height=360):
    passages = find_passages(Lyrics((Line(0.0, text),)))
    drawing = Drawing(width, height, choose_font([text]), passages)
    return drawing.scene(plan_screens(passages, titled=False)[0]).rows


@pytest.mark.parametrize("text", ["la", "la " * 30, "x" * 300, "君が代は" * 20, "w " * 900])
def test_words_fit_the_picture(text):
    rows = wiped(text.strip())
    assert all(row.sung.left >= 0 and row.sung.left + row.sung.width <= 640 for row in rows)
    assert all(row.sung.top + row.sung.height <= 360 for row in rows)
    assert all(one.first < other.first for one, other in itertools.pairwise(rows))


def test_words_from_right_to_left_are_sung_from_the_right():
    (row,) = wiped("שלום עולם")
    first, last = row.columns(4)
    assert last == row.sung.width
    assert 0.3 < (last - first) / row.sung.width < 0.7
    assert [row.columns(count) for count in (0, 9)] == [(0, 0), (0, row.sung.width)]
    assert wiped("hello")[0].columns(2)[0] == 0


def test_overlays_at_odd_places_and_over_edges():
    from PIL import Image

    image = Image.new("RGBA", (5, 3), (255, 255, 255, 255))
    for left, top in ((1, 1), (-3, 0), (6, 7), (2, 2)):
        frame = Frame(8, 8)
        overlay = Overlay(image, left, top, 8, 8)
        overlay.blend(frame)
        inside = np.zeros((8, 8), bool)
        inside[max(0, top) : max(0, top + 3), max(0, left) : max(0, left + 5)] = True
        assert np.array_equal(frame.luma == 235, inside)
        assert np.array_equal(frame.luma == 16, ~inside)


def test_colours_are_those_of_the_standard():
    from PIL import Image

    # BT.709 in 8 bits: Y, U and V of the primary colours.
    for colour, yuv in (
        ((255, 0, 0), (63, 102, 240)),
        ((0, 0, 255), (32, 240, 118)),
        ((255, 255, 255), (235, 128, 128)),
    ):
        frame = yuv_frame(Image.new("RGB", (4, 4), colour))
        assert (frame.luma[0, 0], frame.u[0, 0], frame.v[0, 0]) == pytest.approx(yuv, abs=1)


def test_characters_that_no_font_has_are_named(tmp_path):
    assert "\ue123" in choose_font(["la\ue123"]).missing
    assert choose_font(["la"]).missing == ""
    assert FontChoice(None).of_size(20).size == 20
    for name in ("none.ttf", "words.ttf"):
        (tmp_path / "words.ttf").write_text("no font")
        with pytest.raises(UsageError, match="font"):
            check_drawing(tmp_path / name)


def test_without_its_extra_a_line_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"vocalsep\[video\]"):
        check_drawing()


@pytest.mark.parametrize("size", [(1280, 721), (0, 720), (1280, 100_000)])
def test_impossible_sizes(size):
    with pytest.raises(UsageError, match="not possible"):
        VideoSettings(width=size[0], height=size[1])
