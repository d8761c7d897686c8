"""Small sound files in every container that we read, as seeds."""

from __future__ import annotations

import contextlib
import pathlib
from fractions import Fraction
from typing import Any

import av
import numpy as np
import soundfile
from av.codec.codec import UnknownCodecError
from conftest import tones

from vocalsep.audio.sink import audio_frame, audio_stream
from vocalsep.tags import Picture, Tags, write_tags

SECONDS = 0.12
# FFmpeg recognises these only after a few frames.
LONGER_S = {"ac3": 0.4, "eac3": 0.4}
RATE = 16000
COVER = Picture(b"\x89PNG\r\n\x1a\n" + bytes(40), "image/png", description="front")
TAGS = Tags({"title": ("Song é",), "artist": ("A", "B"), "tracknumber": ("3/12",), "lyrics": ("la " * 9,)}, (COVER,))

# Name: libsndfile's format and subtype.
BY_LIBSNDFILE = {
    "pcm8.wav": ("WAV", "PCM_U8"),
    "pcm16.wav": ("WAV", "PCM_16"),
    "pcm24.wav": ("WAVEX", "PCM_24"),
    "float.wav": ("WAV", "FLOAT"),
    "double.wav": ("WAV", "DOUBLE"),
    "ulaw.wav": ("WAV", "ULAW"),
    "ima.wav": ("WAV", "IMA_ADPCM"),
    "ms.wav": ("WAV", "MS_ADPCM"),
    "gsm.wav": ("WAV", "GSM610"),
    "g721.wav": ("WAV", "G721_32"),
    "long.rf64": ("RF64", "PCM_16"),
    "s.w64": ("W64", "PCM_16"),
    "float.w64": ("W64", "FLOAT"),
    "s.aiff": ("AIFF", "PCM_16"),
    "float.aifc": ("AIFF", "FLOAT"),
    "ima.aifc": ("AIFF", "IMA_ADPCM"),
    "dwvw.aifc": ("AIFF", "DWVW_16"),
    "s.au": ("AU", "PCM_16"),
    "g723.au": ("AU", "G723_24"),
    "s.caf": ("CAF", "PCM_16"),
    "alac.caf": ("CAF", "ALAC_16"),
    "pcm16.flac": ("FLAC", "PCM_16"),
    "pcm24.flac": ("FLAC", "PCM_24"),
    "s.ogg": ("OGG", "VORBIS"),
    "s.opus": ("OGG", "OPUS"),
    "odd.voc": ("VOC", "PCM_16"),
    "odd.svx": ("SVX", "PCM_16"),
    "odd.nist": ("NIST", "PCM_16"),
    "odd.sf": ("IRCAM", "PCM_16"),
    "odd.paf": ("PAF", "PCM_24"),
    "odd.pvf": ("PVF", "PCM_16"),
    "odd.avr": ("AVR", "PCM_16"),
    "odd.htk": ("HTK", "PCM_16"),
    "odd.sds": ("SDS", "PCM_16"),
    "odd.mat": ("MAT4", "PCM_16"),
    "odd5.mat": ("MAT5", "FLOAT"),
    "odd.mpc": ("MPC2K", "PCM_16"),
    "odd.wve": ("WVE", "ALAW"),
    "odd.xi": ("XI", "DPCM_16"),
}
# Name: FFmpeg's container, codec, channels, and options of the container.
BY_FFMPEG: dict[str, tuple[str, str, int, dict[str, str]]] = {
    "s.mp3": ("mp3", "libmp3lame", 2, {}),
    "plain.mp3": ("mp3", "libmp3lame", 1, {"write_xing": "0", "id3v2_version": "0"}),
    "s.mp2": ("mp2", "mp2", 2, {}),
    "s.m4a": ("ipod", "aac", 2, {}),
    "alac.m4a": ("ipod", "alac", 2, {}),
    "fragments.m4a": ("mp4", "aac", 1, {"movflags": "frag_keyframe+empty_moov"}),
    "flac.mp4": ("mp4", "flac", 2, {}),
    "pcm.mov": ("mov", "pcm_s24le", 2, {}),
    "s.aac": ("adts", "aac", 2, {}),
    "s.mka": ("matroska", "flac", 2, {}),
    "mp3.mkv": ("matroska", "libmp3lame", 1, {}),
    "s.webm": ("webm", "libopus", 2, {}),
    "s.wma": ("asf", "wmav2", 2, {}),
    "old.wma": ("asf", "wmav1", 1, {}),
    "s.avi": ("avi", "pcm_s16le", 2, {}),
    "mp3.avi": ("avi", "libmp3lame", 1, {}),
    "s.flv": ("flv", "aac", 2, {}),
    "s.ts": ("mpegts", "mp2", 2, {}),
    "s.mpg": ("mpeg", "mp2", 2, {}),
    "s.ac3": ("ac3", "ac3", 2, {}),
    "s.eac3": ("eac3", "eac3", 2, {}),
    "s.tta": ("tta", "tta", 2, {}),
    "s.wv": ("wv", "wavpack", 2, {}),
    "flac.ogg": ("ogg", "flac", 2, {}),
    "mp3.wav": ("wav", "libmp3lame", 2, {}),
    "opus.mkv": ("matroska", "libopus", 1, {}),
    "s.amr": ("amr", "libopencore_amrnb", 1, {}),
}
# Rates that a codec insists on, in Hz.
RATES = {"libopus": 48000, "libopencore_amrnb": 8000, "libmp3lame": 32000, "mp2": 32000, "ac3": 32000, "eac3": 32000}


