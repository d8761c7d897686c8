"""The same song gives the same bytes, whenever it is split."""

import shutil
import time

import pytest
from conftest import tones, vocalsep, write

from vocalsep.audio.formats import FORMATS
from vocalsep.tags import Tags, write_tags

# Times of day are written in whole seconds.
TICK_S = 1.1


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    path = write(tmp_path_factory.mktemp("song") / "A song.flac", tones(2.5))
    write_tags(path, Tags({"title": ("One",), "artist": ("Two",), "album": ("Three",)}))
    return path


@pytest.mark.parametrize("form", [*FORMATS, "wav float", "wav double", "flac pcm_24"])
def test_two_runs_write_the_same_bytes(separator, song, tmp_path, form):
    name, _, subtype = form.partition(" ")
    written = []
    for run in (1, 2):
        began = int(time.time())
        paths = separator.separate_file(song, tmp_path / str(run), format=name, subtype=subtype or None)
        written.append({stem: path.read_bytes() for stem, path in paths.items()})
        if run == 1 and (subtype in ("float", "double") or name == "ogg"):
            time.sleep(max(0, began + TICK_S - time.time()))
    assert written[0] == written[1]


def test_the_numbers_of_ogg_pages_and_their_sums_are_right(separator, song, tmp_path):
    path = separator.separate_file(song, tmp_path, format="ogg")["vocals"]
    data = path.read_bytes()
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x104C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
        table.append(value)
    at = 0
    while at < len(data):
        assert data[at : at + 4] == b"OggS"
        assert data[at + 14 : at + 18] == (1).to_bytes(4, "little")
        size = 27 + data[at + 26] + sum(data[at + 27 : at + 27 + data[at + 26]])
        page = data[at : at + 22] + bytes(4) + data[at + 26 : at + size]
        found = 0
        for byte in page:
            found = (found << 8 & 0xFFFFFFFF) ^ table[found >> 24 ^ byte]
        assert found == int.from_bytes(data[at + 22 : at + 26], "little")
        at += size


def test_karaoke_videos_too(tmp_path):
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        pytest.skip("needs the ffmpeg program")
    import subprocess

    film = tmp_path / "film.mkv"
    sound = write(tmp_path / "sound.wav", tones(2))
    picture = ["-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=2"]
    subprocess.run([ffmpeg, "-v", "error", *picture, "-i", sound, "-c:v", "mpeg4", "-c:a", "flac", film], check=True)
    written = []
    for run in (1, 2):
        done = vocalsep("karaoke", film, "-o", tmp_path / str(run), "-q")
        assert done.returncode == 0, done.stderr
        written.append((tmp_path / str(run) / "film (karaoke).mkv").read_bytes())
    assert written[0] == written[1]
