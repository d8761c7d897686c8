"""Names of outputs: safe on every file system, apart from each other, and found again by `evaluate`."""

import functools
import http.server
import json
import os
import pathlib
import shutil
import threading
import unicodedata

import pytest
from conftest import RATE, read, tones, vocalsep, write
from hypothesis import given
from hypothesis import strategies as st

from vocalsep.datasets.musdb18 import find_tracks
from vocalsep.datasets.pairs import find_pairs
from vocalsep.datasets.stems import find_songs as find_stems
from vocalsep.datasets.stems import find_sounds
from vocalsep.errors import AudioError
from vocalsep.evaluation.estimates import find_estimates
from vocalsep.jobs.inputs import find_inputs
from vocalsep.jobs.name_template import fill_template
from vocalsep.jobs.outputs import single_stem
from vocalsep.jobs.planning import OutputNaming, check_outputs, plan_jobs
from vocalsep.system.folders import files_in
from vocalsep.system.names import comparison_key, safe_name

TEMPLATE = "{name}/{stem}.{ext}"
RESERVED = ["CON", "nul", "Aux.wav", "COM1", "com9.tar.gz", "LPT3 .txt", "prn", "COM²", "conin$"]
links = pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")


def accepted(name: str) -> bool:
    """Whether Windows takes a name, by its own rules."""
    stem = name.split(".")[0].rstrip().upper()
    devices = {
        "CON",
        "PRN",
        "AUX",
        "NUL",
        "CONIN$",
        "CONOUT$",
        *(f"{d}{n}" for d in ("COM", "LPT") for n in "0123456789¹²³"),
    }
    return (
        bool(name)
        and not set(name) & set('<>:"/\\|?*')
        and not any(ord(character) < 32 for character in name)
        and name[-1] not in ". "
        and stem not in devices
    )


@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=300))
def test_every_name_becomes_one_that_windows_takes(name):
    safe = safe_name(name)
    assert accepted(safe)
    assert safe_name(safe) == safe
    if accepted(name) and "\x7f" not in name:
        assert safe == name


@pytest.mark.parametrize("name", RESERVED)
def test_names_of_devices(name):
    assert not accepted(name)
    assert accepted(safe_name(name))


@given(
    st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=260),
    st.integers(1, 12),
)
def test_output_names_are_safe_and_keep_stem_and_number(name, number):
    end = f" ({number})"
    fields = {"name": name + end, "source": name, "folder": "a:b", "stem": "karaoke", "ext": "flac", "model": "m"}
    filled = fill_template("{folder}/{name}/{stem}.{ext}", fields, {"name": end})
    assert all(accepted(part) and len(os.fsencode(part)) <= 255 for part in filled.parts)
    assert filled.parts[0] == "a_b"
    assert filled.parts[1].endswith(end)
    assert filled.name == "karaoke.flac"
    filled = fill_template("{name} [{stem}].{ext}", fields, {"name": end})
    assert filled.name.endswith(f"{end} [karaoke].flac")


def tree(root: pathlib.Path, *names: str) -> pathlib.Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def placed(root: pathlib.Path, named_ones: list[str], template: str = TEMPLATE, recursive: bool = False) -> list[str]:
    """Where the vocals of each song go, below the output folder, in the songs' order."""
    out = root / "out"
    files, unusable = find_inputs([str(root / name) for name in named_ones], recursive, out)
    assert not unusable
    mixes = [single_stem("vocals"), single_stem("accompaniment")]
    jobs = plan_jobs(files, [mixes] * len(files), OutputNaming(out, template, ".wav", "default"))
    check_outputs(jobs, overwrite=False, skip_existing=False)
    return [job.outputs[0].target.relative_to(out).as_posix().removesuffix("/vocals.wav") for job in jobs]


