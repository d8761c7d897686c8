"""Select one of a file's audio streams: by number or language, else the default stream, else the first."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import re
from collections.abc import Sequence
from typing import Any

from ..errors import AudioError
from .layouts import pinned_layout

# The first stream of Native Instruments' Stem files is the mixture, whichever is marked as default.
STEM_SUFFIX = ".stem.mp4"
# The codes of each language: of ISO 639-1, and of ISO 639-2, where some languages have two.
LANGUAGE_CODES = """
aa aar, ab abk, ae ave, af afr, ak aka, am amh, an arg, ar ara, as asm, av ava, ay aym, az aze, ba bak, be bel, bg bul,
bi bis, bm bam, bn ben, bo bod tib, br bre, bs bos, ca cat, ce che, ch cha, co cos, cr cre, cs ces cze, cu chu, cv chv,
cy cym wel, da dan, de deu ger, dv div, dz dzo, ee ewe, el ell gre, en eng, eo epo, es spa, et est, eu eus baq,
fa fas per, ff ful, fi fin, fj fij, fo fao, fr fra fre, fy fry, ga gle, gd gla, gl glg, gn grn, gu guj, gv glv, ha hau,
he heb, hi hin, ho hmo, hr hrv, ht hat, hu hun, hy hye arm, hz her, ia ina, id ind, ie ile, ig ibo, ii iii, ik ipk,
io ido, is isl ice, it ita, iu iku, ja jpn, jv jav, ka kat geo, kg kon, ki kik, kj kua, kk kaz, kl kal, km khm, kn kan,
ko kor, kr kau, ks kas, ku kur, kv kom, kw cor, ky kir, la lat, lb ltz, lg lug, li lim, ln lin, lo lao, lt lit, lu lub,
lv lav, mg mlg, mh mah, mi mri mao, mk mkd mac, ml mal, mn mon, mr mar, ms msa may, mt mlt, my mya bur, na nau, nb nob,
nd nde, ne nep, ng ndo, nl nld dut, nn nno, no nor, nr nbl, nv nav, ny nya, oc oci, oj oji, om orm, or ori, os oss,
pa pan, pi pli, pl pol, ps pus, pt por, qu que, rm roh, rn run, ro ron rum, ru rus, rw kin, sa san, sc srd, sd snd,
se sme, sg sag, si sin, sk slk slo, sl slv, sm smo, sn sna, so som, sq sqi alb, sr srp, ss ssw, st sot, su sun, sv swe,
sw swa, ta tam, te tel, tg tgk, th tha, ti tir, tk tuk, tl tgl, tn tsn, to ton, tr tur, ts tso, tt tat, tw twi, ty tah,
ug uig, uk ukr, ur urd, uz uzb, ve ven, vi vie, vo vol, wa wln, wo wol, xh xho, yi yid, yo yor, za zha, zh zho chi,
zu zul
"""
NO_LANGUAGE = ("", "und", "unk")


@dataclasses.dataclass(frozen=True)
class AudioStream:
    """One audio stream of a file: its number, from 1, and the container's metadata; texts may be empty."""

    number: int
    codec: str
    channels: int
    sample_rate: int
    language: str = ""
    title: str = ""
    default: bool = False

    @property
    def known(self) -> list[str]:
        """Its distinguishing properties, as text."""
        channels = f"{self.channels} channel{'s' if self.channels != 1 else ''}"
        return [word for word in (self.language, self.title, channels, "default" if self.default else "") if word]

    def __str__(self) -> str:
        return f"{self.number} ({', '.join(self.known)})"


def is_stem_file(path: pathlib.Path) -> bool:
    """Return whether a path has the suffix of Native Instruments' Stem files."""
    return path.name.lower().endswith(STEM_SUFFIX)


def audio_streams(container: Any) -> tuple[AudioStream, ...]:
    """Describe the audio streams of an open PyAV container, in order."""
    described = []
    for number, stream in enumerate(container.streams.audio, 1):
        context = stream.codec_context
        language = stream.metadata.get("language", "")
        described.append(
            AudioStream(
                number,
                "unknown" if context is None else context.name,
                0 if context is None else pinned_layout(context).nb_channels,
                0 if context is None else context.sample_rate,
                "" if language in NO_LANGUAGE else language,
                stream.metadata.get("title", ""),
                bool(stream.disposition & stream.disposition.default),
            )
        )
    return tuple(described)


def select_stream(streams: Sequence[AudioStream], requested: int | str | None, path: pathlib.Path) -> int:
    """Return the index of the audio stream to take.

    Parameters
    ----------
    streams : sequence of AudioStream
        At least one.
    requested : int, str or None
        An index from 0; or a text: a number from 1, or the code of a language; None for the default stream.
    path : pathlib.Path
        Path of the file.

    Raises
    ------
    AudioError
        There is no such stream.
    """
    index: int | None
    if isinstance(requested, int):
        index = requested
    elif requested is None:
        defaults = [] if is_stem_file(path) else [one for one in streams if one.default]
        index = defaults[0].number - 1 if defaults else 0
    elif requested.isdecimal():
        index = int(requested) - 1
    else:
        matches = [one for one in streams if same_language(requested, one.language)]
        index = min(matches, key=lambda one: not one.default).number - 1 if matches else None
    if index is None or not 0 <= index < len(streams):
        name = requested + 1 if isinstance(requested, int) else requested
        raise AudioError(f"has no audio stream {name}", path=path, hint=f"it holds {', '.join(map(str, streams))}")
    return index


@functools.cache
def _first_codes() -> dict[str, str]:
    groups = [group.split() for group in LANGUAGE_CODES.split(",")]
    return {code: group[0] for group in groups for code in group}


def same_language(one: str, other: str) -> bool:
    """Return whether two codes, such as ``ja`` and ``jpn`` or ``pt-BR`` and ``por``, mean the same language."""
    first, second = (re.split("[-_]", code.strip().lower())[0] for code in (one, other))
    codes = _first_codes()
    return bool(first) and codes.get(first, first) == codes.get(second, second)
