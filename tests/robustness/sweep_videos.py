"""Make `karaoke` of many kinds of video, and compare what comes out with what went in.

Run as ``python tests/robustness/sweep_videos.py [KIND...]``; needs the ffmpeg program, and skips codecs that it lacks.
"""

from __future__ import annotations

import argparse
import fractions
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable

import av
import numpy as np

SONG = pathlib.Path(__file__).resolve().parents[2] / "examples" / "song.ogg"
SECONDS = 3
RATE = 48000
SYNC_S = 0.001
# What the times of sound may differ from its length: containers round them, some to a packet.
LONGEST_JITTER_S = 0.04
X264 = "-c:v libx264 -preset ultrafast -bf 2 -pix_fmt yuv420p"
X265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none -pix_fmt yuv420p"
AV1 = "-c:v libaom-av1 -cpu-used 8 -usage realtime -b:v 200k"
FRAGMENTS = "-movflags frag_keyframe+empty_moov"
# Name, with the suffix of the file, and the options that FFmpeg makes it with.
KINDS = {
    "h264-aac.mp4": f"{X264} -c:a aac",
    "h264-alac.mp4": f"{X264} -c:a alac",
    "h264-ac3.mp4": f"{X264} -c:a ac3",
    "hevc-hvc1.mp4": f"{X265} -tag:v hvc1 -c:a aac",
    "hevc-hev1.mp4": f"{X265} -tag:v hev1 -c:a aac",
    "mpeg4-mp3.mp4": "-c:v mpeg4 -bf 2 -c:a libmp3lame",
    "mpeg2-aac.mp4": "-c:v mpeg2video -c:a aac",
    "av1-aac.mp4": f"{AV1} -c:a aac",
    "vp9-opus.mp4": "-c:v libvpx-vp9 -cpu-used 8 -deadline realtime -c:a libopus -strict -2",
    "fragments.mp4": f"{X264} -c:a aac {FRAGMENTS}",
    "h264-aac.m4v": f"{X264} -c:a aac",
    "h264-aac.f4v": f"{X264} -c:a aac",
    "hevc-aac.mov": f"{X265} -tag:v hvc1 -c:a aac",
    "prores-4444.mov": "-c:v prores_ks -profile:v 4444 -pix_fmt yuva444p10le -c:a pcm_s16le",
    "prores-hq.mov": "-c:v prores_ks -profile:v hq -c:a pcm_s24le",
    "mjpeg.mov": "-c:v mjpeg -pix_fmt yuvj420p -c:a pcm_s16le",
    "qtrle.mov": "-c:v qtrle -c:a pcm_s16le",
    "cinepak.mov": "-c:v cinepak -c:a pcm_s16le",
    "png.mov": "-c:v png -c:a pcm_s16le",
    "raw.mov": "-c:v rawvideo -pix_fmt uyvy422 -c:a pcm_s16be",
    "h264-aac.mkv": f"{X264} -c:a aac",
    "hevc-flac.mkv": f"{X265} -c:a flac",
    "vp8-vorbis.mkv": "-c:v libvpx -deadline realtime -c:a libvorbis",
    "ffv1-flac.mkv": "-c:v ffv1 -c:a flac",
    "mpeg4-mp3.mkv": "-c:v mpeg4 -bf 2 -c:a libmp3lame",
    "mpeg2-ac3.mkv": "-c:v mpeg2video -bf 2 -c:a ac3",
    "theora-vorbis.mkv": "-c:v libtheora -c:a libvorbis",
    "av1-opus.mkv": f"{AV1} -c:a libopus",
    "huffyuv-pcm.mkv": "-c:v huffyuv -c:a pcm_s16le",
    "mjpeg-pcm.mkv": "-c:v mjpeg -pix_fmt yuvj420p -c:a pcm_s16le",
    "wmv2-wma.mkv": "-c:v wmv2 -c:a wmav2",
    "vp8-vorbis.webm": "-c:v libvpx -deadline realtime -c:a libvorbis",
    "vp9-opus.webm": "-c:v libvpx-vp9 -cpu-used 8 -deadline realtime -c:a libopus",
    "av1-opus.webm": f"{AV1} -c:a libopus",
    "mpeg4-mp3.avi": "-c:v mpeg4 -c:a libmp3lame",
    "mpeg4-bframes.avi": "-c:v mpeg4 -bf 2 -c:a libmp3lame",
    "xvid.divx": "-c:v libxvid -c:a libmp3lame -f avi",
    "h264-mp3.avi": f"{X264} -c:a libmp3lame",
    "mjpeg-pcm.avi": "-c:v mjpeg -pix_fmt yuvj420p -c:a pcm_s16le",
    "cinepak.avi": "-c:v cinepak -c:a pcm_s16le",
    "msmpeg4v2.avi": "-c:v msmpeg4v2 -c:a libmp3lame",
    "utvideo.avi": "-c:v utvideo -pix_fmt yuv420p -c:a pcm_s16le",
    "raw.avi": "-c:v rawvideo -pix_fmt yuv420p -c:a pcm_s16le",
    "wmv2.wmv": "-c:v wmv2 -c:a wmav2",
    "wmv1.asf": "-c:v wmv1 -c:a wmav2",
    "msmpeg4.wmv": "-c:v msmpeg4 -c:a wmav2",
    "sorenson.flv": "-c:v flv -c:a libmp3lame",
    "h264.flv": f"{X264} -c:a aac",
    "flashsv.flv": "-c:v flashsv -c:a libmp3lame",
    "h263.3gp": "-c:v h263 -s 176x144 -c:a aac",
    "mpeg4.3g2": "-c:v mpeg4 -c:a aac",
    "h264-ac3.m2ts": f"{X264} -c:a ac3 -f mpegts -mpegts_m2ts_mode 1",
    "h264-ac3.mts": f"{X264} -c:a ac3 -f mpegts",
    "hevc-aac.ts": f"{X265} -c:a aac",
    "mpeg2-mp2.ts": "-c:v mpeg2video -bf 2 -c:a mp2",
    "mpeg1-mp2.mpg": "-c:v mpeg1video -c:a mp2",
    "mpeg2-ac3.vob": "-c:v mpeg2video -bf 2 -c:a ac3 -f vob",
    "theora-vorbis.ogv": "-c:v libtheora -c:a libvorbis",
    "theora-flac.ogv": "-c:v libtheora -c:a flac",
}


