"""docs/add_a_network.md, followed to the end: a network of one's own in the benchmark and on a photograph."""

import ast
import json
import re

import cv2
import numpy as np
import pytest

from prototxt.registry import NETWORKS
from tools import benchmark, upscale
from tools.methods.registry import METHODS


@pytest.fixture
def page(root):
    return (root / "docs/add_a_network.md").read_text(encoding="utf-8")


def python_of(page):
    return [ast.parse(block) for block in re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)]


def test_the_page_needs_no_private_name(page):
    trees = python_of(page)
    names = [
        name
        for node in (node for tree in trees for node in ast.walk(tree))
        for name in (
            [alias.name for alias in node.names] if isinstance(node, (ast.Import, ast.ImportFrom))
            else [node.attr] if isinstance(node, ast.Attribute)
            else [node.id] if isinstance(node, ast.Name) else []
        )
    ]  # fmt: skip
    assert len(trees) >= 3 and {"Network", "Method"} <= set(names)
    assert [name for name in names if name.startswith("_") and name != "_"] == []
    assert re.findall(r"`_\w+", page) == []


def test_a_network_of_one_s_own(page, tmp_path, monkeypatch):
    """As the page says: NETWORK on one list, its Method on the other; then the tools know it."""
    names = {}
    for tree in python_of(page):
        exec(compile(tree, "docs/add_a_network.md", "exec"), names)
    method = names["METHOD"]
    monkeypatch.setitem(NETWORKS, method.network, names["NETWORK"])
    monkeypatch.setitem(METHODS, method.name, method)
    rng = np.random.default_rng(0)
    net = method.load(3)
    for blobs in net.params.values():  # small: nearly black, but not the bicubic
        blobs[0].data[...] = rng.normal(0, 0.05, blobs[0].data.shape)
    net.save(str(tmp_path / "own.caffemodel"))
    (tmp_path / "data/Mine").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "data/Mine/one.png"), rng.integers(0, 255, (48, 54, 3), np.uint8))
    asked = ["--methods", method.name, "--scales", 3, "--weights", tmp_path / "own.caffemodel", "--datasets", "Mine"]
    folders = ["--data-dir", tmp_path / "data", "--out", tmp_path / "out", "--tables", 2, "--repeats", 0]
    assert benchmark.main([str(one) for one in (*asked, *folders)]) == 0
    (row,) = json.loads((tmp_path / "out/benchmark.json").read_text())["rows"]
    assert row["method"] == method.name and row["gap"] is None and row["psnr"] > 0
    assert row["protocol"] == method.protocol
    picture, large = tmp_path / "data/Mine/one.png", tmp_path / "large.png"
    asked = [picture, "-o", large, "--scale", 3, "--method", method.name, "--weights", tmp_path / "own.caffemodel"]
    assert upscale.main([str(one) for one in asked]) == 0
    assert cv2.imread(str(large)).shape == (144, 162, 3)
