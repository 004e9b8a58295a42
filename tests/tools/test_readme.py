"""The README's generated tables: fresh, idempotent, and nothing else is touched."""

from tools import readme
from tools.common import markdown


def test_the_committed_readme_is_what_results_say():
    assert readme.main(["--check"]) == 0


def test_blocks_are_renewed_and_the_rest_is_left(root):
    text = "# Title\n"
    for name in readme.BLOCKS:
        text += "above\n{}\nstale\n{}\nbelow\n".format(*markdown.markers(name))
    once = readme.renewed(text, root / "results")
    assert once == readme.renewed(once, root / "results")
    assert "stale" not in once and once.count("above\n") == once.count("\nbelow\n") == len(readme.BLOCKS)
    assert "/ 37.83 /" in once  # Table 2: IDN, Set5, x2
    assert "Not measured: BSD100, Urban100, DRCN, DRRN, MemNet;" in once
    assert "(1.0) / 0.011 (1.0) |" in once  # Table 4: IDN, Set5, x3
    assert "412,352" in once  # the x3 training pairs of results/data/counts.json
