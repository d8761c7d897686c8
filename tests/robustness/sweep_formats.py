"""`vocalsep split` of every audio format that the ffmpeg program writes: ``python tests/robustness/sweep_formats.py``.

The sum of the two stems must be, sample by sample, what the ffmpeg program decodes, or for lossless formats what was
encoded. Then come joined files, files amid other data, and what is written to a pipe, whose headers nobody fills in.
Prints a line for each, and ends with 1 where one falls short; ``--only TEXT`` tries those whose names hold it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import numpy as np
import soundfile

from vocalsep.audio.decoding import open_source
from vocalsep.errors import AudioError

SONG = pathlib.Path(__file__).resolve().parents[2] / "examples" / "song.ogg"
SECONDS = 4
# Two decoders of one lossy codec differ by their rounding.
SAME = 2e-3
# What codecs add at their beginning or end, in samples.
PADDING = 2400


@dataclasses.dataclass(frozen=True)
class Kind:
    """One format.

    Parameters
    ----------
    name : str
        File name.
    options : str
        Options of the ffmpeg program.
    rate, channels : int
    bits : int
        Of a lossless format; 0 for a lossy one.
    own : bool
        Whether the ffmpeg program decodes it in another way, so that only length and place are compared.
    """

    name: str
    options: str
    rate: int = 44100
    channels: int = 2
    bits: int = 0
    own: bool = False


KINDS = [
    *(Kind(f"{c}.wav", f"-c:a pcm_{c}", bits=b) for c, b in (("u8", 8), ("s16le", 16), ("s24le", 24), ("s32le", 32))),
    *(Kind(f"{c}.wav", f"-c:a pcm_{c}", bits=24) for c in ("f32le", "f64le")),
    *(Kind(f"{c}.wav", f"-c:a {c}") for c in ("pcm_alaw", "pcm_mulaw", "adpcm_ms", "libmp3lame", "mp2")),
    Kind("ima.wav", "-c:a adpcm_ima_wav", own=True),
    Kind("surround.wav", "-c:a pcm_s24le", channels=6, bits=24),
    Kind("a.rf64", "-c:a pcm_s16le -f wav -rf64 always", bits=16),
    Kind("a.w64", "-c:a pcm_s16le", bits=16),
    Kind("a.aiff", "-c:a pcm_s16be", bits=16),
    Kind("a24.aiff", "-c:a pcm_s24be", bits=24),
    Kind("a.aifc", "-c:a pcm_f32be -f aiff", bits=24),
    Kind("a.au", "-c:a pcm_s16be", bits=16),
    Kind("float.au", "-c:a pcm_f32be", bits=24),
    Kind("mulaw.au", "-c:a pcm_mulaw"),
    Kind("a.caf", "-c:a pcm_s16le", bits=16),
    Kind("alac.caf", "-c:a alac", bits=16),
    Kind("aac.caf", "-c:a aac", own=True),
    Kind("a.flac", "-c:a flac -sample_fmt s16", bits=16),
    Kind("a24.flac", "-c:a flac -sample_fmt s32", bits=24),
    Kind("flac.oga", "-c:a flac -sample_fmt s16", bits=16),
    Kind("a.ogg", "-c:a libvorbis"),
    Kind("a.opus", "-c:a libopus", rate=48000, own=True),
    Kind("a.spx", "-c:a libspeex", rate=32000),
    *(Kind(f"q{q}.mp3", f"-c:a libmp3lame -q:a {q}") for q in (0, 9)),
    Kind("bare.mp3", "-c:a libmp3lame -b:a 128k -write_xing 0 -id3v2_version 0"),
    Kind("a.mp2", "-c:a mp2"),
    Kind("a.aac", "-c:a aac"),
    Kind("a.latm", "-c:a aac"),
    Kind("a.m4a", "-c:a aac"),
    Kind("alac.m4a", "-c:a alac", bits=16),
    Kind("frag.m4a", "-c:a aac -f mp4 -movflags frag_keyframe+empty_moov"),
    Kind("a.mov", "-c:a pcm_s24le", bits=24),
    *(Kind(f"{c}.mka", f"-c:a {c}") for c in ("aac", "ac3", "libmp3lame", "libvorbis")),
    Kind("flac.mka", "-c:a flac -sample_fmt s16", bits=16),
    Kind("pcm.mka", "-c:a pcm_s16le", bits=16),
    Kind("opus.webm", "-c:a libopus", rate=48000, own=True),
    Kind("a.ac3", "-c:a ac3"),
    Kind("surround.ac3", "-c:a ac3", rate=48000, channels=6),
    Kind("a.eac3", "-c:a eac3"),
    Kind("a.dts", "-c:a dca -strict -2"),
    Kind("a.thd", "-c:a truehd -strict -2 -sample_fmt s16", bits=16),
    Kind("a.mlp", "-c:a mlp -strict -2 -sample_fmt s16", bits=16),
    *(Kind(f"{c}.wma", f"-c:a {c}") for c in ("wmav1", "wmav2")),
    Kind("a.wv", "-c:a wavpack -sample_fmt s16p", bits=16),
    Kind("a.tta", "-c:a tta -sample_fmt s16", bits=16),
    Kind("a.amr", "-c:a libopencore_amrnb -b:a 12.2k", rate=8000, channels=1, own=True),
    Kind("g722.wav", "-c:a g722", rate=16000, channels=1),
    Kind("a.voc", "-c:a pcm_s16le", bits=16),
    Kind("a.nut", "-c:a pcm_s16le", bits=16),
    Kind("a.avi", "-c:a libmp3lame"),
    Kind("a.flv", "-c:a libmp3lame"),
    Kind("a.ts", "-c:a aac -f mpegts"),
    Kind("a.mpg", "-c:a mp2 -f mpeg"),
    Kind("a.asf", "-c:a wmav2"),
    Kind("a.rm", "-c:a ac3 -f rm"),
    Kind("gsm.wav", "-c:a libgsm_ms", rate=8000, channels=1),
    Kind("low.wav", "-c:a pcm_s16le", rate=4000, bits=16),
    Kind("high.wav", "-c:a pcm_s24le", rate=384000, bits=24),
]


# What is put around a file: its sound must stay what it was.
RANDOM = np.random.default_rng(0).bytes(30_000)
ID3 = b"ID3\4\0\0\0\0\x10\0" + bytes(2048)
AROUND = {
    "tag in front": (ID3, b""),
    "two tags in front": (ID3 * 2, b""),
    "zeros in front": (bytes(5000), b""),
    "ID3v1 behind": (b"", b"TAG" + bytes(125)),
    "zeros behind": (b"", bytes(30_000)),
    "other data behind": (b"", RANDOM),
}
WRAPPED = (
    "s16le.wav",
    "a.aiff",
    "a24.flac",
    "a.ogg",
    "a.opus",
    "q0.mp3",
    "bare.mp3",
    "a.mp2",
    "a.aac",
    "a.ac3",
    "a.tta",
)
JOINED = ("s16le.wav", "a24.flac", "flac.oga", "a.ogg", "a.opus", "a.spx", "bare.mp3", "a.mp2", "a.aac", "a.latm")
JOINED += ("a.ac3", "a.eac3", "a.dts", "a.thd", "a.ts", "a.mpg")
# What is written to a pipe has headers that nobody fills in.
PIPED = {"s16le.wav": "wav", "a.w64": "w64", "a.au": "au", "a24.flac": "flac", "q0.mp3": "mp3", "a.ogg": "ogg"}
PIPED |= {"flac.mka": "matroska", "a.flv": "flv", "a.asf": "asf", "a.ts": "mpegts", "a.nut": "nut", "a.aiff": "aiff"}


def ffmpeg(*arguments: object) -> bytes:
    """Run the ffmpeg program; returns its standard output."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def original(folder: pathlib.Path, kind: Kind) -> pathlib.Path:
    """Return the song at a kind's rate, channels and bits, as a WAV that is made where it is not there."""
    path = folder / f"{kind.rate}-{kind.channels}-{kind.bits}.wav"
    if not path.exists():
        codec = {8: "pcm_u8", 16: "pcm_s16le", 0: "pcm_f32le"}.get(kind.bits, "pcm_s24le")
        layout = (
            ["-af", "pan=5.1|FL=FL|FR=FR|FC=FL|LFE=FR|BL=FR|BR=FL"] if kind.channels == 6 else ["-ac", kind.channels]
        )
        ffmpeg("-i", SONG, "-map", "0:a", "-t", SECONDS, "-ar", kind.rate, *layout, "-c:a", codec, path)
    return path