def make(folder: pathlib.Path, name: str) -> pathlib.Path | None:
    """Make one kind of video; None where this FFmpeg cannot."""
    path = folder / name
    picture = f"testsrc2=s=160x120:r=25:d={SECONDS}"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", picture, "-ss", "10", "-t", str(SECONDS), "-i"]
    options = [*command, str(SONG), *f"-map 0:v -map 1:a -ar {RATE} -ac 2 {KINDS[name]}".split(), str(path)]
    return path if subprocess.run(options, capture_output=True).returncode == 0 else None


def karaoke(paths: Iterable[pathlib.Path], out: pathlib.Path, *options: str) -> dict[str, pathlib.Path | str]:
    """Make karaoke videos in which the voice is as loud as before; return each output, or the error."""
    command = [sys.executable, "-m", "vocalsep", "karaoke", *map(str, paths), "-o", str(out), "--vocals", "0", "--json"]
    done = subprocess.run([*command, "--name", "{source}.{ext}", "-q", *options], capture_output=True)
    files = json.loads(done.stdout or '{"files": []}')["files"]
    made = {one["input"]: one.get("error") or pathlib.Path(one["outputs"]["karaoke"]) for one in files}
    return {str(path): made.get(str(path), done.stderr.decode()) for path in paths}


def faults(before: pathlib.Path, after: pathlib.Path) -> list[str]:
    """Return what is wrong with a karaoke video."""
    found = []
    old, new = Film(before), Film(after)
    if old.codec != new.codec:
        found.append(f"codec {old.codec} became {new.codec}")
    # Matroska has tags for some codecs that have names of their own there too.
    if before.suffix == after.suffix != ".mkv" and old.tag != new.tag:
        found.append(f"tag {old.tag} became {new.tag}")
    if len(old.packets) != len(new.packets):
        found.append(f"{len(old.packets)} packets became {len(new.packets)}")
    elif before.suffix == after.suffix and old.packets != new.packets:
        found.append("packets differ")
    if old.pictures != new.pictures:
        same = sum(one == other for one, other in zip(old.pictures, new.pictures, strict=False))
        found.append(f"{len(old.pictures)} pictures became {len(new.pictures)}, of which {same} are the same")
    # Containers count in milliseconds or finer.
    if len(old.times) == len(new.times) and np.abs(np.subtract(old.times, new.times)).max() > SYNC_S:
        found.append("pictures are shown at other times")
    lag = lag_s(old, new)
    if abs(lag) > SYNC_S:
        found.append(f"sound is {lag * 1000:+.2f} ms late")
    if not -0.001 < (len(new.sound) - len(old.sound)) / RATE < 0.1:
        found.append(f"sound of {len(old.sound)} samples became {len(new.sound)}")
    return found


