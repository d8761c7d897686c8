import json

import pytest
from conftest import tones, vocalsep, write

from vocalsep.model_files import registry


def test_models_lists_what_one_wants_to_know():
    (model,) = [m for m in json.loads(vocalsep("models", "--json").stdout) if m["name"] == "default"]
    assert model["sample_rate"] == 44100
    assert model["sha256"] == registry.checksum(registry.find("default"))
    assert model["licence"] != "not stated"
    assert model["figures"]
    text = vocalsep("models").stdout.decode()
    for word in ("default", "44100 Hz", "MB", model["sha256"]):
        assert word in text


def test_info_of_a_song(tmp_path):
    song = write(tmp_path / "song.flac", tones(2.0, 48000), 48000, subtype="PCM_24")
    description = json.loads(vocalsep("info", song, "--json").stdout)
    assert (description["sample_rate"], description["channels"], description["samples"]) == (48000, 2, 96000)
    assert description["split_subtype"] == "PCM_24"
    assert "split_time_s" not in description
    estimate = json.loads(vocalsep("info", song, "--estimate", "--json").stdout)
    assert estimate.pop("split_size_bytes") == 2 * 96000 * 2 * 3
    assert estimate.pop("split_time_s") > 0
    assert estimate == description
    assert "2.0" in vocalsep("info", song).stdout.decode()


def test_info_of_a_model_file():
    info = json.loads(vocalsep("info", registry.find("default"), "--json").stdout)
    assert info["architecture"] == "spleeter"
    assert "flops" not in info
    info = json.loads(vocalsep("info", registry.find("default"), "--estimate", "--json").stdout)
    assert 0 < info["flops"] <= spleeters_flops() / 2


def spleeters_flops():
    """Per second of audio: two U-Nets, whose layers halve bins and frames on the way down and double them back up."""
    filters = (2, 16, 32, 64, 128, 256, 512)
    down = sum(25 * filters[i] * filters[i + 1] * 1024 * 512 / 4 ** (i + 1) for i in range(6))
    up = sum(
        25 * entering * leaving * 1024 * 512 / 4 ** (6 - i)
        for i, (entering, leaving) in enumerate([(512, 256), (512, 128), (256, 64), (128, 32), (64, 16), (32, 1)])
    )
    head = 16 * 2 * 1024 * 512
    return 2 * 2 * (down + up + head) / 512 * 44100 / 1024


def test_info_of_what_is_no_song_is_one_line(tmp_path):
    (tmp_path / "a.mp3").write_text("words")
    done = vocalsep("info", tmp_path / "a.mp3")
    assert done.returncode == 2
    assert len(done.stderr.decode().splitlines()) == 1


def test_help_and_version_answer():
    assert b"karaoke" in vocalsep("--help").stdout
    assert vocalsep("--version").stdout.startswith(b"vocalsep ")
    for command in ("split", "karaoke", "models", "info"):
        assert vocalsep(command, "--help").returncode == 0
    assert vocalsep("split").returncode == 2


@pytest.mark.parametrize(
    ("command", "option"),
    [("serve", "--max-upload"), ("serve", "--max-minutes"), ("compare", "--minutes"), ("evaluate", "--snr")],
)
def test_a_number_that_is_none_is_refused(command, option):
    for value in ("nan", "inf"):
        done = vocalsep(command, option, value)
        assert done.returncode == 2
        assert b"is not a finite number" in done.stderr


def test_help_shows_whole_summaries_and_plain_names():
    overview = vocalsep("--help").stdout.decode()
    assert "..." not in overview.partition("Commands:")[2]
    for command, usage in (("split", "PATH..."), ("info", "FILE"), ("average", "MODEL..."), ("bench", "[SONG]")):
        text = vocalsep(command, "--help").stdout.decode()
        assert f"vocalsep {command} [OPTIONS] {usage}\n" in text
        assert "<str>" not in text
        assert "{PATH" not in text


def test_debug_shows_where_an_error_was_raised(tmp_path):
    (tmp_path / "a.mp3").write_text("words")
    for command in (["info"], ["split", "--out", tmp_path / "out"]):
        plain = vocalsep(*command, tmp_path / "a.mp3")
        assert b"Traceback" not in plain.stderr
        debug = vocalsep("--debug", *command, tmp_path / "a.mp3")
        assert debug.returncode == plain.returncode == 2
        assert b"Traceback" in debug.stderr
        assert plain.stderr.splitlines()[-1] in debug.stderr


def test_doctor_tries_everything_on_one_screen():
    done = vocalsep("doctor")
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0, done.stderr
    assert lines[-1] == "all is well"
    assert len(lines) < 25
    assert any(line.startswith("model") and "checksum as published" in line for line in lines)
    failed = vocalsep("doctor", "--model", "nosuch")
    assert failed.returncode == 2
    assert b"nosuch" in failed.stderr
