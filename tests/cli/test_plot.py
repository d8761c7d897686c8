import numpy as np
import pytest
from conftest import RATE, tones, vocalsep, write
from matplotlib import image

from vocalsep.evaluation.plots import BLOCK, spectrograms


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


@pytest.mark.parametrize("seconds", [3.0, 14.0, 27.0])
def test_columns_are_at_their_time(seconds):
    """Long sounds have several frames in a column."""
    sound = np.zeros((2, round(seconds * RATE)))
    clicks = np.array([0.1, 0.6, 0.9]) * seconds
    sound[:, (clicks * RATE).astype(int)] = 1
    axes = spectrograms({"mixture": sound}, RATE).axes[0]
    (mesh,) = axes.collections
    times, columns = mesh.get_coordinates()[0, :, 0], mesh.get_array().max(axis=0)
    column_s = times[1] - times[0]
    assert axes.get_xlim()[1] == pytest.approx(seconds, abs=2 * column_s)
    for click in clicks:
        assert abs(times[:-1] + column_s / 2 - click)[columns > -20].min() <= column_s


def test_magnitudes_are_those_of_torch():
    """Also where blocks meet, and in columns of several frames, of which the loudest is shown."""
    import torch

    rng = np.random.default_rng(0)
    sound = rng.standard_normal((2, BLOCK + 3 * RATE)) * np.linspace(0.1, 1, BLOCK + 3 * RATE)
    (mesh,) = spectrograms({"mixture": sound}, RATE).axes[0].collections
    options = {"window": torch.hann_window(2048, dtype=torch.float64), "pad_mode": "constant", "return_complex": True}
    power = np.mean(torch.stft(torch.from_numpy(sound), 2048, 512, **options).abs().numpy() ** 2, axis=0)
    joined = -(-sound.shape[1] // (900 * 512))
    assert joined > 1
    power = np.pad(power, ((0, 0), (0, -power.shape[1] % joined))).reshape(1025, -1, joined).max(axis=2)
    expected = 10 * np.log10(power / power.max())
    assert np.abs(mesh.get_array().reshape(expected.shape) - expected).max() < 0.01


def test_a_mask_is_the_share_of_one_sound_in_another():
    rng = np.random.default_rng(0)
    sound = rng.standard_normal((2, RATE)) * (np.arange(RATE) < RATE // 2)
    figure = spectrograms({"mixture": sound, "mask, a": ("vocals", "mixture"), "vocals": 0.3 * sound}, RATE)
    (mesh,) = figure.axes[1].collections
    shown = mesh.get_array().reshape(1025, -1)
    assert np.abs(shown[:, : RATE // 2 // 512 - 2] - 0.3).max() < 1e-6
    # Where the mixture is silent there is no share.
    assert not shown[:, RATE // 2 // 512 + 4 :].any()
