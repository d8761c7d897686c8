import numpy as np
import pytest
from conftest import RATE, tones, vocalsep, write
from matplotlib import image


def test_plot_shows_the_song(tmp_path):
    song = write(tmp_path / "song.wav", tones(3.0), RATE)
    done = vocalsep("plot", song, "--out", tmp_path / "song.png", "--start", 0.5, "--duration", 2)
    assert done.returncode == 0, done.stderr.decode()
    pixels = image.imread(tmp_path / "song.png")
    assert min(pixels.shape[:2]) > 400
    assert len(np.unique(pixels[..., :3].reshape(-1, 3), axis=0)) > 500
    again = vocalsep("plot", song, "--out", tmp_path / "song.png")
    assert again.returncode == 2
    assert b"--overwrite" in again.stderr
    assert vocalsep("plot", song, "--out", tmp_path / "song.pdf", "--duration", 1).returncode == 0
    assert (tmp_path / "song.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("gone.wav",), "no such file"),
        (("{song}", "--start", "9"), "lies past its end at 1.0 s"),
        (("{song}", "--out", "song.exe"), "ends in .png"),
        (("{song}", "--model", "nobody"), "unknown model"),
    ],
)
def test_invalid_arguments_give_one_line(tmp_path, more, message):
    song = write(tmp_path / "song.wav", tones(1.0), RATE)
    done = vocalsep("plot", *(part.format(song=song) for part in more), cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [song]
