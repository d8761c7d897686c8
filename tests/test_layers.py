"""The house's floors: a module imports only from floors below its own."""

import ast
import pathlib
import subprocess
import sys

import pytest

import vocalsep

HOUSE = pathlib.Path(vocalsep.__file__).parent
FLOORS = [
    {"errors", "callbacks", "progress", "names", "folders", "audio.boxes", "audio.layouts", "audio.headers"},
    {
        "bounds",
        "networks",
        "backends",
        "pipeline",
        "parent",
        "holding",
        "audio.formats",
        "audio.languages",
        "audio.clock",
        "audio.container",
        "audio.flac",
        "audio.native",
        "audio.resample",
        "tags.riff",
        "tags.broadcast",
        "outputs",
        "passage",
    },
    {
        "networks.configs",
        "networks.reach",
        "interruption",
        "figures",
        "audio.parts",
        "audio.timeline",
        "audio.refusals",
        "audio.selection",
    },
    {"networks.network", "networks.level", "networks.shared", "networks.critic", "channels", "backends.backend"},
    {"networks.table", "networks.heads", "networks.folding", "networks.phases"},
    {"config", "networks.pair"},
    {"networks.skeleton", "networks.unet", "networks.spleeter", "networks.wave_unet"},
    {
        "networks.resunet",
        "networks.denseunet",
        "networks.multiresunet",
        "networks.r2unet",
        "networks.attention_unet",
        "networks.unet3d",
        "networks.tfc_tdf",
        "networks.band_tfc_tdf",
        "networks.bottleneck",
    },
    {"networks.attention_r2unet"},
    {
        "streaming_stft",
        "audio.source",
        "audio.video_plan",
        "audio.sink",
        "remainder",
        "registry",
        "remote",
        "tags.fields",
        "chunking",
        "sides",
        "metrics",
        "mixing",
        "mixing.config",
        "mixing.levels",
        "mixing.filters",
        "mixing.rooms",
        "mixing.codecs",
        "mixing.speed",
    },
    {"mixing.dynamics", "stft", "backends.onnx_backend", "backends.torch_backend", "audio.conversion"},
    {"audio.sndfile", "audio.ffmpeg", "audio.joined", "audio.stem_file"},
    {
        "audio.decoding",
        "tags.reading",
        "tags.writing",
        "checkpoint",
        "masking",
        "waves",
        "planning",
        "audio.key_tempo",
        "audio.video",
    },
    {"importing.tensor_bundle"},
    {"importing.spleeter"},
    {"importing"},
    {"streams", "tags", "datasets.clips", "averaging", "backends.opening", "exporting"},
    {"engine"},
    {"datasets.songs", "datasets.cache"},
    {"datasets.stems"},
    {"datasets.musdb18", "datasets.pairs"},
    {"datasets.pools"},
    {"datasets", "mixing.mixer"},
    {"training.config", "training.outcome", "training.folder", "training.state", "training.events"},
    {
        "training.losses",
        "training.forward",
        "training.loader",
        "training.journal",
        "training.norms",
        "training.validation",
    },
    {"training.adversarial", "training.data", "training.clock", "training.signals"},
    {"training.loop"},
    {"training.run"},
    {"training.trial"},
    {"training"},
    {"rendering"},
    {"separator", "batch"},
    {"processes"},
    {"cluster"},
    {"estimate", "evaluation.bss", "evaluation.oracles", "evaluation.results", "evaluation.estimates"},
    {"evaluation.rows"},
    {"evaluation.scoring"},
    {"evaluation.tables", "evaluation.pictures"},
    {"evaluation.runner", "evaluation.report"},
    {"evaluation"},
    {"comparison.entries"},
    {"comparison.budget", "comparison.measuring"},
    {"comparison.table"},
    {"comparison.run"},
    {"comparison"},
    {"benchmark.stages", "benchmark.processes"},
    {"benchmark.run"},
    {"benchmark"},
    {"studio.limits", "studio.library", "studio.stems", "studio.events", "studio.guard", "studio.ranges"},
    {"studio.uploads", "studio.worker", "studio.mixes"},
    {"studio.api"},
    {"studio.server"},
    {"studio"},
    {"cli.interrupts", "cli.streams"},
    {"cli.options", "cli.session", "cli.settings"},
    {
        "cli.split",
        "cli.karaoke",
        "cli.inspect",
        "cli.train",
        "cli.evaluate",
        "cli.plot",
        "cli.import_spleeter",
        "cli.average",
        "cli.compare",
        "cli.studio",
        "cli.bench",
        "cli.export",
    },
    {"cli.app"},
    {"cli", "audio"},
    {"__main__", ""},
]
LONGEST_FILE = 420
FLOOR_OF = {module: floor for floor, modules in enumerate(FLOORS) for module in modules}


def _modules():
    for path in sorted(HOUSE.rglob("*.py")):
        parts = path.relative_to(HOUSE).with_suffix("").parts
        yield path, ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path.name == "__init__.py"


def _imports(path, module, package):
    """Modules of the house that a file imports, at the top or inside functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = module.split(".") if module else []
            up = node.level - (1 if package else 0)
            base = base[: len(base) - up] if up else base
            if node.module:
                base = [*base, *node.module.split(".")]
            target = ".".join(base)
            for alias in node.names:
                inner = f"{target}.{alias.name}" if target else alias.name
                yield inner if inner in FLOOR_OF else target


def test_every_module_has_a_floor():
    assert {module for _, module, _ in _modules()} == set(FLOOR_OF)


@pytest.mark.parametrize(("path", "module", "package"), list(_modules()), ids=lambda value: str(value)[-30:])
def test_imports_run_downwards(path, module, package):
    for imported in _imports(path, module, package):
        if imported == "" and (module.startswith("cli") or module in ("training.run", "studio.api")):
            continue  # the version number
        assert FLOOR_OF[imported] < FLOOR_OF[module], f"{module} imports {imported}"


def test_files_stay_short():
    lengths = {path.name: len(path.read_text("utf-8").splitlines()) for path, _, _ in _modules()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_importing_vocalsep_imports_nothing_heavy():
    code = (
        "import sys, vocalsep, vocalsep.cli;"
        "print([m for m in ('torch', 'librosa', 'musdb', 'numpy', 'av') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
