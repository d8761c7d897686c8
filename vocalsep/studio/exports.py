"""Write files of finished stems for download: mixes, stems, archives, stem files, videos, and voices over a track."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import pathlib
import zipfile
from collections.abc import Callable, Iterator

import numpy as np

from ..audio.decoding import open_source
from ..audio.formats import Format, output_format
from ..audio.key_tempo import KeyTempo
from ..audio.resample import Resampler
from ..audio.sink import Sink
from ..audio.stem_file import StemSink, name_stems
from ..audio.video import replace_audio
from ..audio.video_plan import audio_format, plan_video
from ..dsp.exact_sum import STEMS
from ..errors import UsageError
from ..tags import read_tags, write_tags
from ..tags.fields import Tags
from .error_messages import write_error
from .export_request import ExportRequest, file_name, title_mark
from .library import Library, LibrarySong
from .recordings import Recordings
from .stems import read_blocks

BITRATE = 256_000
# Share of the work of a video that goes into its sound; the rest copies its picture.
SOUND_SHARE = 0.9
# Share of the work of a mix with a recording that goes into finding its highest sample.
PEAK_SHARE = 0.3
# Called with the share that is done, 0 to 1; raises what is to end the work.
Progress = Callable[[float], None]


@dataclasses.dataclass(frozen=True)
class ExportedFile:
    """A file that was made: a temporary file of the library, its suffix, and what it could not keep."""

    path: pathlib.Path
    suffix: str
    remarks: tuple[str, ...] = ()


class Exporter:
    """Writes files of a library's stems. All methods take a song that is done.

    Parameters
    ----------
    library : Library
    recordings : Recordings
    """

    def __init__(self, library: Library, recordings: Recordings):
        self.library = library
        self.recordings = recordings

    def complete(self, song: LibrarySong, request: ExportRequest) -> ExportRequest:
        """Return a request in its simplest form; raise UsageError if it cannot be met, before any work is done for it.

        A recording is mixed with the track in the key and tempo that it was sung to.
        """
        if request.kind == "recording" and request.recording is not None:
            sung = self.recordings.get(song, request.recording)
            request = request.model_copy(update={"key": sung.key, "tempo": sung.tempo})
        request = request.simplified(song.duration or 0.0)
        if request.kind == "video" and request.words == "none" and not song.video:
            raise UsageError("this song has no picture; ask for a video with its words, or for a mix")
        return request

    def write(self, song: LibrarySong, request: ExportRequest, progress: Progress) -> ExportedFile:
        """Make a file.

        Parameters
        ----------
        song : LibrarySong
        request : ExportRequest
        progress : callable
            Called with the share that is done, 0 to 1. An exception that it raises ends the work, and nothing is left.

        Returns
        -------
        file : ExportedFile

        Raises
        ------
        UsageError
            The request cannot be met.
        AudioError
            The format cannot hold the song.
        OutputError
            The file cannot be written. DiskFullError where the disk is full.
        """
        write = {
            "stem_file": self._write_stem_file,
            "stems": self._write_archive,
            "video": self._write_video,
        }.get(request.kind, self._write_mix)
        try:
            return write(song, request, progress)
        except OSError as error:
            raise write_error("the file cannot be written", error) from None

    def _write_mix(self, song: LibrarySong, request: ExportRequest, progress: Progress) -> ExportedFile:
        suffix = f".{request.format}"
        with self.library.temporary_file(suffix) as path:
            if request.kind == "recording":
                blocks = self._with_voice(song, request, progress)
            else:
                blocks = self._track(song, request, progress)
            self._encode(song, path, output_format(request.format), blocks)
            write_tags(path, self._tags(song, request))
            return ExportedFile(path, suffix)

    def _write_stem_file(self, song: LibrarySong, _: ExportRequest, progress: Progress) -> ExportedFile:
        with self.library.temporary_file(".mp4") as path:
            sink = StemSink(path, sample_rate=song.sample_rate, channels=song.channels, bitrate=BITRATE)
            try:
                done = 0
                for vocals, accompaniment in self._read_stems(song):
                    progress(done / max(1, song.ready))
                    done += vocals.shape[1]
                    sink.write(vocals, accompaniment)
                sink.finish()
            finally:
                sink.abandon()
            write_tags(path, self._song_tags(song).with_title_mark("", pathlib.PurePath(song.name).stem))
            name_stems(path)
            return ExportedFile(path, ".stem.mp4")

    def _write_archive(self, song: LibrarySong, request: ExportRequest, progress: Progress) -> ExportedFile:
        shares = dict.fromkeys(STEMS, 0.0)

        def write_stem(stem: str) -> ExportedFile:
            def stem_progress(share: float) -> None:
                shares[stem] = share
                progress(sum(shares.values()) / len(STEMS))

            return self._write_mix(song, request.model_copy(update={"kind": "stem", "stem": stem}), stem_progress)

        with concurrent.futures.ThreadPoolExecutor(len(STEMS)) as threads:
            futures = [threads.submit(write_stem, stem) for stem in STEMS]
        made = [future.result().path for future in futures if future.exception() is None]
        try:
            for future in futures:
                future.result()
            with self.library.temporary_file(".zip") as path:
                # Compression gains nothing on audio. Without strict timestamps a clock before 1980 is no error.
                with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
                    for stem, file in zip(STEMS, made, strict=True):
                        progress(1.0)
                        archive.write(file, f"{file_name(song)} - {stem}.{request.format}")
                return ExportedFile(path, ".zip")
        finally:
            for file in made:
                file.unlink(missing_ok=True)

    def _write_video(self, song: LibrarySong, request: ExportRequest, progress: Progress) -> ExportedFile:
        """Copy a video with the mix instead of its own sound."""
        original = self.library.original(song)
        plan = plan_video(original, max(0, song.audio_taken - 1))
        sound_format = audio_format(plan.suffix)

        def sound_progress(share: float) -> None:
            progress(SOUND_SHARE * share)

        with self.library.temporary_file(sound_format.suffix) as sound:
            try:
                self._encode(song, sound, sound_format, self._track(song, request, sound_progress))
                progress(SOUND_SHARE)
                with self.library.temporary_file(plan.suffix) as path:
                    title = self._tags(song, request).fields["title"][0]
                    replace_audio(original, sound, path, title, plan, lambda: progress(SOUND_SHARE))
                    return ExportedFile(path, plan.suffix, plan.remarks)
            finally:
                sound.unlink(missing_ok=True)

    def _encode(self, song: LibrarySong, path: pathlib.Path, form: Format, blocks: Iterator[np.ndarray]) -> None:
        with Sink(
            path,
            form,
            sample_rate=song.sample_rate,
            channels=song.channels,
            subtype=form.subtype_for(f"PCM_{song.bits}", None),
            bitrate=BITRATE,
            layout=song.layout,
        ) as sink:
            for block in blocks:
                sink.write(block)
            sink.finish()

    def _track(self, song: LibrarySong, request: ExportRequest, progress: Progress) -> Iterator[np.ndarray]:
        """Yield the mix that a request describes, in its key and tempo, in blocks (channels, samples)."""
        gains = {"vocals": request.vocals, "accompaniment": request.accompaniment}
        if request.kind == "stem":
            gains = {stem: float(stem == request.stem) for stem in STEMS}
        first, stop = passage(song, request)
        shift = None
        if request.key or request.tempo != 100:
            shift = KeyTempo(song.channels, song.sample_rate, request.key, request.tempo)
        done = 0
        for vocals, accompaniment in self._read_stems(song, first, stop):
            progress(done / max(1, stop - first))
            done += vocals.shape[1]
            block = vocals * np.float32(gains["vocals"]) + accompaniment * np.float32(gains["accompaniment"])
            yield block if shift is None else shift.push(block)
        if shift is not None:
            yield shift.flush()
        progress(1.0)

    def _with_voice(self, song: LibrarySong, request: ExportRequest, progress: Progress) -> Iterator[np.ndarray]:
        """Yield a track with a recorded voice, lowered where it would clip.

        The voice's times are those of the whole track, as it was played when the voice was recorded.
        """
        recording = self.recordings.get(song, request.recording or "")
        begin = passage(song, request)[0] / song.sample_rate * 100 / request.tempo
        lead = round((recording.lead_s - begin) * song.sample_rate)
        level = np.float32(recording.level)

        def mixed(low: float, high: float) -> Iterator[np.ndarray]:
            voice = _Voice(self.recordings.sound(song, recording), song.sample_rate, lead)
            for block in self._track(song, request, lambda share: progress(low + (high - low) * share)):
                yield block + level * voice.read(block.shape[1])

        highest = max((float(np.abs(block).max(initial=0)) for block in mixed(0.0, PEAK_SHARE)), default=0.0)
        gain = np.float32(1 / max(1.0, highest))
        for block in mixed(PEAK_SHARE, 1.0):
            yield block * gain

    def _read_stems(
        self, song: LibrarySong, first: int = 0, stop: int | None = None
    ) -> Iterator[tuple[np.ndarray, ...]]:
        stems = (read_blocks(self.library.stem(song, stem), song.channels, song.bits, first, stop) for stem in STEMS)
        return zip(*stems, strict=True)

    def _tags(self, song: LibrarySong, request: ExportRequest) -> Tags:
        tags = self._song_tags(song)
        if request.start is not None or request.end is not None:
            first, stop = passage(song, request)
            tags = tags.excerpt(first, stop - first, song.sample_rate)
        tags = tags.at_key_and_tempo(request.key, request.tempo)
        return tags.with_title_mark(title_mark(request), pathlib.PurePath(song.name).stem)

    def _song_tags(self, song: LibrarySong) -> Tags:
        """Return the tags of the uploaded file, with title, artist and album as they are called now."""
        tags = read_tags(self.library.original(song))
        fields = dict(tags.fields)
        for name in ("title", "artist", "album"):
            value = getattr(song, name)
            if value and value != (fields.get(name) or ("",))[0]:
                fields[name] = (value,)
        return dataclasses.replace(tags, fields=fields)


class _Voice:
    """A recording as one channel at another rate, from any sample of the track on.

    Parameters
    ----------
    path : pathlib.Path
    sample_rate : int
        Hz, of the track.
    lead : int
        Sample of the track at which the recording begins; negative to leave out its beginning.
    """

    def __init__(self, path: pathlib.Path, sample_rate: int, lead: int):
        self._blocks = self._resampled(path, sample_rate)
        self._buffer = np.zeros(max(0, lead), np.float32)
        self._skip = max(0, -lead)

    def read(self, samples: int) -> np.ndarray:
        """Return the next samples, zeros before the recording's begin and after its end."""
        while self._buffer.size < samples and (block := next(self._blocks, None)) is not None:
            skipped = min(self._skip, block.size)
            self._skip -= skipped
            self._buffer = np.concatenate([self._buffer, block[skipped:]])
        voice, self._buffer = self._buffer[:samples], self._buffer[samples:]
        return np.pad(voice, (0, samples - voice.size))

    def _resampled(self, path: pathlib.Path, sample_rate: int) -> Iterator[np.ndarray]:
        with open_source(path) as source:
            resampler = Resampler(1, source.info.sample_rate, sample_rate)
            for block in source.blocks():
                yield resampler.push(block.mean(axis=0, keepdims=True))[0]
            yield resampler.flush()[0]


def passage(song: LibrarySong, request: ExportRequest) -> tuple[int, int]:
    """Return the first sample of the passage that a request asks for, and the first one after it."""
    first = round((request.start or 0.0) * song.sample_rate)
    stop = song.ready if request.end is None else min(song.ready, round(request.end * song.sample_rate))
    return first, stop
