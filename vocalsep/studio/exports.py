"""Write files of finished stems for download: mixes, stems, archives, stem files, videos, and voices over a track."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import pathlib
import zipfile
from collections.abc import Callable, Iterator

import numpy as np

from ..audio.decoding import open_source
from ..audio.formats import FORMATS, Format, output_format
from ..audio.key_tempo import KeyTempo
from ..audio.resample import Resampler
from ..audio.sink import Sink
from ..audio.stem_file import StemSink, name_stems
from ..audio.video import replace_audio
from ..audio.video_plan import audio_format, plan_video
from ..dsp.exact_sum import STEMS
from ..jobs.karaoke_videos import video_content
from ..jobs.outputs import StemMix
from ..jobs.time_range import TimeRange
from ..karaoke_video import BURNT, SUBTITLES, VideoSettings, check_drawing, write_karaoke_video
from ..lyrics import Lyrics
from ..tags import read_tags, write_tags
from ..tags.fields import Tags
from .error_messages import Code, StudioError, write_error
from .export_request import ExportRequest, file_name, title_mark
from .library import Library, LibrarySong
from .lyrics_store import LyricsStore
from .recordings import Recording, Recordings
from .settings import SettingsStore
from .stems import read_blocks

BITRATE = 256_000
# Share of the work of a video that goes into its sound; the rest copies its picture.
SOUND_SHARE = 0.9
# Share of the work of a mix with a recording that goes into finding its highest sample.
PEAK_SHARE = 0.3
# The same of a video whose picture is drawn.
WORDS_SOUND_SHARE = 0.1
# Called with the share that is done, 0 to 1; raises what is to end the work.
Progress = Callable[[float], None]


@dataclasses.dataclass(frozen=True)
class ExportedFile:
    """A file that was made: a temporary file of the library, its suffix, and what it could not keep."""

    path: pathlib.Path
    suffix: str
    remarks: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class ExportTask:
    """What is to be done for a request; equal tasks make equal files.

    Parameters
    ----------
    song : LibrarySong
        As it was when the request came.
    request : ExportRequest
        In its simplest form.
    recording : Recording or None
    lyrics : Lyrics or None
        Words that the file shows.
    """

    song: LibrarySong
    request: ExportRequest
    recording: Recording | None = None
    lyrics: Lyrics | None = None


class Exporter:
    """Writes files of a library's stems, of songs that are done.

    Parameters
    ----------
    library : Library
    recordings : Recordings
    lyrics : LyricsStore
    settings : SettingsStore
    """

    def __init__(self, library: Library, recordings: Recordings, lyrics: LyricsStore, settings: SettingsStore):
        self.library = library
        self.recordings = recordings
        self.lyrics = lyrics
        self.settings = settings

    def task(self, song: LibrarySong, request: ExportRequest) -> ExportTask:
        """Return what is to be done for a request, in its simplest form.

        A recording is mixed with the track in the key and tempo that it was sung to.

        Raises
        ------
        StudioError
            The request cannot be met, such as a video of a song that has no words with times.
        MissingExtraError
        """
        recording = None
        if request.kind == "recording" and request.recording is not None:
            recording = self.recordings.get(song, request.recording)
            request = request.model_copy(update={"key": recording.key, "tempo": recording.tempo})
        request = request.simplified(song.duration or 0.0)
        if request.kind == "video" and request.words == "none" and not song.video:
            raise StudioError(Code.NO_PICTURE)
        return ExportTask(song, request, recording, self._words(song) if request.words != "none" else None)

    def write(self, task: ExportTask, progress: Progress) -> ExportedFile:
        """Make a file.

        Parameters
        ----------
        task : ExportTask
        progress : callable
            Called with the share that is done, 0 to 1. An exception that it raises ends the work, and nothing is left.

        Returns
        -------
        file : ExportedFile

        Raises
        ------
        AudioError
            The format cannot hold the song.
        OutputError
            The file cannot be written. DiskFullError where the disk is full.
        """
        write = {
            "stem_file": self._write_stem_file,
            "stems": self._write_archive,
            "video": self._write_video if task.lyrics is None else self._write_words_video,
        }.get(task.request.kind, self._write_mix)
        try:
            return write(task, progress)
        except OSError as error:
            raise write_error("the file cannot be written", error) from None

    def _words(self, song: LibrarySong) -> Lyrics:
        """Return the words of a song at the times at which its player shows them; raises StudioError."""
        check_drawing()
        lyrics = self.lyrics.get(song)
        if lyrics is None or not lyrics.timed:
            raise StudioError(Code.WORDS_WITHOUT_TIMES)
        offset = self.settings.get(song).words_offset
        return dataclasses.replace(lyrics, lines=tuple(line.moved(offset) for line in lyrics.lines))

    def _write_mix(self, task: ExportTask, progress: Progress) -> ExportedFile:
        song, request = task.song, task.request
        suffix = f".{request.format}"
        with self.library.temporary_file(suffix) as path:
            if task.recording is not None:
                blocks = self._with_voice(song, request, task.recording, progress)
            else:
                blocks = self._track(song, request, progress)
            self._encode(song, path, output_format(request.format), blocks)
            write_tags(path, self._tags(song, request))
            return ExportedFile(path, suffix)

    def _write_stem_file(self, task: ExportTask, progress: Progress) -> ExportedFile:
        song = task.song
        with self.library.temporary_file(".mp4") as path:
            sink = StemSink(path, sample_rate=song.sample_rate, channels=song.channels, bitrate=BITRATE)
            try:
                done = 0
                for vocals, accompaniment in self._read_stems(song):
                    progress(done / max(1, song.ready))
                    done += vocals.shape[1]
                    sink.write({"vocals": vocals, "accompaniment": accompaniment})
                sink.finish()
            finally:
                sink.abandon()
            write_tags(path, self._song_tags(song).with_title_mark("", pathlib.PurePath(song.name).stem))
            name_stems(path)
            return ExportedFile(path, ".stem.mp4")

    def _write_archive(self, task: ExportTask, progress: Progress) -> ExportedFile:
        song, request = task.song, task.request
        shares = dict.fromkeys(STEMS, 0.0)

        def write_stem(stem: str) -> ExportedFile:
            def stem_progress(share: float) -> None:
                shares[stem] = share
                progress(sum(shares.values()) / len(STEMS))

            single = request.model_copy(update={"kind": "stem", "stem": stem})
            return self._write_mix(dataclasses.replace(task, request=single), stem_progress)

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

    def _write_video(self, task: ExportTask, progress: Progress) -> ExportedFile:
        """Copy a video with the mix instead of its own sound."""
        song, request = task.song, task.request
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

    def _write_words_video(self, task: ExportTask, progress: Progress) -> ExportedFile:
        """Write a video with the words of the song, over its own picture, its cover, or one colour."""
        song, request = task.song, task.request
        words = {"burnt": BURNT, "subtitles": SUBTITLES}[request.words]
        settings = VideoSettings(words=words, lyrics=task.lyrics)
        mix = StemMix(
            "karaoke", "", request.vocals, request.accompaniment, "", request.key, request.tempo, karaoke_video=settings
        )
        with open_source(self.library.original(song), stream=max(0, song.audio_taken - 1)) as source:
            info = source.info
        tags = self._song_tags(song).with_title_mark("", pathlib.PurePath(song.name).stem)
        content, remarks = video_content(info, tags, mix, TimeRange())
        with self.library.temporary_file(".m4a") as sound:
            try:
                track = self._track(song, request, lambda share: progress(WORDS_SOUND_SHARE * share))
                self._encode(song, sound, FORMATS["m4a"], track)
                with self.library.temporary_file(".mp4") as path:
                    remarks += write_karaoke_video(
                        path,
                        sound,
                        content,
                        settings,
                        lambda share: progress(WORDS_SOUND_SHARE + (1 - WORDS_SOUND_SHARE) * share),
                    )
                    write_tags(path, self._tags(song, request))
                    return ExportedFile(path, ".mp4", tuple(remarks))
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

    def _with_voice(
        self, song: LibrarySong, request: ExportRequest, recording: Recording, progress: Progress
    ) -> Iterator[np.ndarray]:
        """Yield a track with a recorded voice, lowered where it would clip.

        The voice's times are those of the whole track, as it was played when the voice was recorded.
        """
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
