"""`vocalsep split`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated

import typer

from ..errors import UsageError
from . import options, separation

NAME = "{name}/{stem}.{ext}"
ALL = "all"
# For a format whose files hold all stems.
STEM_FILE_NAME = "{name}.{ext}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitOptions(options.SeparationOptions):
    """The options of split."""

    stem: Annotated[
        list[str] | None,
        typer.Option(
            "--stem",
            metavar="STEM",
            help="Write these stems only: vocals, accompaniment (or instrumental), of some models drums, bass, other; "
            "or all. Can be repeated.",
        ),
    ] = None
    name: options.NameTemplate = NAME
    format_name: options.FormatName = "wav"


def split(options: SplitOptions) -> None:
    """Split songs into vocals and accompaniment, which sum to the song.

    Outputs have the song's own length, rate, channels and bit depth. Exit code 0: all done; 1: some songs failed;
    2: nothing could be done.
    """
    from ..audio.stem_file import STEM_FILE
    from ..jobs.name_template import check_template
    from ..jobs.outputs import all_stems, single_stem

    encoding, template = options.encoding(), options.name
    if encoding.format.name == STEM_FILE:
        if options.stem:
            raise UsageError(f"a {STEM_FILE} holds all stems; leave --stem out, or choose another --format")
        mixes = [all_stems()]
        template = STEM_FILE_NAME if template == NAME else template
    else:
        names, known = _stems(options)
        mixes = [single_stem(name, known) for name in names]
    check_template(template, len(mixes))
    with separation.open_inputs(options) as inputs:
        jobs = separation.plan(options, inputs, [mixes] * len(inputs.files), template, encoding)
        separation.run(options, inputs, jobs, encoding)


def _stems(options: SplitOptions) -> tuple[Sequence[str], Sequence[str]]:
    """Return the names of the stems to write, each once, and of those that the model has."""
    from ..dsp.exact_sum import STEMS
    from ..inference.backend import ACCOMPANIMENT
    from ..inference.opening import model_stems

    names = list(dict.fromkeys(name.strip().lower() for name in options.stem or STEMS))
    known = STEMS if set(names) <= set(STEMS) else model_stems(options.model)
    if ALL not in names:
        return names, known
    # Where the accompaniment has parts, they stand for it.
    parts = [name for name in known if name != ACCOMPANIMENT]
    return (known if len(known) == len(STEMS) else parts), known
