"""The generated tables of README.md and docs/: fresh, idempotent, and nothing else is touched."""

import json
import re

import pytest

from tools import readme
from tools.common import markdown
from tools.common.errors import UserError


def test_the_committed_pages_are_what_results_say():
    assert readme.main(["--check"]) == 0


def page_with_stale_blocks(page):
    text = "# Title\n"
    for name in readme.PAGES[page]:
        text += "above\n{}\nstale\n{}\nbelow\n".format(*markdown.markers(name))
    return text


@pytest.mark.parametrize(
    ("page", "parts"),
    [
        ("README.md", ["| Set5 x2     |           37.83 | 37.83 |"]),
        ("docs/reproduce.md", ["412,352", "(../results/data/counts.md)"]),  # the x3 training pairs of counts.json
        ("docs/tables.md", [
            "**37.83** / **37.83** / 0.00 |",  # Table 2: IDN, Set5, x2, the best here and in the paper
            "- / <ins>37.78</ins> / - |",  # MemNet, the second best in the paper, not measured here
            "Not explained",
            "Not measured: DRCN, DRRN, MemNet;",
            "(../results/benchmark/benchmark.md)",
            "(1.0) / 0.011 (1.0) |",  # Table 4: IDN, Set5, x3
        ]),
    ],
)  # fmt: skip
def test_blocks_are_renewed_and_the_rest_is_left(page, parts, root):
    once = readme.renewed(page_with_stale_blocks(page), root / "results", page)
    assert once == readme.renewed(once, root / "results", page)
    assert "stale" not in once and once.count("above\n") == once.count("\nbelow\n") == len(readme.PAGES[page])
    for part in parts:
        assert part in once
    for link in re.findall(r"\]\((\S+)\)", once):
        assert ((root / page).parent / link).exists(), link


def test_the_first_screen_shows_all_twelve_rows(tmp_path, root):
    """Those of the paper's network, whatever else was measured."""
    report = json.loads((root / "results/benchmark/benchmark.json").read_text())
    (mscoco,) = [one for one in report["rows"] if (one["dataset"], one["method"]) == ("Set5", "IDN-MSCOCO")]
    mscoco.update(psnr=99.99, ssim=0.9999, ifc=99.999)  # better than all, and in no table of the paper
    (tmp_path / "benchmark").mkdir()
    (tmp_path / "benchmark/benchmark.json").write_text(json.dumps(report))
    lines = readme.summary(tmp_path).splitlines()
    sets = [line.split("|")[1].strip() for line in lines[2:]]
    assert sets == [f"{name} x{scale}" for name in ("Set5", "Set14", "BSD100", "Urban100") for scale in (2, 3, 4)]
    numbers = [cell.strip() for cell in lines[-1].split("|")[2:-1]]
    assert numbers == ["25.40", "25.41", "0.7629", "0.7632", "3.778", "3.789"]  # Urban100 x4, here and in the paper
    assert "99.99" not in "\n".join(lines)
    table = readme.results(tmp_path)
    assert "| BSD100   | x2    | IDN " in table and "Not measured: DRCN, DRRN, MemNet" in table
    rows = [line for line in table.splitlines() if "| IDN-MSCOCO |" in line]
    assert len(rows) == 4 and "99.99 / - / -" in rows[0]
    assert not any("**" in row or "<ins>" in row for row in rows)


def test_every_command_of_a_training_run_is_printed(root):
    """A run that was stopped and finished by further ones is not told as one command."""
    summary = json.loads((root / "results/training/x3_h100/summary.json").read_text())
    assert len(summary["commands"]) == 3 and "command" not in summary
    block = readme.training(root / "results")
    lines = block.splitlines()
    first = lines.index(summary["commands"][0])
    assert lines[first : first + 3] == summary["commands"] and summary["note"] in lines


def test_a_stale_page_is_named_and_left(tmp_path, root, monkeypatch):
    for page in readme.PAGES:
        (tmp_path / page).parent.mkdir(exist_ok=True)
        (tmp_path / page).write_text((root / page).read_text())
    (tmp_path / "results").symlink_to(root / "results")
    (tmp_path / "docs/reproduce.md").write_text(page_with_stale_blocks("docs/reproduce.md"))
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    with pytest.raises(UserError, match=r"^docs/reproduce.md: not what results/ say; run tools/readme.py$"):
        readme.main(["--check"])
    assert "stale" in (tmp_path / "docs/reproduce.md").read_text()
    assert readme.main([]) == 0 and readme.main(["--check"]) == 0