class Film:
    """What a video holds: packets and pictures as hashes, their times, and the sound, from the first picture's time.

    Where the times of its sound leave a gap, as behind the first packet of a fragmented MP4, there is silence.
    """

    def __init__(self, path: pathlib.Path, sound: int = 0):
        with av.open(str(path)) as film:
            stream = film.streams.video[0]
            self.codec = stream.codec_context.codec.canonical_name
            self.tag = stream.codec_context.codec_tag
            self.packets = [hashlib.md5(bytes(packet)).digest() for packet in film.demux(stream) if packet.size]
        with av.open(str(path)) as film:
            shown = [(frame.pts * frame.time_base, frame) for frame in film.decode(video=0)]
            first = shown[0][0]
            self.times = [float(at - first) for at, _ in shown]
            self.pictures = [hashlib.md5(frame.to_ndarray(format="rgb24").tobytes()).digest() for _, frame in shown]
        with av.open(str(path)) as film:
            resampler = av.AudioResampler("fltp", "mono", RATE)
            start = end = None
            parts = []
            for frame in film.decode(audio=sound):
                time = end if frame.pts is None else frame.pts * frame.time_base
                start, end = (time, time) if start is None else (start, end)
                if time - end > LONGEST_JITTER_S:
                    parts.append(np.zeros(round(float(time - end) * RATE), np.float32))
                end = time + fractions.Fraction(frame.samples, frame.sample_rate)
                parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
            self.sound = np.concatenate(parts)
            self.start = float(start - first)


def lag_s(old: Film, new: Film) -> float:
    """How much later the sound is than it was, in seconds, measured against the picture."""
    size = 1 << (len(old.sound) + len(new.sound) - 1).bit_length()
    product = np.fft.rfft(new.sound, size) * np.conj(np.fft.rfft(old.sound, size))
    lag = int(np.argmax(np.fft.irfft(product, size)))
    return (lag - size * (lag > size // 2)) / RATE + new.start - old.start


def main() -> int:
    """Sweep; returns the number of kinds that fall short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    names = parser.parse_args().kinds or list(KINDS)
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        made = {name: make(folder, name) for name in names}
        outputs = karaoke([path for path in made.values() if path], folder / "out")
        bad = 0
        for name, path in made.items():
            if path is None:
                print(f"{name:<22} passed over: this ffmpeg cannot make it")
                continue
            output = outputs[str(path)]
            wrong = [output] if isinstance(output, str) else faults(path, output)
            bad += bool(wrong)
            print(f"{name:<22} {'; '.join(wrong) or 'same picture, sound in time'} {getattr(output, 'suffix', '')}")
    print(f"{bad} of {len(names)} kinds fall short")
    return bad


if __name__ == "__main__":
    sys.exit(min(main(), 1))
