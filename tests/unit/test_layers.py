"""The layers of the package: a package imports only from packages below it."""

import ast
import pathlib
import subprocess
import sys

import pytest

import vocalsep

ROOT = pathlib.Path(vocalsep.__file__).parent
# From the bottom up. Packages of one line do not import each other.
LAYERS = [
    {"errors"},
    {"checks"},
    {"system"},
    {"dsp", "audio", "lyrics"},
    {"tags", "networks", "analysis"},
    {"model_files", "karaoke_video"},
    {"inference", "datasets"},
    {"mixing", "jobs"},
    {"separator", "training"},
    {"evaluation"},
    {"comparison", "benchmark"},
    {"studio"},
    {"cli"},
    {"__main__"},
]
LAYER_OF = {package: layer for layer, packages in enumerate(LAYERS) for package in packages}
LONGEST_FILE = 420


def modules():
    """Every module of the package: its path, its dotted name below `vocalsep`, and whether it is a package."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield path, ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path.name == "__init__.py"


def imported_modules(path, module, package):
    """What a file imports from `vocalsep`, at the top or inside functions, as dotted names below it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = module.split(".") if module else []
            up = node.level - (1 if package else 0)
            base = base[: len(base) - up] if up else base
            target = ".".join([*base, *(node.module.split(".") if node.module else [])])
            for alias in node.names:
                yield f"{target}.{alias.name}" if target else alias.name


def test_every_package_has_a_layer():
    assert {module.split(".")[0] for _, module, _ in modules() if module} == set(LAYER_OF)


@pytest.mark.parametrize(("path", "module", "package"), list(modules()), ids=lambda value: str(value)[-30:])
def test_imports_run_downwards(path, module, package):
    own = module.split(".")[0]
    for imported in imported_modules(path, module, package):
        other = imported.split(".")[0]
        # The root module holds the version number and the lazy public names.
        if own and other != own and other != "__version__":
            assert LAYER_OF[other] < LAYER_OF[own], f"{module} imports {imported}"


def test_modules_of_a_package_import_each_other_in_one_direction():
    arrows = {}
    names = {module for _, module, _ in modules()}
    for path, module, package in modules():
        targets = set()
        for imported in imported_modules(path, module, package):
            targets.add(imported if imported in names else imported.rpartition(".")[0])
        arrows[module] = {target for target in targets if target != module and target}
    done, path_so_far = set(), []

    def visit(module):
        assert module not in path_so_far, f"circle: {' -> '.join([*path_so_far, module])}"
        if module in done or module not in arrows:
            return
        path_so_far.append(module)
        for target in arrows[module]:
            visit(target)
        path_so_far.pop()
        done.add(module)

    for module in arrows:
        visit(module)


def test_files_stay_short():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path, _, _ in modules()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_importing_vocalsep_imports_nothing_heavy():
    code = (
        "import sys, vocalsep, vocalsep.cli;"
        "print([m for m in ('torch', 'librosa', 'musdb', 'numpy', 'av') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
