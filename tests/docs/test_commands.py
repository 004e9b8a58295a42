"""Every command of the documentation, so that it cannot rot.

A fenced block after the line `<!-- run -->` is run for real, in order, in a folder of its own with some pictures and
with weights that are not trained; `<!-- run: released -->` with the authors' Set5 and weights (skipped where they are
not). Where a text block follows, its lines must be printed. All other commands, those that take long or need a
network, are checked without being run: tools by their own argument parser, make by a dry run, generators in full.
"""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage

from tools import demo
from tools.common import cli
from tools.methods.registry import METHODS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "pycaffe/README.md")]
    + [*ROOT.glob("docs/*.md"), *ROOT.glob("results/figures/*.md"), *ROOT.glob("tools/*.md")]
)
# programs of others, whose own options are theirs
FOREIGN = frozenset(("apt-get", "git", "nvidia-smi", "pip", ".venv/bin/pip", "export", "cd", "mkdir", "cp"))
# they start one of ours several times
LAUNCHERS = frozenset(("mpirun", "srun"))
FENCE = re.compile(r"(?:<!-- (run(?:: released)?) -->\n)?^```(\w*)\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, how it is marked, its language, its content."""

    page: Path
    mark: str
    language: str
    text: str

    @property
    def commands(self):
        """Its commands, each a list of words, without prompts, comments and variables set in front."""
        joined = re.sub(r"\\\n\s*", " ", self.text)
        lines = [line.removeprefix("$ ") for line in joined.splitlines() if line.strip()]
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def blocks():
    """All fenced blocks of all pages, in order."""
    return [Block(page, *match.groups(default="")) for page in PAGES for match in FENCE.finditer(page.read_text())]


def shown(block):
    """A name for a test."""
    return f"{block.page.relative_to(ROOT)}: {block.text.strip().splitlines()[0][:50]}"


SHELL = [block for block in blocks() if block.language in ("", "sh", "bash", "console")]
PYTHON = [block for block in blocks() if block.language == "python"]


def test_there_are_commands():
    assert len(PAGES) >= 18 and sum(len(block.commands) for block in SHELL) >= 60
    assert len([block for block in SHELL if block.mark]) >= 6 and len(PYTHON) >= 3


class Parsed(Exception):
    """The arguments were accepted."""


@pytest.mark.parametrize("block", SHELL, ids=shown)
def test_commands_are_understood(block, tmp_path, monkeypatch):
    """Options and choices exist, targets and files exist; generators run."""
    monkeypatch.chdir(tmp_path)
    parse = cli.Parser.parse_args

    def stop(parser, argv=None, namespace=None):
        parse(parser, argv, namespace)
        raise Parsed

    monkeypatch.setattr(cli.Parser, "parse_args", stop)
    for words in block.commands:
        check(words[1:] if re.match(r"[A-Z_]+=", words[0]) else words)


def check(words):
    """Refuse a command that would be refused."""
    program, *arguments = words
    python = program in ("python", "python3", ".venv/bin/python")
    if program in FOREIGN:
        return
    if program in LAUNCHERS:
        first = next(i for i, word in enumerate(arguments) if word.startswith("tools/"))
        tool = import_module(f"tools.{Path(arguments[first]).stem}")
        with pytest.raises(Parsed):
            tool.parser().parse_args(arguments[first + 1 :])
        return
    if program == "make":
        done = subprocess.run(["make", "-n", "-C", ROOT, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    elif match := re.fullmatch(r"tools/(\w+)\.py", program):
        with pytest.raises((Parsed, SystemExit)) as stopped:
            import_module(f"tools.{match[1]}").main(arguments)
        assert stopped.type is Parsed or stopped.value.code == 0, words
    elif python and arguments[:1] == ["-m"] and arguments[1].startswith("prototxt."):
        done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    elif python and arguments[:2] == ["-m", "matlab_compat"]:
        run_matlab_compat(arguments)
    elif python and arguments[:2] == ["-m", "pytest"]:
        assert [path for path in arguments[2:] if path[0] != "-" and not (ROOT / path).exists()] == []
    elif program == "caffe":
        files = [word for word in arguments if word.endswith(".prototxt")]
        assert files and all((ROOT / file).is_file() for file in files)
    elif python and arguments[:1] == ["-c"]:
        compile(arguments[1], "documentation", "exec")
    else:
        assert (ROOT / program).is_file(), f"{' '.join(words)}: a command that no check knows"


def run_matlab_compat(arguments):
    """Run it on two small pictures of the names that the pages use."""
    img = np.random.default_rng(1).integers(0, 256, (96, 99, 3), np.uint8)
    for name in ("in.png", "a.png", "b.png"):
        cv2.imwrite(name, img)
        img = img ^ 1
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def photo(name, rows, columns):
    """A part of a photograph of scikit-image."""
    return cv2.imread(str(Path(skimage.__file__).parent / "data" / name))[rows, columns]


@pytest.fixture
def place(tmp_path):
    """A folder as the pages have it: tools, pictures to enlarge, data to train with, weights."""
    for name in ("tools", ".venv", "prototxt"):
        (tmp_path / name).symlink_to(ROOT / name)
    pictures = {
        "photo.jpg": photo("coffee.png", slice(100, 148), slice(200, 254)),
        "photos/cat.png": photo("chelsea.png", slice(100, 140), slice(100, 150)),
        "photos/face.png": photo("astronaut.png", slice(80, 120), slice(190, 230)),
        "demo/data/photos_test/astronaut.png": photo("astronaut.png", slice(80, 120), slice(190, 230)),
        "data/mine/one.png": photo("coffee.png", slice(0, 160), slice(0, 170)),
        "data/mine/two.png": photo("rocket.jpg", slice(100, 260), slice(200, 370)),
        "data/mine_test/three.png": photo("astronaut.png", slice(60, 156), slice(160, 256)),
    }
    for name, img in pictures.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(tmp_path / name), img)
    (tmp_path / "weights/idn").mkdir(parents=True)
    for scale in (2, 3, 4):
        METHODS["IDN"].load(scale).save(str(tmp_path / f"weights/idn/IDN_x{scale}.caffemodel"))
    return tmp_path


def run(words, folder):
    """Run one command there as a user would, make in the checkout; gives what it prints."""
    environment = {**os.environ, "DATA": str(folder / "data"), "WEIGHTS": str(folder / "weights")}
    if words[0] == "make":
        words = ["make", "-C", str(ROOT), *words[1:], f"OUT={folder / 'out'}"]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("block", [b for b in SHELL if b.mark == "run"], ids=shown)
def test_commands_run(block, place):
    before = {path for path in place.rglob("*") if path.is_file() and not path.is_symlink()}
    printed = "".join(run(words, place) for words in block.commands)
    assert all(line in printed for line in following(block))
    made = {path for path in place.rglob("*") if path.is_file() and not path.is_symlink()} - before
    assert made or "--check" in block.text or "--dry-run" in block.text


@pytest.mark.parametrize("block", [b for b in SHELL if b.mark == "run: released"], ids=shown)
def test_commands_run_on_the_authors_files(block, shared, tmp_path):
    for name in ("tools", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    for name in ("data/Set5", "weights/idn"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).symlink_to(shared / name)
    printed = "".join(run(words, tmp_path) for words in block.commands)
    assert following(block)
    for line in following(block):
        assert line in printed


def following(block):
    """The lines of the text block after this block, on the same page; none where another block or nothing follows."""
    every = blocks()
    after = every[every.index(block) + 1 :][:1]
    texts = [one.text for one in after if one.page == block.page and one.language == "text"]
    return "".join(texts).splitlines()


def test_the_readme_shows_how_the_demo_ends():
    """All but its two figures, which the demo measures; those of bicubic interpolation are the photographs' own."""
    block = next(block for block in SHELL if block.page.name == "README.md" and block.text == "make demo\n")
    shown_lines = "\n".join(following(block))
    figures = [float(figure) for figure in re.findall(r"([\d.]+) dB", shown_lines)]
    assert len(figures) == 2
    wanted = demo.CLOSING.format(iterations=demo.ITERATIONS, idn=figures[0], bicubic=figures[1])
    assert len(following(block)) == 2 and wanted.startswith(shown_lines)


@pytest.mark.parametrize("page", sorted({block.page for block in PYTHON}), ids=lambda page: page.name)
def test_python_runs(page, tmp_path, monkeypatch):
    """All Python of a page, in order, in one namespace; `img` is a picture, as the pages say."""
    monkeypatch.chdir(tmp_path)
    names = {"img": np.random.default_rng(1).integers(0, 256, (60, 66, 3), np.uint8)}
    for block in PYTHON:
        if block.page == page:
            exec(compile(block.text, str(page), "exec"), names)


def headings(page):
    """The names by which links reach the headings of a page, as GitHub makes them; `#`s of commands are none."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_links_lead_somewhere():
    links = [(page, *link) for page in PAGES for link in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", page.read_text())]
    links = [(page, page.parent / path if path else page, name) for page, path, name in links if "://" not in path]
    assert len(links) >= 15 and any(name for _, _, name in links)
    assert [(page.name, str(path)) for page, path, _ in links if not path.exists()] == []
    assert [(page.name, name) for page, path, name in links if name and name not in headings(path)] == []


def test_pages_that_programs_name_are_there():
    named = r"(?<![\w/.])(?:docs|results|tools|pycaffe)/[\w/]+\.md"
    places = ("tools/**/*.py", "data_prep/*.py", "matlab_compat/**/*.py", "prototxt/*.py", "pycaffe/**/*.*pp")
    files = [ROOT / "Makefile", *ROOT.glob("pycaffe/*.py"), *(path for place in places for path in ROOT.glob(place))]
    pages = {(path.name, page) for path in files for page in re.findall(named, path.read_text())}
    assert len(pages) >= 15
    assert {(name, page) for name, page in pages if not (ROOT / page).exists()} == set()


def test_messages_of_the_troubleshooting_page_exist():
    """Each message in its first column stands in the sources."""
    places = ("tools/**/*.py", "data_prep/*.py", "matlab_compat/**/*.py", "prototxt/*.py", "pycaffe/*.py")
    places += ("pycaffe/cmake/*.cmake", "pycaffe/cuda/*.cpp", "pycaffe/layers/*.cpp")
    sources = "".join(path.read_text() for place in places for path in ROOT.glob(place))
    sources += "".join(map(os.strerror, range(1, 134)))  # the system's own words
    rows = (ROOT / "docs/troubleshooting.md").read_text().split("|---|---|---|\n")[1].splitlines()
    messages = [m for row in rows for m in re.findall(r"`+ ?([^|]+?) ?`(?=[ ,|]|$)", row.split("|")[1])]
    assert len(messages) >= 20
    assert [m for m in messages if m not in sources] == []
