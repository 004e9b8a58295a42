"""The order of the packages in tools/: whoever imports looks down, never up or in a circle."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools"
# from the ground up; rooms on one floor do not know each other
FLOORS = (
    {"gpu"}, {"common"}, {"setup"}, {"nets", "figures"}, {"methods", "ranks"}, {"peers", "photos"},
    {"training", "benchmarking"}, {"report", "gpu_checks", "fault_checks"},
)  # fmt: skip
PROGRAMS = len(FLOORS)
# the demo runs three programs one after the other, as a user would; a variant of an ablation is a command of train
ALLOWED = {("tools.demo", f"tools.{name}") for name in ("prepare_data", "train", "benchmark")}
ALLOWED.add(("tools.ablate", "tools.train"))


def floor(room):
    """Number of a room's floor: a package of tools/, or a program."""
    return next((number for number, rooms in enumerate(FLOORS) if room in rooms), PROGRAMS)


def modules():
    """Names of the modules in tools/ (dict of str to Path)."""
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sorted(TOOLS.rglob("*.py"))}


def imports(path, known):
    """Modules of tools/ that a file imports (set of str), wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [f"{node.module}.{alias.name}" for alias in node.names] + [node.module]
        found |= {name for name in names if name in known}
    return found


@pytest.fixture(scope="module")
def graph():
    """What each module imports (dict of str to set of str)."""
    known = modules()
    return {name: imports(path, known) for name, path in known.items()}


def room(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 2 else ".".join(parts)


def test_every_package_has_its_floor():
    packages = {path.parent.name for path in TOOLS.glob("*/__init__.py")}
    assert packages == set().union(*FLOORS)


def test_no_import_goes_up(graph):
    wrong = [
        f"{importer} imports {imported}"
        for importer, taken in graph.items()
        for imported in taken
        if room(importer) != room(imported)
        and floor(room(imported)) >= floor(room(importer))
        and (importer, imported) not in ALLOWED
    ]
    assert len(graph) > 80 and wrong == []


def test_no_import_goes_in_a_circle(graph):
    left = {name: set(taken) - {name} for name, taken in graph.items()}
    while free := [name for name, taken in left.items() if not taken]:
        left = {name: taken.difference(free) for name, taken in left.items() if name not in free}
    assert left == {}


def test_the_ground_knows_nothing_of_tools():
    ground = [path for folder in ("data_prep", "prototxt", "matlab_compat") for path in (ROOT / folder).rglob("*.py")]
    wrong = [
        path.relative_to(ROOT)
        for path in ground
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tools"
    ]
    assert len(ground) > 30 and wrong == []


def test_each_room_is_in_the_guide():
    """tools/README.md has a line for every program and every package, and for nothing else."""
    text = (TOOLS / "README.md").read_text()
    programs = {path.name for path in TOOLS.glob("*.py")} - {"__init__.py", "_environment.py"}
    packages = {f"{path.parent.name}/" for path in TOOLS.glob("*/__init__.py")}
    named = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert sorted(named) == sorted(programs | packages)
