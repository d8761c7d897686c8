"""Progress for programs (`--progress json`), and the speed that is printed at the end."""

import json
import re

import pytest
from conftest import tones, vocalsep, write


def lines_of(done):
    """The lines of JSON on standard error, and the other lines."""
    lines = done.stderr.decode().splitlines()
    return [json.loads(line) for line in lines if line[:1] == "{"], [line for line in lines if line[:1] != "{"]


def checked(lines, song, seconds):
    """The status of a song's last line; all lines of it go on from each other."""
    own = [line for line in lines if line["song"] == str(song)]
    assert own[0] == {**own[0], "status": "running", "done_s": 0.0, "total_s": seconds, "eta_s": None}
    assert [line["status"] for line in own[:-1]] == ["running"] * (len(own) - 1)
    assert [line["done_s"] for line in own] == sorted(line["done_s"] for line in own)
    assert all(line["done_s"] <= line["total_s"] for line in own)
    assert own[-1] == {**own[-1], "done_s": seconds, "total_s": seconds, "eta_s": 0.0}
    return own[-1]["status"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_song_has_lines_of_its_own(tmp_path, jobs):
    songs = [write(tmp_path / f"{name}.wav", tones(seconds)) for name, seconds in (("ä\nb", 2.0), ("c", 1.5))]
    damaged = tmp_path / "damaged.wav"
    damaged.write_bytes(b"no song")
    options = ("--out", tmp_path / "out", "--jobs", jobs, "--progress", "json", "--quiet")
    done = vocalsep("split", *songs, damaged, *options)
    assert done.returncode == 1
    lines, others = lines_of(done)
    assert checked(lines, songs[0], 2.0) == checked(lines, songs[1], 1.5) == "done"
    assert {(line["number"], line["songs"]) for line in lines} == {(1, 3), (2, 3), (3, 3)}
    (failed,) = [line for line in lines if line["song"] == str(damaged)]
    assert failed["status"] == "failed"
    assert others == [f"{damaged}: {failed['error']}"]
    again = vocalsep("split", *songs, *options, "--skip-existing")
    assert [line["status"] for line in lines_of(again)[0]] == ["skipped", "skipped"]


def test_a_passage_counts_its_own_seconds(tmp_path):
    song = write(tmp_path / "song.wav", tones(3.0))
    options = ("--start", 1, "--duration", 1.5, "--out", tmp_path / "out", "--progress", "json")
    lines, others = lines_of(vocalsep("karaoke", song, *options))
    assert checked(lines, song, 1.5) == "done"
    assert any(line.startswith("model default") for line in others)


def test_what_was_separated_and_how_fast_is_said_at_the_end(tmp_path):
    song = write(tmp_path / "song.wav", tones(2.0))
    done = vocalsep("split", song, "--out", tmp_path / "out")
    found = re.fullmatch(
        r"2\.0 s of sound in (\d+\.\d) s, (\d+\.\d) times real time", done.stderr.decode().splitlines()[-1]
    )
    assert found
    assert float(found[1]) > 0
    assert float(found[2]) > 0
    assert not vocalsep("split", song, "--out", tmp_path / "out", "--overwrite", "--quiet").stderr


def test_a_way_to_show_progress_that_is_unknown_is_refused(tmp_path):
    done = vocalsep("split", tmp_path / "song.wav", "--progress", "xml")
    assert done.returncode == 2
    assert b"'bar', 'json'" in done.stderr
