"""Errors hold what is wrong, which file, and what to do, and travel between processes."""

import pathlib
import pickle

import pytest

from vocalsep import errors
from vocalsep.cli.errors import error_line

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.VocalsepError)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_parts_make_one_line_and_survive_pickling(kind):
    error = kind("is empty", path=pathlib.Path("song.wav"), hint="copy it again")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.reason, again.path, again.hint) == ("is empty", "song.wav", "copy it again")
    assert str(again) == "song.wav: is empty; copy it again"


def test_a_path_is_named_once():
    error = errors.AudioError("is empty")
    assert str(error) == "is empty"
    assert str(error.about("a.wav")) == "a.wav: is empty"
    assert str(error.about("b.wav")) == "a.wav: is empty"


@pytest.mark.parametrize(
    ("error", "options", "line"),
    [
        (errors.OutputExistsError("exists already", path="a.wav"), {"overwrite"}, "; --overwrite replaces it"),
        (errors.OutputExistsError("exists already", path="a.wav"), (), "a.wav: exists already"),
        (
            errors.DamagedError("damaged file", hint="salvage=True"),
            {"salvage"},
            "; --salvage takes what can be decoded",
        ),
        (errors.DamagedError("damaged file", hint="salvage=True"), (), "`vocalsep split --salvage` takes what"),
        (errors.AudioError("is empty", path="a.wav", hint="copy it again"), (), "a.wav: is empty; copy it again"),
        (errors.UnexpectedError("unexpected\nKeyError: 1"), (), "unexpected KeyError: 1; please report this"),
    ],
)
def test_errors_name_only_options_of_their_command(error, options, line):
    assert line in error_line(error, options)
    assert "salvage=True" not in error_line(error, options)
