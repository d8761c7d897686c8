"""Standard streams in any encoding, closed, full or absent, for every command."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
from conftest import read, tones, vocalsep, write

posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
NAME = "絆 łza 🎤.wav"
RARE = ("cp037", "utf-16")
ENCODINGS = ["cp1252", "ascii", "shift_jis", "utf-8", *(pytest.param(name, marks=pytest.mark.slow) for name in RARE)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    write(folder / NAME, tones(0.5))
    write(folder / "a.wav", tones(0.5))
    return folder


def ran(arguments, folder, encoding="utf-8", redirections="", environment=None):
    """Run a command line in a shell, where its streams can be closed; NAME stands for the odd name."""
    line = f'exec "$PYTHON" -m vocalsep {arguments} {redirections}'
    variables = {"PYTHON": sys.executable, "NAME": NAME, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env={**os.environ, **variables, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr.decode(encoding, "replace"), done.stderr.decode(encoding, "replace")
    return done


@posix
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_file_names_outside_the_encoding_are_escaped(folder, encoding):
    done = ran('info "$NAME"', folder, encoding)
    assert done.returncode == 0
    output = done.stdout.decode(encoding)
    assert NAME.encode(encoding, "backslashreplace").decode(encoding) in output
    info = json.loads(ran('info "$NAME" --json', folder, encoding).stdout.decode(encoding))
    assert info["path"] == NAME


@posix
@pytest.mark.parametrize("command", ["split", "karaoke", pytest.param("plot", marks=pytest.mark.slow)])
def test_unprintable_names_do_not_fail_finished_work(folder, tmp_path, command):
    out = tmp_path / ("a.png" if command == "plot" else "out")
    done = ran(f'{command} "$NAME" -o "{out}"', folder, "cp1252")
    assert done.returncode == 0, done.stderr
    assert command == "plot" or b"\\u7d46" in done.stdout
    assert [path for path in tmp_path.rglob("*") if path.is_file()]


@posix
def test_a_summary_in_json_is_json_in_any_encoding(folder, tmp_path):
    done = ran(f'split "$NAME" no.wav -o "{tmp_path}" --json', folder, "cp1252")
    assert done.returncode == 1
    summary = json.loads(done.stdout.decode("ascii"))
    assert summary["files"][1]["input"] == NAME


@posix
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are always text")
def test_undecodable_file_names_are_printed_or_escaped(folder, tmp_path):
    odd = os.fsencode(tmp_path) + b"/caf\xe9.wav"
    with open(odd, "wb") as file:
        file.write((folder / "a.wav").read_bytes())
    name = {"NAME": os.fsdecode(odd), "LC_ALL": "C.UTF-8"}
    assert b"caf\xe9.wav" in ran('info "$NAME"', folder, "utf-8", environment=name).stdout
    for encoding in ("cp1252", "ascii"):
        assert b"caf\\udce9.wav" in ran('info "$NAME"', folder, encoding, environment=name).stdout


@posix
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_cost_no_work_and_get_no_file(folder, tmp_path, closed):
    done = ran(f'split a.wav -o "{tmp_path}"', folder, redirections=closed)
    assert done.returncode == 0, done.stderr
    stems = [read(tmp_path / f"a/{stem}.wav") for stem in ("vocals", "accompaniment")]
    assert abs(sum(stems) - read(folder / "a.wav")).max() == 0


@posix
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("arguments", ["--version", "nosuch", "info a.wav --json"])
def test_closed_streams_of_what_only_prints(folder, arguments, closed):
    done = ran(arguments, folder, redirections=closed)
    assert done.returncode == (2 if arguments == "nosuch" else 0)


def test_every_command_helps_and_complains_without_streams(tmp_path):
    # As under pythonw, where there are no streams.
    code = """
import pathlib, sys
from vocalsep.cli import main
from vocalsep.cli.app import app
codes = set()
for command in [None, *(command.name for command in app.registered_commands)]:
    for more in ("--help", "--nosuch"):
        sys.stdin = sys.stdout = sys.stderr = None
        sys.argv = ["vocalsep", *([command] if command else []), more]
        try:
            main()
        except SystemExit as error:
            codes.add((more, error.code))
pathlib.Path("codes").write_text(str(sorted(codes)))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "codes").read_text() == "[('--help', 0), ('--nosuch', 2)]"


@posix
@pytest.mark.parametrize(
    ("arguments", "closed", "words"),
    [
        ("split - -o out", "<&-", "standard input, which is closed"),
        ("split a.wav -o - --stem vocals", ">&-", "standard output, which is closed"),
        ("karaoke a.wav -o -", ">&-", "standard output, which is closed"),
        ("split - -o out", "0>/dev/null", "standard input cannot be read"),
        ("models", "1</dev/null", "standard output cannot be written"),
        ("--version", ">/dev/full", "standard output cannot be written: the disk is full"),
        ("split --help", ">/dev/full", "standard output cannot be written: the disk is full"),
    ],
)
def test_what_a_stream_is_needed_for_is_one_line(folder, arguments, closed, words):
    if "/dev/full" in closed and not pathlib.Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    done = ran(arguments, folder, redirections=closed)
    assert done.returncode == 2
    assert words in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1
    assert not (folder / "out").exists()


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_standard_error_fails_no_song(folder, tmp_path):
    done = ran(f'split a.wav "$NAME" no.wav -o "{tmp_path}"', folder, redirections="2>/dev/full")
    assert done.returncode == 1
    assert len(list(tmp_path.rglob("*.wav"))) == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ("split", ""),
        ("split", "a.wav", ""),
        ("split", "a.wav", "--out", ""),
        ("split", "a.wav", "--out="),
        ("split", "a.wav", "--name", ""),
        ("split", "a.wav", "--model", ""),
        ("split", "a.wav", "--format", ""),
        ("karaoke", "a.wav", "-o", ""),
        ("info", ""),
        ("plot", "a.wav", "-o", ""),
        ("train", "--out", ""),
        ("train", "--stems", ""),
        ("evaluate", "--stems", "songs", "--out", ""),
        ("export", ""),
        ("serve", "--library", ""),
    ],
)
def test_an_empty_argument_is_one_line(tmp_path, arguments):
    done = vocalsep(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "is empty" in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())
