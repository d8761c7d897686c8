"""`vocalsep bench`: that it measures what it says, not how fast this machine is."""

import json
import sys

import pytest
from conftest import tones, vocalsep, write

from vocalsep.benchmark.processes import run, write_song
from vocalsep.errors import UsageError

RECIPE = """
[model]
front_end = { sample_rate = 8000, n_fft = 256, hop = 64, bins = 64 }
network = { filters = [4, 8], level_frames = 8 }
[training]
batch_size = 2
[data]
frames = 32
"""


def test_all_figures_are_there(tmp_path):
    song = write(tmp_path / "song.flac", tones(6.0))
    peer = f"{sys.executable} -c 'import time; time.sleep(0.3)' {{song}} {{out}}"
    more = ("--against", peer, "--json", "--quiet")
    done = vocalsep("bench", song, "--rounds", 1, "--minutes", "0.1", *more)
    assert done.returncode == 0, done.stderr.decode()
    assert not done.stderr
    report = json.loads(done.stdout)
    names = [stage["name"] for stage in report["stages"]]
    assert names[0] == "decode"
    assert "network" in names
    assert names[-1] == "all of it, in process"
    for stage in report["stages"]:
        assert stage["seconds"] * stage["factor"] == pytest.approx(6.0, rel=1e-3)
    whole = report["stages"][-1]["seconds"]
    assert whole > max(stage["seconds"] for stage in report["stages"] if stage["name"] == "network") / 2
    assert 1e8 < report["network_flops"] < 2 * report["matrix_flops"]
    ours, theirs = report["processes"]
    assert ours["seconds"] > whole / 2
    assert ours["memory"] > 1e8
    assert 0.3 <= theirs["seconds"] < 5
    (length,) = report["memory"]
    assert length["minutes"] == 0.1
    assert length["memory"] > 1e8
    assert report["startup_s"] > 0.1


@pytest.mark.slow
def test_steps_of_training_are_counted(tmp_path):
    for stem, seed in (("vocals", 1), ("accompaniment", 2)):
        write(tmp_path / f"songs/one/{stem}.wav", tones(4.0, 8000, 2, seed), 8000)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f"{RECIPE}[[data.sets]]\nkind = 'stems'\npath = '{tmp_path / 'songs'}'\n")
    song = write(tmp_path / "song.flac", tones(1.0))
    done = vocalsep("bench", song, "--rounds", 1, "--train", recipe, "--json", "--quiet")
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    assert report["training"]["steps_per_second"] > 0.1
    assert 0 <= report["training"]["data_wait"] <= 1


def test_memory_is_that_of_the_program_itself():
    small, large = (run([sys.executable, "-c", f"x = b'x' * {size}"]) for size in (1, 300_000_000))
    assert large.memory - small.memory == pytest.approx(300e6, rel=0.1)


def test_songs_that_are_made_have_their_length(tmp_path):
    import soundfile

    info = soundfile.info(write_song(61.5, tmp_path / "a.flac"))
    assert (info.frames, info.channels) == (round(61.5 * 44100), 2)


def test_a_program_that_fails_says_why():
    with pytest.raises(UsageError, match="ended with 3: no luck"):
        run([sys.executable, "-c", "import sys; print('no luck', file=sys.stderr); sys.exit(3)"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--minutes", "long"), "not a list of numbers"),
        (("--minutes", "0"), "above 0"),
        (("--against", "nobody"), "neither of spleeter"),
        (("--against", "no-such-program {song}"), "not installed"),
        (("gone.wav",), "no such file"),
    ],
)
def test_what_cannot_be_measured_is_one_line(more, message):
    done = vocalsep("bench", *more)
    assert done.returncode == 2
    assert message in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1
