"""`vocalsep split`."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from ..errors import UsageError
from . import options, separation

NAME = "{name}/{stem}.{ext}"
# For a format whose files hold all stems.
STEM_FILE_NAME = "{name}.{ext}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitOptions(options.SeparationOptions):
    """The options of split."""

    stem: Annotated[options.Stem | None, typer.Option("--stem", help="Write this stem only.")] = None
    name: options.NameTemplate = NAME
    format_name: options.FormatName = "wav"


def split(options: SplitOptions) -> None:
    """Split songs into vocals and accompaniment, which sum to the song.

    Outputs have the song's own length, rate, channels and bit depth. Exit code 0: all done; 1: some songs failed;
    2: nothing could be done.
    """
    from ..audio.stem_file import STEM_FILE
    from ..dsp.exact_sum import STEMS
    from ..jobs.name_template import check_template
    from ..jobs.outputs import all_stems, single_stem

    encoding, template = options.encoding(), options.name
    if encoding.format.name == STEM_FILE:
        if options.stem:
            raise UsageError(f"a {STEM_FILE} holds all stems; leave --stem out, or choose another --format")
        mixes = [all_stems()]
        template = STEM_FILE_NAME if template == NAME else template
    else:
        mixes = [single_stem(name) for name in ([options.stem.value] if options.stem else STEMS)]
    check_template(template, len(mixes))
    with separation.open_inputs(options) as inputs:
        jobs = separation.plan(options, inputs, [mixes] * len(inputs.files), template, encoding)
        separation.run(options, inputs, jobs, encoding)
