"""Best and second best of a line."""

from tools.benchmarking.ranks import ranked, ranks


def test_best_and_second_as_printed():
    assert ranks([37.53, 37.83, None, 37.78], "psnr") == ["", "best", "", "second"]
    assert ranks([0.062, 0.011, 0.049], "seconds") == ["", "best", "second"]
    # equal as printed: both
    assert ranks([28.211, 28.2149, 27.0], "psnr") == ["best", "best", "second"]
    assert ranks([None, None], "psnr") == ["", ""]


def test_only_the_papers_methods_are_ranked():
    """A second set of IDN's weights is better than the paper's row and takes no place from it."""
    values = {"VDSR": 31.35, "IDN": 31.81, "IDN-MSCOCO": 31.84, "LapSRN": 31.54}
    assert ranked(values, "psnr") == {"VDSR": "", "IDN": "best", "IDN-MSCOCO": "", "LapSRN": "second"}
