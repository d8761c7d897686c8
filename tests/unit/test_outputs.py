import json
import os
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vocalsep.errors import OutputError, OutputExistsError, UsageError
from vocalsep.jobs.inputs import InputFile, find_inputs
from vocalsep.jobs.name_template import check_template, fill_template
from vocalsep.jobs.outputs import OutputSpec, single_stem
from vocalsep.jobs.planning import Job, check_outputs
from vocalsep.system.atomic_files import Pending, write_text


def test_nothing_stands_under_the_final_name_before_commit(tmp_path):
    target = tmp_path / "a" / "b" / "song.wav"
    with Pending(target, overwrite=False) as pending:
        pending.path.write_bytes(b"half")
        assert not target.exists()
        assert pending.path.suffix == ".wav"
        pending.commit()
    assert target.read_bytes() == b"half"
    assert os.listdir(target.parent) == ["song.wav"]


def test_discarded_outputs_leave_no_files_or_folders(tmp_path):
    with Pending(tmp_path / "a" / "b" / "song.wav", overwrite=False) as pending:
        pending.path.write_bytes(b"half")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_appears_in_the_meantime_is_kept(tmp_path):
    target = tmp_path / "song.wav"
    with Pending(target, overwrite=False) as pending:
        pending.path.write_bytes(b"ours")
        target.write_bytes(b"theirs")
        with pytest.raises(OutputExistsError, match="exists already"):
            pending.commit()
    assert target.read_bytes() == b"theirs"
    assert os.listdir(tmp_path) == ["song.wav"]


def test_overwriting_replaces(tmp_path):
    target = tmp_path / "song.wav"
    target.write_bytes(b"old")
    with Pending(target, overwrite=True) as pending:
        pending.path.write_bytes(b"new")
        assert target.read_bytes() == b"old"
        pending.commit()
    assert target.read_bytes() == b"new"


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path):
    (tmp_path / "a").write_text("file")
    with pytest.raises(OutputError, match="cannot write to"):
        Pending(tmp_path / "a" / "song.wav", overwrite=False)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{name}/{artist}-{stem}", "unknown field {artist}"),
        ("{name}", "lacks {stem}"),
        ("/abs/{stem}", "relative path"),
        ("../{stem}", "relative path"),
        ("{name", "not understood"),
        ("{name.__class__}{stem}", "unknown field"),
        ("", "lacks {stem}"),
        ("{name:d}/{stem}", "not understood"),
        ("{name:/>20}/{stem}", "not understood"),
        ("{name:>{width}}/{stem}", "not understood"),
        ("{name:>300}/{stem}", "shorten it"),
        (f"{'long' * 70}/{{stem}}", "shorten it"),
    ],
)
def test_senseless_templates_are_refused(template, words):
    with pytest.raises(UsageError, match=words):
        check_template(template, 2)


@given(st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=300))
def test_names_always_fit_the_file_system(name):
    fields = {"name": name, "source": name, "stem": "karaoke", "ext": "flac", "model": "default"}
    filled = fill_template("{name} ({stem}).{ext}", fields)
    assert all(len(os.fsencode(part)) <= 255 for part in filled.parts)
    assert filled.name.endswith(" (karaoke).flac")


@pytest.mark.parametrize("name", ["...mp3", "..mp3", "...stem.mp4", "s3://bucket/.."])
def test_no_name_of_a_song_leads_out_of_the_output_folder(name):
    song = InputFile(pathlib.Path(name.rsplit("/", 1)[-1]))
    fields = {"name": song.name, "source": song.path.name, "stem": "vocals", "ext": "wav", "model": "default"}
    for template in ("{name}/{stem}.{ext}", "{source}/{stem}.{ext}"):
        filled = fill_template(template, fields)
        assert len(filled.parts) == 2
        assert not {".", ".."} & set(filled.parts)


def test_text_with_names_that_are_no_text_is_written(tmp_path):
    odd = os.fsdecode(b"caf\xe9")
    write_text(tmp_path / "songs.json", json.dumps([odd, "café"], ensure_ascii=False))
    assert "café" in (tmp_path / "songs.json").read_text("utf-8")
    assert json.loads((tmp_path / "songs.json").read_text("utf-8")) == [odd, "café"]


def _tree(root: pathlib.Path, *names: str) -> pathlib.Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def test_folders_patterns_and_files_each_once(tmp_path):
    root = _tree(tmp_path, "a.mp3", "b.FLAC", "notes.txt", "sub/c.m4a", "sub/.hidden.wav", "._a.mp3", "film.mkv")
    names = lambda songs: [song.path.name for song in songs]  # noqa: E731
    assert names(find_inputs([str(root)], False, None)[0]) == ["a.mp3", "b.FLAC", "film.mkv"]
    songs, missing = find_inputs([str(root), str(root / "a.mp3"), str(root / "*.mp3")], True, None)
    assert sorted(names(songs)) == ["a.mp3", "b.FLAC", "c.m4a", "film.mkv"]
    assert not missing
    assert {song.path.name: song.folder for song in songs}["c.m4a"] == pathlib.Path("sub")


def test_our_own_outputs_are_no_songs(tmp_path):
    root = _tree(tmp_path, "a.mp3", "separated/a/vocals.wav")
    songs, _ = find_inputs([str(root)], True, root / "separated")
    assert [song.path.name for song in songs] == ["a.mp3"]


def test_what_is_missing_says_why(tmp_path):
    (tmp_path / "empty").mkdir()
    _, missing = find_inputs([str(tmp_path / "no.mp3"), str(tmp_path / "empty"), str(tmp_path / "*.xyz")], False, None)
    assert [unusable.error.reason for unusable in missing] == [
        "no such file or folder",
        "no audio files in this folder",
        "no audio file matches this pattern",
    ]


def test_a_file_with_brackets_in_its_name_is_a_file(tmp_path):
    _tree(tmp_path, "song [live].mp3")
    songs, missing = find_inputs([str(tmp_path / "song [live].mp3")], False, None)
    assert len(songs) == 1
    assert not missing


def test_two_songs_never_share_an_output(tmp_path):
    one, other = InputFile(tmp_path / "a.mp3"), InputFile(tmp_path / "a.flac")
    target = tmp_path / "out" / "a" / "vocals.wav"
    with pytest.raises(UsageError, match="would both write"):
        check_outputs(
            [Job(file, (OutputSpec(single_stem("vocals"), target),)) for file in (one, other)],
            overwrite=False,
            skip_existing=False,
        )


def test_an_input_is_never_replaced(tmp_path):
    song = InputFile(tmp_path / "a.wav")
    output = OutputSpec(single_stem("vocals"), tmp_path / "a.wav")
    with pytest.raises(OutputError, match="one of the inputs"):
        check_outputs([Job(song, (output,))], overwrite=True, skip_existing=False)


def test_stem_files_lose_both_suffixes():
    assert InputFile(pathlib.Path("A - B.stem.mp4")).name == "A - B"


def test_an_interrupt_while_a_file_is_created_leaves_nothing(tmp_path, monkeypatch):
    def interrupted_touch(path, exist_ok):
        path.write_bytes(b"")
        raise KeyboardInterrupt

    monkeypatch.setattr(pathlib.Path, "touch", interrupted_touch)
    with pytest.raises(KeyboardInterrupt):
        Pending(tmp_path / "a" / "song.wav", overwrite=False)
    assert list(tmp_path.iterdir()) == []
