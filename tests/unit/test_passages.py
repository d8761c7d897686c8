"""--start and --duration: the stems of a time range are those of the whole song, to the sample."""

import numpy as np
import pytest
from conftest import DEMO, RATE, read, tones, vocalsep, write
from test_networks import RATE as SMALL_RATE
from test_networks import SMALL, model

from vocalsep import AudioError, Separator, UsageError
from vocalsep.inference.backend import MaskBackend
from vocalsep.jobs.time_range import TimeRange, parse_time
from vocalsep.model_files.checkpoint import save
from vocalsep.tags import Chapter, Tags, read_tags, write_tags
from vocalsep.tags.broadcast import TEXTS, Broadcast

PASSAGES = [(0.0, 1.0), (2.5, 3.0), (29.0, 4.0), (61.5, None), (0.3333, 0.3333), (70.0, 100.0)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("83.5", 83.5), ("1:23.5", 83.5), ("0", 0), (" 90 ", 90), ("1:02:03", 3723), ("75:00", 4500), (".5", 0.5)],
)
def test_times_are_understood(text, expected):
    assert parse_time(text) == expected


@pytest.mark.parametrize("text", ["", "-1", "1:60", "1:60:00", "1:2:3:4", "nan", "inf", "1e3", "1,5", "1:", "one", "²"])
def test_invalid_times_are_refused(text):
    with pytest.raises(UsageError, match="is not a time"):
        parse_time(text)


@pytest.mark.parametrize("options", [(-1.0, None), (0.0, 0.0), (0.0, -1.0), (float("nan"), None)])
def test_invalid_time_ranges_are_refused(options):
    with pytest.raises(UsageError):
        TimeRange(*options)


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    """Seventy-five seconds of stereo, of which half a minute leans to one side."""
    mixture = np.tile(tones(25, seed=1), 3)
    mixture[1, 20 * RATE : 50 * RATE] *= 0.01
    path = write(tmp_path_factory.mktemp("song") / "song.wav", mixture, subtype="FLOAT")
    return path


@pytest.fixture(scope="module")
def whole(separator, song, tmp_path_factory):
    paths = separator.separate_file(song, tmp_path_factory.mktemp("whole"))
    return {stem: read(path, "float32") for stem, path in paths.items()}


@pytest.mark.parametrize(("start", "duration"), PASSAGES)
def test_a_time_range_equals_the_whole(separator, song, whole, tmp_path, start, duration):
    paths = separator.separate_file(song, tmp_path, start=start, duration=duration)
    first = round(start * RATE)
    stop = None if duration is None else first + round(duration * RATE)
    for stem, path in paths.items():
        assert np.array_equal(read(path, "float32"), whole[stem][:, first:stop])


@pytest.mark.parametrize("rate", [16000, 48000, pytest.param(96000, marks=pytest.mark.slow)])
def test_at_other_rates_too(separator, tmp_path, rate):
    song = write(tmp_path / "song.wav", np.tile(tones(10, rate), 5), rate, subtype="FLOAT")
    whole = read(separator.separate_file(song, tmp_path / "whole")["vocals"], "float32")
    part = read(separator.separate_file(song, tmp_path / "part", start=31.7, duration=2)["vocals"], "float32")
    first = round(31.7 * rate)
    assert part.shape[1] == 2 * rate
    assert np.abs(part - whole[:, first : first + 2 * rate]).max() < 1e-6


@pytest.mark.parametrize("architecture", ["unet", "wave-unet"])
def test_of_any_network(tmp_path, architecture):
    save(tmp_path / "m.safetensors", *model(architecture, SMALL[architecture]), {})
    engine = Separator(tmp_path / "m.safetensors", **({"core_frames": 64} if architecture == "unet" else {}))
    mixture = tones(8, SMALL_RATE)
    mixture[0] *= 0.01
    whole = engine.separate(mixture, SMALL_RATE).vocals
    for first, stop in ((0, 5000), (30001, 30100), (60000, None)):
        blocks = np.split(mixture, [999, 20000], axis=1)
        pairs = list(engine.vocals_of(blocks, SMALL_RATE, 2, first=first, stop=stop))
        assert np.array_equal(np.concatenate([pair[0] for pair in pairs], axis=1), mixture[:, first:stop])
        assert np.array_equal(np.concatenate([pair[1] for pair in pairs], axis=1), whole[:, first:stop])


