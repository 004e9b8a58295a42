"""What a newcomer's first minutes depend on: Makefile, README, tools that start from anywhere."""

import ast
import re
import subprocess
from importlib import metadata

import pytest


def test_make_help_lists_every_target(root):
    text = (root / "Makefile").read_text()
    # these are steps of other targets, not for users
    targets = set(re.search(r"^\.PHONY: (.*)$", text, re.M)[1].split()) - {"images", "training-images", "weights"}
    help_text = subprocess.run(["make", "-s"], cwd=root, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^ +make ([a-z-]+)", help_text, re.M)) == targets
    contract = {"setup", "fetch", "prototxt", "data", "train", "benchmark", "demo", "test", "lint", "clean", "help"}
    assert contract <= targets


def test_readme_names_only_what_is_there(root):
    readme = (root / "README.md").read_text()
    paths = set(re.findall(r"\b(?:tools|data_prep|prototxt|matlab_compat|pycaffe|docs|results)/[\w./-]+\.\w+", readme))
    assert len(paths) >= 5
    assert sorted(p for p in paths if not (root / p).exists()) == []
    targets = set(re.search(r"^\.PHONY: (.*)$", (root / "Makefile").read_text(), re.M)[1].split())
    pages = readme + (root / "docs/reproduce.md").read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```$", pages, re.M | re.S)
    used = set(re.findall(r"\bmake ([a-z-]+)", "\n".join(blocks)))
    assert len(used) >= 6 and used <= targets


def test_the_package_says_its_licence_and_whose_work_it_reproduces(root):
    """Licence and addresses of the installed package, of LICENSE, of CITATION.cff and of the README are the same."""
    about = metadata.metadata("idn-caffe")
    assert about["License-Expression"] == "BSD-2-Clause" and (root / "LICENSE").read_text().startswith("BSD 2-Clause")
    assert set(about.get_all("License-File")) == {"LICENSE", "NOTICE"}
    addresses = [line.split(", ")[1] for line in about.get_all("Project-URL")]
    assert "https://arxiv.org/abs/1803.09454" in addresses and "https://github.com/Zheng222/IDN-Caffe" in addresses
    citation, readme = ((root / name).read_text() for name in ("CITATION.cff", "README.md"))
    assert "license: BSD-2-Clause" in citation and f"\nversion: {about['Version']}\n" in citation
    for address in addresses[:2]:
        assert address in citation and address in readme


def test_notices_that_ask_to_be_kept_are_kept(root):
    notice = (root / "NOTICE").read_text()
    for kept in ("The Regents of the University of California", "The University of Texas at Austin", "2003 Zhou Wang",
                 "2016 LabForComputationalVision"):  # fmt: skip
        assert kept in notice


@pytest.mark.parametrize("tool", ["benchmark", "demo", "fetch", "learning_log", "prepare_data", "tables", "train"])
def test_tools_start_from_any_folder_with_the_system_python(root, tool, tmp_path):
    """Not activated, another folder, whatever python3 is first on PATH: the tool finds its environment."""
    done = subprocess.run(
        ["python3", root / "tools" / f"{tool}.py", "--help"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert f"tools/{tool}.py" in done.stdout


def test_every_tool_is_a_program(root):
    """What has a command line of its own is executable and names its interpreter; nothing else is."""
    tools = {path: path.read_text().splitlines() for path in sorted((root / "tools").rglob("*.py"))}
    programs = {path for path in (root / "tools").glob("*.py") if path.name not in ("_environment.py", "__init__.py")}
    assert all('if __name__ == "__main__":' in tools[path] for path in programs)
    for path, lines in tools.items():
        assert (path.stat().st_mode & 0o111 != 0) == (path in programs), path.name
        assert (lines[0] == "#!/usr/bin/env python3") == (path in programs), path.name


def test_a_tool_without_environment_says_make_setup(root, tmp_path):
    (tmp_path / "tools").mkdir()
    for name in ("train.py", "_environment.py"):
        (tmp_path / "tools" / name).write_text((root / "tools" / name).read_text())
    done = subprocess.run(["python3", tmp_path / "tools" / "train.py"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "run `make setup`" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("target", ["setup", "wheels"])
def test_a_python_that_is_none_is_one_line(root, target, tmp_path):
    """One line that says what was expected, where a shell would say "not found"."""
    command = ["make", "-C", root, target, f"PYTHON={tmp_path / 'none'}"]
    done = subprocess.run(command, capture_output=True, text=True)
    line, made = done.stderr.splitlines()
    assert line.startswith(f"make: PYTHON={tmp_path / 'none'}: no such program; expected a Python from 3.9 on")
    assert done.returncode == 2 and made.startswith("make: ***")


@pytest.mark.parametrize("target", ["setup", "wheels"])
def test_a_program_that_is_no_python_is_one_line(root, target):
    """`true` does all that it is asked to, with status 0."""
    done = subprocess.run(["make", "-C", root, target, "PYTHON=true"], capture_output=True, text=True)
    line, made = done.stderr.splitlines()
    assert line.startswith("make: PYTHON=true: does not run as a Python; expected a Python from 3.9 on")
    assert done.returncode == 2 and made.startswith("make: ***")


@pytest.mark.parametrize("target", ["setup", "wheels"])
def test_a_python_that_is_too_old_is_one_line(root, target, tmp_path):
    """It runs what is in old Python; our own files are a SyntaxError to it, save the one that says what is expected."""
    old = tmp_path / "python2"
    old.write_text(
        "#!/bin/sh\n"
        'case "$1" in -c) echo 42;; *interpreter.py) echo "Python 2.7.18: expected Python 3.9" >&2; exit 2;;\n'
        '*) echo "SyntaxError: invalid syntax" >&2; exit 1;; esac\n'
    )
    old.chmod(0o755)
    done = subprocess.run(["make", "-C", root, target, f"PYTHON={old}"], capture_output=True, text=True)
    line, made = done.stderr.splitlines()
    assert line == "Python 2.7.18: expected Python 3.9" and done.returncode == 2 and made.startswith("make: ***")


# what each package may take from the others; the factors of the paper are the networks', and databases fit them
GROUND = {"matlab_compat": set(), "prototxt": set(), "data_prep": {"matlab_compat", "prototxt.scales"}}


@pytest.mark.parametrize("package", GROUND)
def test_the_ground_packages_know_each_other_one_way(root, package):
    taken = set()
    for path in (root / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and not node.level:
                taken.add(node.module)
            elif isinstance(node, ast.Import):
                taken.update(alias.name for alias in node.names)
    ours = {name for name in taken if name.split(".")[0] in {*GROUND, "tools"} - {package}}
    assert ours == GROUND[package]


@pytest.mark.parametrize("package", GROUND)
def test_what_stands_inside_a_function_says_why(root, package):
    """An import belongs to the top; one that waits has a comment with the reason."""
    silent = []
    for path in (root / package).rglob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        functions = [node for node in ast.walk(ast.parse("\n".join(lines))) if isinstance(node, ast.FunctionDef)]
        nodes = [node for function in functions for node in ast.walk(function)]
        imports = {node.lineno for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))}
        silent += [f"{path}:{number}" for number in imports if "#" not in lines[number - 1] + lines[number - 2]]
    assert silent == []
