"""Folders of stems as people keep them: odd names, links, pipes, and files that are empty or no audio."""

from __future__ import annotations

import io
import os
import pathlib
import random

import soundfile
from conftest import tones

from vocalsep.datasets.cache import Cache
from vocalsep.datasets.clips import Clip, open_clip
from vocalsep.datasets.musdb18 import find_tracks
from vocalsep.datasets.songs import READABLE_STEMS, Song
from vocalsep.datasets.stems import find_songs, find_sounds
from vocalsep.errors import VocalsepError

from .defect import expect
from .mutations import damaged

RATE = 8000
FOLDERS = ("a song", "train", "test", ".hidden", "é", "x" * 200, "new\nline", "vocals.wav", "-o", "[ab]*?", b"\xff\xfe")
STEMS_CALLED = ("vocals", "accompaniment", "mixture", "drums", "bass", "other", "VOCALS", ".vocals", "vocals.stem", "")
SUFFIXES = (".wav", ".wav", ".wav", ".flac", ".WAV", ".mp3", ".stem.mp4", ".txt", "", ".wav.part")
BROKEN = ("fifo", "socket", "loop", "nowhere", "zero", "folder")


class Folders:
    """See `watch.Harness`."""

    def __init__(self, seeds: pathlib.Path, place: pathlib.Path):
        self.place = place
        self.sounds = [_sound(form, RATE, channels) for form in ("WAV", "FLAC") for channels in (1, 2)]
        self.sounds.append(_sound("WAV", 2 * RATE, 2))

    def attempt(self, random_: random.Random) -> None:
        """Fill a folder with what may lie there, and look for songs, sounds and tracks in it."""
        root = self.place / "songs"
        root.mkdir()
        self._fill(root, random_)
        messages: list[str] = []
        opener = Cache(self.place / "cache").open_clip if random_.random() < 0.3 else open_clip
        for find in (find_songs, find_sounds, find_tracks):
            try:
                files = find(root, on_unusable=messages.append, opener=opener)
            except VocalsepError:
                continue
            expect(files, "found nothing, and gave no error")
            for thing in files:
                _read(thing, random_)
        expect(all(message.strip() for message in messages), "an empty message")
        # Without a function for messages, the first one is raised as an error.
        if random_.random() < 0.5:
            find_songs(root)
            expect(not messages or find_sounds(root), "gave messages, but raised no error")

    def _fill(self, root: pathlib.Path, random_: random.Random) -> None:
        folders = [root]
        for _ in range(random_.randint(0, 3)):
            name = random_.choice(FOLDERS)
            folder = random_.choice(folders) / (os.fsdecode(name) if isinstance(name, bytes) else name)
            folder.mkdir(exist_ok=True)
            folders.append(folder)
        for _ in range(random_.randint(0, 8)):
            path = random_.choice(folders) / f"{random_.choice(STEMS_CALLED)}{random_.choice(SUFFIXES)}"
            if path.name not in ("", ".") and not os.path.lexists(path):
                self._make(path, root, random_)

    def _make(self, path: pathlib.Path, root: pathlib.Path, random_: random.Random) -> None:
        how = random_.random()
        if how < 0.6:
            path.write_bytes(random_.choice(self.sounds))
        elif how < 0.7:
            path.write_bytes(damaged(random_.choice(self.sounds), self.sounds[0], random_))
        elif how < 0.75:
            path.write_bytes(random_.choice((b"", b"\0", b"no sound", b"RIFF")))
        elif how < 0.85:
            path.symlink_to(random_.choice([*root.rglob("*"), root]))
        else:
            _break(path, random_.choice(BROKEN))


def _break(path: pathlib.Path, how: str) -> None:
    if how == "fifo":
        os.mkfifo(path)
    elif how == "socket":
        os.mknod(path, 0o140600)
    elif how == "loop":
        path.symlink_to(path.name)
    elif how == "nowhere":
        path.symlink_to("there is nothing of this name")
    elif how == "zero":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()


def _read(thing: Song | Clip, random_: random.Random) -> None:
    """Read the beginning, the end and the whole of what was found; a damaged end is an error of one line."""
    expect(thing.seconds >= 0, f"{thing.seconds} s long")
    if isinstance(thing, Song):
        expect(thing.name, "a song without a name")
    for start, samples in ((0, 10), (max(0, thing.samples - 5), 10), (0, None)):
        try:
            if isinstance(thing, Song):
                part = thing.read(random_.choice(READABLE_STEMS), start, samples)
            else:
                part = thing.read(start, samples)
        except VocalsepError as error:
            expect(str(error).strip(), "an error without words")
            continue
        expect(part.shape[0] == thing.channels, f"{part.shape[0]} channels instead of {thing.channels}")
        expect(samples is None or part.shape[1] == samples, f"{part.shape[1]} samples instead of {samples}")


def _sound(form: str, rate: int, channels: int) -> bytes:
    held = io.BytesIO()
    soundfile.write(held, tones(0.05, rate, channels).T, rate, format=form)
    return held.getvalue()