def test_songs_of_one_name_keep_their_folders(tmp_path):
    tree(tmp_path, "disc1/01.wav", "disc1/02.wav", "disc2/01.wav", "other/03.wav")
    assert placed(tmp_path, ["disc1", "disc2", "other"]) == ["disc1/01", "disc1/02", "disc2/01", "03"]
    assert placed(tmp_path, ["disc1/01.wav", "disc2/01.wav"]) == ["disc1/01", "disc2/01"]
    assert placed(tmp_path, ["*/01.wav"]) == ["disc1/01", "disc2/01"]
    assert placed(tmp_path, ["disc2", "disc1"])[::2] == ["disc2/01", "disc1/02"]
    assert placed(tmp_path, ["disc1", "other"]) == ["01", "02", "03"]


def test_as_many_folders_as_it_takes(tmp_path):
    tree(tmp_path, "a/cd/01.wav", "b/cd/01.wav", "b/dvd/01.wav")
    assert placed(tmp_path, ["a/cd", "b/cd"]) == ["a/cd/01", "b/cd/01"]
    assert placed(tmp_path, ["a/cd", "b/dvd"]) == ["cd/01", "dvd/01"]
    assert placed(tmp_path, ["a/cd", "b/cd", "b/dvd"]) == ["a/cd/01", "b/cd/01", "dvd/01"]
    assert placed(tmp_path, ["a", "b"], recursive=True) == ["a/cd/01", "b/cd/01", "b/dvd/01"]


def test_output_folders_do_not_collide_with_other_outputs(tmp_path):
    tree(tmp_path, "x/disc1/01.wav", "disc1/01.wav", "disc2/01.wav")
    found = placed(tmp_path, ["disc1", "disc2", "x"], recursive=True)
    assert len(set(map(comparison_key, found))) == 3


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.mp3", "a.flac"], ["a.flac", "a.mp3"]),
        (["a.stem.mp4", "a.wav"], ["a.stem.mp4", "a.wav"]),
        (["a?.wav", "a:.wav"], ["a_.wav", "a_.wav (2)"]),
        (["Song.wav", "song.wav"], ["Song.wav", "song.wav (2)"]),
        ([unicodedata.normalize(form, "é.wav") for form in ("NFC", "NFD")], None),
        (["a.wav", "a..wav"], None),
        (["CON.wav", "con_.wav"], None),
        (["a.wav", "A.wav", "a.wav (2).flac"], None),
    ],
)
def test_songs_of_one_name_in_one_folder(tmp_path, names, expected):
    tree(tmp_path / "in", *names)
    if len(list((tmp_path / "in").iterdir())) < len(names):
        pytest.skip("this file system takes the names for one")
    found = placed(tmp_path, ["in"])
    assert expected is None or found == expected
    assert len({comparison_key(place) for place in found}) == len(names)
    assert all(accepted(place) for place in found)


def test_the_field_folder(tmp_path):
    tree(tmp_path, "in/disc1/01.wav", "in/disc2/01.wav", "in/deep/disc1/01.wav")
    template = "{folder} - {name}/{stem}.{ext}"
    assert placed(tmp_path, ["in/disc1", "in/disc2"], template) == ["disc1 - 01", "disc2 - 01"]
    assert placed(tmp_path, ["in/disc1/01.wav"], "{folder}/{stem}.{ext}") == ["disc1"]
    template = "{folder}/{name}/{stem}.{ext}"
    assert placed(tmp_path, ["in/disc1", "in/disc2"], template) == ["disc1/01", "disc2/01"]
    assert placed(tmp_path, ["in"], template, True) == ["deep/disc1/01", "disc1/01", "disc2/01"]
    assert placed(tmp_path, ["in/disc1", "in/deep/disc1"], template) == ["in/disc1/01", "deep/disc1/01"]


def test_folders_get_safe_names_too(tmp_path):
    tree(tmp_path / "in", "AC:DC?/nul/01 .wav", "Why.../01.wav")
    assert placed(tmp_path, ["in"], recursive=True) == ["AC_DC_/nul_/01_", "Why___/01"]