def make(folder: pathlib.Path, kind: Kind) -> pathlib.Path:
    """Encode the song as a kind; raises CalledProcessError where this ffmpeg program cannot."""
    path = folder / kind.name
    ffmpeg("-i", original(folder.parent, kind), "-map", "0:a", *kind.options.split(), path)
    return path


def samples(path: pathlib.Path) -> tuple[np.ndarray, int]:
    """Read (samples, channels) and the rate."""
    return soundfile.read(path, dtype="float64", always_2d=True)


def lag(one: np.ndarray, other: np.ndarray) -> int:
    """How many samples `one` is later than `other`."""
    size = 1 << (len(one) + len(other)).bit_length()
    found = np.fft.irfft(np.fft.rfft(one[:, 0], size) * np.conj(np.fft.rfft(other[:, 0], size)), size)
    place = int(found.argmax())
    return place - size if place > size // 2 else place


def complaint(kind: Kind, path: pathlib.Path, stems: pathlib.Path) -> str:
    """Say what is wrong with the stems of a file; empty where nothing is."""
    (vocals, rate), (accompaniment, _) = (samples(stems / f"{stem}.wav") for stem in ("vocals", "accompaniment"))
    mixture = vocals + accompaniment
    truth, true_rate = samples(original(path.parent.parent, kind))
    if (rate, mixture.shape[1]) != (true_rate, kind.channels):
        return f"{rate} Hz and {mixture.shape[1]} channels instead of {true_rate} and {kind.channels}"
    if kind.bits:
        # Two stems at the bits of the source sum to it exactly; 32-bit ones hold 24 bits here.
        same = mixture.shape == truth.shape and np.abs(mixture - truth).max() < 2.0**-24
        return "" if same else f"{len(mixture)} samples instead of {len(truth)}, or others"
    decoded = path.with_suffix(".decoded.wav")
    ffmpeg("-i", path, "-map", "0:a", "-c:a", "pcm_f32le", decoded)
    reference, _ = samples(decoded)
    late = lag(mixture, reference)
    if late or (len(mixture) != len(reference) and not kind.own):
        return f"{late} samples late, {len(mixture)} instead of {len(reference)}"
    common = min(len(mixture), len(reference))
    error = np.abs(mixture[:common] - reference[:common]).max()
    if abs(len(mixture) - len(truth)) > 0.1 * rate:
        return f"{len(mixture)} samples of {len(truth)}"
    return "" if kind.own or error < SAME else f"differs by up to {error:.4f}"


