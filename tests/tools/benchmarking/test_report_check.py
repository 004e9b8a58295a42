"""Foreign, damaged and hostile benchmark.json: refused in one line, or shown as what it is."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.files import json_text
from tools import tables
from tools.benchmarking import report_check, reports
from tools.benchmarking.tables import paper_table, value
from tools.common.errors import UserError
from tools.report import html_tables

META = {
    "command": "tools/benchmark.py", "date": "2020-01-01 00:00:00 UTC", "device": "a processor", "edge": "replicate",
    "clock": "seconds", "repeats": 3, "load_average": 0.5, "versions": {"python": "3.11"}, "tables": [2, 3, 4],
    "image_sets": {"Set5": {"images": 5, "sha256": "0"}}, "weights": {"IDN x3": {"file": "a", "sha256": "1"}},
}  # fmt: skip
ROW = {
    "dataset": "Set5", "scale": 3, "method": "IDN", "images": 5, "psnr": 34.11, "ssim": 0.9253, "ifc": 5.6,
    "seconds": 0.5, "seconds_median": 0.4, "repeats": 3, "gap": None, "notes": [], "tile": None,
    "spent": {"wall": 3.5, "forward": 3.1},
    "per_image": [{"image": "a.png", "psnr": 34.11}],
}  # fmt: skip


def parsed(report):
    return report_check.parsed(json.dumps(report).encode())


def changed(where, name, value):
    report = {"meta": copy.deepcopy(META), "rows": [copy.deepcopy(ROW)]}
    (report["meta"] if where == "meta" else report["rows"][0])[name] = value
    return report


def test_a_report_is_taken_as_it_is():
    report = {"meta": META, "rows": [ROW]}
    assert parsed(report) == report


@pytest.mark.parametrize("name", META)
def test_meta_must_be_there_and_right(name):
    for bad in ([None], 10**400, float("inf"), True):
        with pytest.raises(ValueError, match=f"meta.{name}: "):
            parsed(changed("meta", name, bad))
    report = changed("meta", name, None)
    del report["meta"][name]
    with pytest.raises(ValueError, match=f"meta.{name} is missing"):
        parsed(report)
    assert name not in report_check.parsed(json.dumps(report).encode(), needs=())["meta"]


@pytest.mark.parametrize("name", ROW)
def test_rows_must_be_right(name):
    for bad in ({"a": "b"}, 1e300, 10**400, [[1]]):
        with pytest.raises(ValueError, match=rf"rows\[0\].{name}"):
            parsed(changed("row", name, bad))


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"\xff\xfe{", b"[]", b"1", b"nul", b'{"meta": {}}', b"[" * 200_000, b'{"a":' * 100_000,
     b'{"meta": {}, "rows": [], "x": ' + b"[" * 500 + b"]" * 500 + b"}", b"1" * 5000],
)  # fmt: skip
def test_no_report_at_all(content, tmp_path):
    path = tmp_path / "benchmark.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"benchmark.json: not a benchmark.json of tools/benchmark.py \(.*\); run it"):
        reports.read_report(path)


def test_a_folder_and_an_endless_file():
    with pytest.raises(UserError, match="cannot be read .Is a directory.; expected the benchmark.json"):
        reports.read_report("/")
    with pytest.raises(UserError, match="larger than 64 MB"):
        reports.read_report("/dev/zero")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(["meta", "row"]), st.data(), VALUES)
def test_what_passes_can_be_written_in_every_form(where, data, value):
    """Whatever stands in one field: it is refused with a reason, or all pages can be made of the report."""
    name = data.draw(st.sampled_from(sorted(META if where == "meta" else ROW)))
    try:
        report = parsed(changed(where, name, value))
    except ValueError as error:
        assert str(error).startswith(("meta.", "rows["))
        return
    report["rows"] = [tables.paper.compare(row) for row in report["rows"]]
    strict = json.loads(json_text(report), parse_constant=lambda word: pytest.fail(word))
    assert strict["rows"][0]["method"]
    assert reports.to_markdown(report) and reports.to_csv(report) and html_tables.section(report, report)


def test_infinity_and_nan_of_older_writers():
    report = parsed(changed("row", "psnr", float("inf")))
    row = tables.paper.compare(report["rows"][0])
    assert row["psnr"] is None and row["infinite"] == ["psnr"] and row["notes"] == ["the mean PSNR is infinite"]
    assert value(row, "psnr") == float("inf") and row["delta"]["psnr"] is None
    cells = [cell.strip() for cell in paper_table([row], 2).splitlines()[-1].split("|")]
    assert cells[4:7] == ["inf", "34.11", "-"]
    assert '<span class="best">inf</span>' in html_tables.table([row], 2)
    again = report_check.parsed(json_text({"meta": META, "rows": [row]}).encode())["rows"][0]
    assert again["infinite"] == ["psnr"] and again["notes"] == row["notes"]
    odd = parsed(changed("row", "ssim", float("nan")))["rows"][0]
    assert odd["ssim"] is None and odd["notes"] == ["ssim: not a finite number in the report"]
