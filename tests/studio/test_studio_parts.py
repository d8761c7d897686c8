"""The studio's parts by themselves, without a server: stem files, the worker and error messages."""

import asyncio
import concurrent.futures
import errno
import io
import os
import time

import numpy as np
import pytest
from conftest import RATE, tones, write
from test_studio_exports import add_long_song

from vocalsep import Separator
from vocalsep.audio.key_tempo import KeyTempo
from vocalsep.errors import AudioError, DamagedError, DiskFullError, OutputError
from vocalsep.studio import events
from vocalsep.studio.context import Studio
from vocalsep.studio.error_messages import visitor_message, write_error
from vocalsep.studio.export_request import ExportRequest
from vocalsep.studio.library import DONE, Library
from vocalsep.studio.limits import Limits
from vocalsep.studio.network import addresses, qr_text
from vocalsep.studio.stems import PEAK_SAMPLES, StemWriter, WaveformPeaks, decode_pcm, encode_pcm
from vocalsep.studio.versions import FADE_S, Versions
from vocalsep.studio.worker import Worker


class FakePath:
    """A path that gives a file, or fails to open or close."""

    def __init__(self, open_error=None, close_error=None):
        self.open_error, self.close_error = open_error, close_error
        self.file = io.BytesIO()

    def open(self, mode):
        if self.open_error is not None:
            raise self.open_error
        file = self.file

        class File:
            def __enter__(self):
                return file

            def __exit__(_, *error):
                file.close()
                if self.close_error is not None:
                    raise self.close_error

        return File()


def test_a_stem_that_cannot_be_opened_leaves_no_other_open():
    vocals = FakePath()
    with pytest.raises(DiskFullError, match="the stems cannot be written: the disk is full"):
        StemWriter(vocals, FakePath(open_error=OSError(errno.ENOSPC, "No space")), 16)
    assert vocals.file.closed


def test_a_stem_that_cannot_be_closed_leaves_no_other_open():
    vocals, accompaniment = FakePath(), FakePath(close_error=OSError(errno.EIO, "Input/output error"))
    writer = StemWriter(vocals, accompaniment, 16)
    with pytest.raises(OutputError, match="input/output error"):
        writer.close()
    assert vocals.file.closed


@pytest.mark.parametrize("bits", [16, 24])
def test_pcm_that_is_encoded_is_decoded_to_the_same(bits):
    integers = np.random.default_rng(0).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (2, 500))
    stem = (integers / 2 ** (bits - 1)).astype(np.float32)
    assert np.array_equal(decode_pcm(encode_pcm(stem, bits), 2, bits), stem)