def decoded(path: pathlib.Path) -> np.ndarray:
    """Decode as `split` does, (channels, samples)."""
    with open_source(path) as source:
        return np.concatenate(list(source.blocks()), axis=1)


def variants(folder: pathlib.Path, made: dict[pathlib.Path, Kind]) -> Iterator[tuple[str, str]]:
    """Put each file into other surroundings, and yield what was done and what is wrong with the result, if anything."""
    for path, kind in made.items():
        whole, data = decoded(path), path.read_bytes()
        cases = {}
        if kind.name in WRAPPED:
            cases |= {what: (front + data + behind, 1) for what, (front, behind) in AROUND.items()}
        if kind.name in JOINED:
            cases["joined"] = (data + data, 2)
        if kind.name in PIPED:
            piped = ffmpeg("-i", path, "-map", "0:a", "-c", "copy", "-f", PIPED[kind.name], "pipe:1")
            cases["from a pipe"] = (piped, 1)
        for what, (content, times) in cases.items():
            changed = folder / f"{what}{path.suffix}"
            changed.write_bytes(content)
            try:
                found, wrong = decoded(changed), ""
            except AudioError as error:
                yield f"{kind.name}, {what}", str(error)
                continue
            wanted = np.tile(whole, times)
            off = found.shape[1] - wanted.shape[1]
            # A decoder that goes on hands out what it would else have kept back; pipes do not tell of padding.
            if abs(off) > PADDING or (kind.bits and not np.array_equal(found[:, : wanted.shape[1]], wanted)):
                wrong = f"{off} samples too many" if off else "other samples"
            elif late := lag(found[:, : whole.shape[1]].T, whole.T):
                wrong = f"{late} samples late" if abs(late) > PADDING else ""
            yield f"{kind.name}, {what}", wrong


def main() -> int:
    """Make, split and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="TEXT", help="only names that hold this")
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for the files")
    asked = parser.parse_args()
    place = asked.keep or pathlib.Path(tempfile.mkdtemp())
    songs, out = place / "songs", place / "out"
    songs.mkdir(parents=True, exist_ok=True)
    made = {}
    for kind in KINDS:
        if asked.only in kind.name:
            try:
                made[make(songs, kind)] = kind
            except subprocess.CalledProcessError as error:
                print(f"{kind.name:<20} not made: {error.stderr.decode().splitlines()[0][:80]}", flush=True)
    command = [sys.executable, "-m", "vocalsep", "split", *made, "-o", out, "--json", "--overwrite"]
    command += ["--name", "{source}/{stem}.{ext}"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    files = {pathlib.Path(result["input"]): result for result in json.loads(done.stdout)["files"]}
    bad = 0
    for path, kind in made.items():
        result = files[path]
        wrong = result.get("error") or complaint(kind, path, out / path.name)
        bad += bool(wrong)
        remarks = "; ".join(result.get("remarks", []))
        print(f"{kind.name:<20} {wrong or 'well'}{' | ' + remarks if remarks else ''}", flush=True)
    around = place / "around"
    around.mkdir(exist_ok=True)
    count = 0
    for what, wrong in variants(around, made):
        count += 1
        bad += bool(wrong)
        if wrong:
            print(f"{what}: {wrong}", flush=True)
    if asked.keep is None:
        shutil.rmtree(place)
    print(f"{len(made)} formats and {count} in other surroundings, {bad} fall short")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
