"""Errors hold what is wrong, which file, and what to do, and travel between processes."""

import pathlib
import pickle

import pytest

from vocalsep import errors

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