def test_peaks_are_the_same_in_blocks_of_any_size():
    vocals, accompaniment = tones(1.0), -0.5 * tones(1.0)
    peaks = []
    for size in (100, 5000, vocals.shape[1]):
        overview = WaveformPeaks()
        for start in range(0, vocals.shape[1], size):
            overview.push(vocals[:, start : start + size], accompaniment[:, start : start + size])
        overview.flush()
        peaks.append(overview.peaks)
    assert peaks[0] == peaks[1] == peaks[2]
    assert len(peaks[0]["vocals"]) == -(-vocals.shape[1] // PEAK_SAMPLES)


def test_a_song_that_is_done_has_no_position_and_can_be_restarted(tmp_path):
    library = Library(tmp_path / "library")
    ended = []

    def on_change(song):
        if library.get(song.id).state == DONE and not ended:
            ended.append((worker.position(song), worker.restart(song, "1")))

    worker = Worker(library, lambda: Separator("default"), Limits(), on_change, lambda ids: None)
    worker.start()
    try:
        worker.enqueue(write(library.temporary_folder / "song.wav", tones(0.5), RATE), "song.wav")
        with worker._changed:
            assert worker._changed.wait_for(lambda: ended, timeout=60)
    finally:
        worker.stop()
        worker.join(time.monotonic() + 60)
    position, restarted = ended[0]
    assert position is None
    assert restarted is not None


def test_the_queue_is_told_whenever_a_song_leaves_it(tmp_path):
    library = Library(tmp_path / "library")
    queues, changes = [], []
    worker = Worker(
        library, lambda: Separator("default"), Limits(), lambda song: changes.append(song.id), queues.append
    )
    paths = [write(library.temporary_folder / f"{number}.wav", tones(0.1), RATE) for number in range(4)]
    first, second, third, last = (worker.enqueue(path, path.name) for path in paths)
    changes.clear()
    worker.cancel(second)
    assert queues == [[first.id, third.id, last.id]]
    # Of those that moved up, no more is told than that.
    assert changes == [second.id]
    worker.start()
    try:
        with worker._changed:
            done = worker._changed.wait_for(lambda: library.get(last.id).state == DONE, timeout=60)
    finally:
        worker.stop()
        worker.join(time.monotonic() + 60)
    assert done
    assert queues[1:] == [[third.id, last.id], [last.id], []]


def test_the_size_of_a_song_is_that_of_its_files(tmp_path):
    library = Library(tmp_path / "library")
    song = library.add(write(library.temporary_folder / "a.wav", tones(0.1), RATE), "a.wav")
    folder = library.song_folder(song)

    def on_disk():
        return sum(path.stat().st_size for path in folder.iterdir())

    for settled in (False, True):
        if settled:
            # As if nothing had changed for a while: now it is remembered.
            hour_ago = time.time() - 3600
            os.utime(folder, (hour_ago, hour_ago))
        assert library.size(song) == library.size(song) == on_disk()
        (folder / "lyrics.lrc").write_text("la" * (500 + settled))
        if settled:
            (folder / "peaks.json").write_text("{}")
        assert library.size(song) == on_disk()
    (folder / "vocals.pcm").write_bytes(b"12")
    os.utime(folder, (hour_ago + 60, hour_ago + 60))
    assert library.size(song) == on_disk()
    with (folder / "vocals.pcm").open("ab") as stem:
        stem.write(b"34")
    assert library.size(library.update(song, on_disk=False, ready=1)) == on_disk()
    library.remove(song)
    assert library.size(song) == 0


def test_a_version_that_begins_in_the_middle_is_that_of_both_parts(tmp_path):
    song_id = add_long_song(tmp_path)
    library = Library(tmp_path)
    song = library.get(song_id)
    start, fade = 500 * song.sample_rate, round(FADE_S * song.sample_rate)
    versions = Versions(library)
    samples = versions.make(song, 3, 80, 500.0, lambda: None)
    assert samples == song.samples * 100 // 80
    assert versions.make(song, 3, 80, None, lambda: None) == samples

    def shifted(first, stop):
        shift = KeyTempo(song.channels, song.sample_rate, 3, 80)
        stem = decode_pcm(library.stem(song, "vocals").read_bytes(), song.channels, song.bits)[:, first:stop]
        return np.concatenate([shift.push(stem), shift.flush()], axis=1)

    version = decode_pcm(versions.path(song, "vocals", 3, 80).read_bytes(), song.channels, song.bits)
    middle, edge = start * 100 // 80, (start - fade) * 100 // 80
    before, after = shifted(0, start), shifted(start - fade, None)
    assert version.shape[1] == samples
    assert np.abs(version[:, :edge] - before[:, :edge]).max() < 1e-4
    assert np.abs(version[:, middle:] - after[:, middle - edge :]).max() < 1e-4
    # The fade goes from one to the other without a jump.
    share = np.linspace(0, 1, middle - edge)
    faded = (1 - share) * before[:, edge:] + share * after[:, : middle - edge]
    assert np.abs(version[:, edge:middle] - faded).max() < 1e-4
    assert not list(library.temporary_folder.glob("*.pcm"))


def test_messages_for_visitors_are_one_line_without_the_library_path():
    error = DamagedError("damaged file,\nits header", path="/library/0/original.mp3", hint="decode with salvage=True")
    assert visitor_message(error) == "damaged file, its header"
    assert visitor_message(AudioError("is empty", path="/library/x", hint="copy it again")) == "is empty; copy it again"
    assert visitor_message(OutputError("cannot be written", path="stem")) == "stem: cannot be written"
    assert (
        visitor_message(OutputError("cannot be written", path="/library/x/song.json")) == "song.json: cannot be written"
    )


@pytest.mark.parametrize(("code", "kind"), [(errno.ENOSPC, DiskFullError), (errno.EROFS, OutputError)])
def test_a_full_disk_has_an_error_class_of_its_own(code, kind):
    assert type(write_error("the mix cannot be written", OSError(code, "x"))) is kind


def test_a_client_has_left_when_its_last_stream_stays_closed(monkeypatch):
    monkeypatch.setattr(events, "ABSENCE_S", 0.05)
    left = []
    clients = events.Clients(left.append)

    async def visit():
        with clients.present("gone"), clients.present("reloaded"), clients.present("gone"):
            pass
        with clients.present("reloaded"):
            await asyncio.sleep(0.3)
            return list(left)

    # In a thread of its own: playwright, which other tests use, keeps a loop running in this one.
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        assert executor.submit(asyncio.run, visit()).result() == ["gone"]


def test_exports_end_when_all_who_asked_for_them_have_left(tmp_path):
    song_id = add_long_song(tmp_path)
    studio = Studio(Library(tmp_path), lambda: Separator("default"), Limits(), "default")
    try:
        song = studio.library.get(song_id)

        def ask(gain, *clients):
            request = ExportRequest(kind="mix", vocals=gain)
            ids = {studio.exports.request(song, request, client).id for client in clients}
            assert len(ids) == 1
            return ids.pop()

        own, shared, for_ever = ask(0.1, "page-one"), ask(0.2, "page-one", "page-two"), ask(0.3, "page-one", "")
        studio.clients.on_left("page-one")
        assert {export.id for export in studio.exports.all()} == {shared, for_ever}
        assert studio.exports.get(own) is None
        studio.clients.on_left("page-two")
        assert {export.id for export in studio.exports.all()} == {for_ever}
    finally:
        studio.exports.stop()
        assert studio.exports.join(time.monotonic() + 10)


def test_addresses_have_the_token_and_numbers_come_before_names():
    assert addresses("192.0.2.7", 80, "t") == ["http://192.0.2.7:80/?token=t"]
    assert addresses("::1", 80, "t") == ["http://[::1]:80/?token=t"]
    every = addresses("0.0.0.0", 8765, "t")
    assert every
    assert all(one.startswith("http://") and one.endswith(":8765/?token=t") for one in every)
    numbers = [any(letter.isdigit() for letter in one.split(":")[1]) for one in every[:-1]]
    assert all(numbers)


def test_a_qr_code_for_a_terminal_is_square():
    lines = qr_text("http://192.0.2.7:8765/?token=0123456789abcdef0123456789abcdef").splitlines()
    # Two rows of modules in each line.
    assert len(lines) == -(-len(lines[0]) // 2)