@links
def test_links_are_followed_and_loops_end(tmp_path):
    tree(tmp_path, "in/a/1.wav", "elsewhere/deep/2.wav", "elsewhere/3.wav")
    (tmp_path / "in/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    (tmp_path / "in/a/up").symlink_to("..")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "in")
    (tmp_path / "in/broken").symlink_to("nowhere")
    found = [path.relative_to(tmp_path / "in").as_posix() for path in files_in(tmp_path / "in")]
    assert [name for name in found if name != "broken"] == ["a/1.wav", "link/3.wav", "link/deep/2.wav"]
    assert placed(tmp_path, ["in"], recursive=True) == ["a/1", "link/3", "link/deep/2"]


@links
def test_folders_that_link_to_each_other_come_to_an_end(tmp_path):
    for one in range(12):
        tree(tmp_path / f"{one}", "song.wav")
        for other in range(12):
            (tmp_path / f"{one}/to{other}").symlink_to(tmp_path / f"{other}")
    found = files_in(tmp_path)
    assert {path.resolve() for path in found} == {tmp_path / f"{one}/song.wav" for one in range(12)}
    assert len(found) < 1000


@links
def test_a_link_and_its_target_have_outputs_of_their_own(tmp_path):
    tree(tmp_path, "a.wav")
    (tmp_path / "b.wav").symlink_to("a.wav")
    (tmp_path / "c").mkdir()
    (tmp_path / "c/a.wav").symlink_to(tmp_path / "a.wav")
    assert placed(tmp_path, ["a.wav", "b.wav"]) == ["a", "b"]
    assert placed(tmp_path, ["a.wav", "c/a.wav"]) == [f"{tmp_path.name}/a", "c/a"]
    assert placed(tmp_path, ["a.wav", "./a.wav", "c/../a.wav", "a.*"]) == ["a"]


def test_the_advice_of_a_refused_template_works(tmp_path):
    for name in ("one/01.wav", "one/02.wav"):
        write(tmp_path / name, tones(0.2))
    refused = vocalsep("split", tmp_path / "one", "-o", tmp_path / "o", "--name", "x/{stem}.{ext}")
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    advice = refused.stderr.decode().split("'")[1]
    assert vocalsep("split", tmp_path / "one", "-o", tmp_path / "o", "--name", advice).returncode == 0
    both = vocalsep("split", tmp_path / "one", "-o", tmp_path / "p", "--name", "{name}{stem:.0}.{ext}")
    assert both.returncode == 2
    assert b"both stems of" in both.stderr


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """A set of two tracks and their mixtures."""
    root = tmp_path_factory.mktemp("sets")
    for number in ("1", "B: 2?"):
        if os.name != "posix":
            number = number[0]
        stems = {stem: tones(1.0, seed=place) for place, stem in enumerate(("vocals", "accompaniment"))}
        for stem, audio in stems.items():
            write(root / f"songs/{number}/{stem}.wav", audio, subtype="PCM_16")
        write(root / f"mix/{number}/mixture.wav", sum(stems.values()), subtype="PCM_16")
        write(root / f"flat/{number}.flac", sum(stems.values()), subtype="PCM_16")
    return root


@pytest.mark.parametrize(
    "arguments",
    [
        ["mix", "-r"],
        ["mix/*/mixture.wav"],
        ["flat", "--format", "opus"],
        ["mix", "-r", "--format", "m4a", "--stem", "vocals"],
        ["flat", "mix", "-r", "--format", "mp3"],
    ],
)
def test_evaluate_finds_what_split_writes(sets, tmp_path, arguments):
    done = vocalsep("split", *arguments, "-o", tmp_path / "est", "--quiet", cwd=sets)
    assert done.returncode == 0, done.stderr.decode()
    more = ("--estimates", tmp_path / "est", "--metrics", "usdr", "--oracles", "none", "--json")
    done = vocalsep("evaluate", "--stems", sets / "songs", "--jobs", 1, *more)
    assert done.returncode == 0, done.stderr.decode()
    scores = [track["scores"]["est"]["vocals"]["uSDR"] for track in json.loads(done.stdout)["tracks"]]
    assert len(scores) == 2


def test_which_estimate_is_whose(tmp_path):
    tree(
        tmp_path,
        "test/A/mixture/vocals.wav",
        "test/A/drums/vocals.wav",
        "B/Vocals.OGG",
        "b/vocals.wav",
        "x/C/vocals.wav",
        "D.mp3/vocals.m4a",
        "E.mp3/vocals.m4a",
        "E.flac/vocals.m4a",
        "inner/vocals.wav",
        "Song/vocals.wav",
        "song (2)/vocals.wav",
        "AC_DC_/vocals.wav",
    )
    find = functools.partial(find_estimates, tmp_path)
    assert find("A") == tmp_path / "test/A/mixture"
    assert find("B").name == "B"
    assert find("C") == tmp_path / "x/C"
    assert find("D") == tmp_path / "D.mp3"
    assert find("outer/inner") == tmp_path / "inner"
    assert (find("Song").name, find("song").name) == ("Song", "song (2)")
    assert find("AC:DC?") == tmp_path / "AC_DC_"
    assert find("nothing") is None
    with pytest.raises(AudioError, match="take one of them away"):
        find("E")


def test_stems_are_found_whatever_their_capitals(tmp_path):
    write(tmp_path / "stems/a/Vocals.WAV", tones(0.5), format="WAV")
    write(tmp_path / "stems/a/ACCOMPANIMENT.wav", tones(0.5))
    write(tmp_path / "pairs/a/Original.wav", tones(0.5))
    write(tmp_path / "pairs/a/Instrumental.wav", tones(0.5))
    assert [song.name for song in find_stems(tmp_path / "stems")] == ["a"]
    assert [pair.name for pair in find_pairs(tmp_path / "pairs")] == ["a"]
    if shutil.which("ffmpeg") is None:
        pytest.skip("musdb needs the ffmpeg program")
    for stem in ("Mixture", "Vocals", "DRUMS", "Bass", "other"):
        write(tmp_path / f"musdb/test/T/{stem}.wav", tones(0.5))
    (song,) = find_tracks(tmp_path / "musdb", "test")
    assert song.name == "T"
    assert len(song.accompaniment) == 3


@links
def test_data_in_linked_folders_is_found(tmp_path):
    write(tmp_path / "real/a/vocals.wav", tones(0.5))
    write(tmp_path / "real/a/accompaniment.wav", tones(0.5))
    (tmp_path / "set").mkdir()
    (tmp_path / "set/link").symlink_to(tmp_path / "real")
    assert [song.name for song in find_stems(tmp_path / "set")] == ["link/a"]
    assert len(find_sounds(tmp_path / "set")) == 2


@pytest.mark.parametrize("command", ["split", "karaoke", "info", "plot"])
@pytest.mark.parametrize("address", ["https://www.youtube.com/watch?v=abc", "http://127.0.0.1:1/a.mp3", "www.a.org/b"])
def test_a_web_address_says_what_to_do(tmp_path, command, address):
    done = vocalsep(command, address, cwd=tmp_path)
    assert done.returncode == 2
    assert "download it first" in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_file_of_the_web_is_fetched_where_that_can_be(tmp_path):
    pytest.importorskip("fsspec")
    pytest.importorskip("aiohttp")
    song = write(tmp_path / "www/a b.wav", tones(0.5), RATE)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=str(tmp_path / "www"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        done = vocalsep("split", f"{address}/a%20b.wav?token=1", "-o", tmp_path / "out", "--quiet")
        missing = vocalsep("split", f"{address}/none.wav", "-o", tmp_path / "out", "--quiet")
        server.shutdown()
    assert done.returncode == 0, done.stderr.decode()
    assert read(tmp_path / "out/a b/vocals.wav").shape == read(song).shape
    assert missing.returncode == 2
    assert b"cannot be fetched" in missing.stderr