def make(folder: pathlib.Path) -> dict[str, bytes]:
    """Write all seeds that this machine's libraries can write, and return name and bytes of each."""
    for name, (form, subtype) in BY_LIBSNDFILE.items():
        channels = 2 if form in ("WAV", "AIFF", "FLAC", "OGG", "CAF", "W64") and subtype[:1] in "PFVA" else 1
        sound = tones(SECONDS, 48000 if subtype == "OPUS" else RATE, channels)
        with contextlib.suppress(soundfile.LibsndfileError):
            rate = 48000 if subtype == "OPUS" else RATE
            soundfile.write(folder / name, sound.T, rate, subtype, format=form)
    for name, (container, codec, channels, options) in BY_FFMPEG.items():
        with contextlib.suppress(av.error.FFmpegError, UnknownCodecError):
            _encode(folder / name, container, codec, channels, options)
    _film(folder / "film.mp4")
    for name in ("pcm16.wav", "pcm16.flac", "s.ogg", "s.opus", "s.mp3", "s.m4a"):
        tagged = folder / f"tagged-{name}"
        tagged.write_bytes((folder / name).read_bytes())
        write_tags(tagged, TAGS)
    found = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    return {name: data for name, data in found.items() if data}


def _encode(path: pathlib.Path, container: str, codec: str, channels: int, options: dict[str, str]) -> None:
    rate = RATES.get(codec, RATE)
    with av.open(str(path), "w", format=container, options=options) as out:
        out.metadata["title"] = "Song"
        _fill(out, [audio_stream(out, codec, rate, channels, 64000)], rate)


def _film(path: pathlib.Path) -> None:
    """Write a film of two tiny pictures with two sounds."""
    with av.open(str(path), "w", format="mp4") as out:
        pictures: Any = out.add_stream("mpeg4", rate=10)
        pictures.width = pictures.height = 16
        streams = [audio_stream(out, "aac", RATE, channels, 32000) for channels in (2, 1)]
        for time in range(2):
            picture = av.VideoFrame.from_ndarray(np.full((16, 16, 3), 99 * time, np.uint8))
            picture.pts, picture.time_base = time, Fraction(1, 10)
            out.mux(pictures.encode(picture))
        out.mux(pictures.encode(None))
        _fill(out, streams, RATE)


def _fill(out: Any, streams: list[Any], rate: int) -> None:
    for stream in streams:
        context = stream.codec_context
        sound = tones(LONGER_S.get(context.name, SECONDS), rate, context.channels)
        out.mux(stream.encode(audio_frame(stream, sound, 0)))
        out.mux(stream.encode(None))