def test_no_more_is_read_and_computed_than_is_needed(separator):
    read_s, second = 0, tones(1, channels=1)

    def blocks():
        nonlocal read_s
        while True:
            read_s += 1
            yield second

    calls = []
    backend = separator.backend
    separator.streams.backend = Counted(backend, calls)
    try:
        pairs = list(separator.vocals_of(blocks(), RATE, 1, first=100 * RATE, stop=101 * RATE))
    finally:
        separator.streams.backend = backend
    assert sum(pair[0].shape[1] for pair in pairs) == RATE
    assert len(calls) == 1
    assert read_s < 160


class Counted(MaskBackend):
    """A backend that counts its calls."""

    def __init__(self, backend, calls):
        self.shape, self.parallel_calls = backend.shape, backend.parallel_calls
        self.backend, self.calls = backend, calls

    def masks(self, spectra, start, stop, cancellation=None):
        self.calls.append(spectra.shape)
        return self.backend.masks(spectra, start, stop, cancellation)


def test_progress_is_that_of_the_time_range(separator, song, tmp_path):
    seen = []
    separator.separate_file(
        song, tmp_path, start="0:03", duration=2, progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (2 * RATE, 2 * RATE)


def test_a_start_past_the_end_names_the_length(separator, song, tmp_path):
    with pytest.raises(AudioError, match=r"start 75 lies past its end at 75\.0 s"):
        separator.separate_file(song, tmp_path / "out", start=75)
    assert not (tmp_path / "out").exists()


def test_on_the_command_line(tmp_path):
    song = tmp_path / "song.flac"
    write(song, read(DEMO / "song.ogg")[:, : 12 * RATE].astype(np.float32), subtype="PCM_16")
    write_tags(song, Tags({"title": ("Song",), "artist": ("Singer",)}))
    for options in (["-o", tmp_path / "whole"], ["-o", tmp_path / "part", "--start", "0:03.5", "--duration", "2.25"]):
        assert vocalsep("split", song, "-q", *options).returncode == 0
        assert vocalsep("karaoke", song, "-q", *options, "--vocals", "-10").returncode == 0
    for name in ("song/vocals.wav", "song/accompaniment.wav", "song (karaoke).wav"):
        whole, part = (read(tmp_path / folder / name, "int16") for folder in ("whole", "part"))
        first = round(3.5 * RATE)
        assert np.array_equal(part, whole[:, first : first + round(2.25 * RATE)])
        assert read_tags(tmp_path / "part" / name).fields["artist"] == ("Singer",)
    mixture = read(song, "int16")[:, first : first + part.shape[1]].astype(int)
    stems = [read(tmp_path / "part" / "song" / f"{stem}.wav", "int16") for stem in ("vocals", "accompaniment")]
    assert np.array_equal(stems[0].astype(int) + stems[1], mixture)


def test_time_ranges_have_shifted_chapters_and_time_reference(separator, tmp_path):
    song = write(tmp_path / "song.wav", tones(6.0), subtype="PCM_16")
    chapters = (Chapter(0, 2, "intro"), Chapter(2, 4, "verse"), Chapter(4, 6, "chorus"))
    origin = Broadcast(b"take 1".ljust(TEXTS, b"\0"), 1_000_000)
    write_tags(song, Tags({"title": ("Song",)}, chapters=chapters, broadcast=origin))
    stem = separator.separate_file(song, tmp_path / "part", stems="vocals", start=1.5, duration=3)["vocals"]
    tags = read_tags(stem)
    assert tags.broadcast.time == 1_000_000 + RATE * 3 // 2
    assert tags.broadcast.texts == origin.texts
    assert tags.chapters == (Chapter(0.0, 0.5, "intro"), Chapter(0.5, 2.5, "verse"), Chapter(2.5, 3.0, "chorus"))


@pytest.mark.parametrize("command", ["split", "karaoke", "plot"])
def test_bad_times_are_one_error_of_the_command_line(command, tmp_path):
    song = write(tmp_path / "song.wav", tones(0.5))
    for options, words in (
        (["--start", "1:75"], "not a time"),
        (["--duration", "0"], "0 s"),
        (["--start", "0:30"], "lies past its end at 0.5 s"),
    ):
        done = vocalsep(command, song, "-o", tmp_path / "out.png", *options)
        assert done.returncode == 2
        assert words in " ".join(done.stderr.decode().split())
        assert b"Traceback" not in done.stderr
        assert not (tmp_path / "out.png").exists()
