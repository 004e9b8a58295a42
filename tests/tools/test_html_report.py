"""The report: its tables against the paper's own marks, and the page itself in a headless Chromium."""

import importlib.util
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from tools import cli, html_report, html_tables, paper, tables
from tools.methods import METHODS

_SPEC = importlib.util.spec_from_file_location("chromium", Path(__file__).with_name("chromium.py"))
chromium = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(chromium)


def text_of(html):
    return re.sub(r"<[^>]+>", " ", html)


def test_best_and_second_as_printed():
    assert html_tables.ranks([37.53, 37.83, None, 37.78], "psnr") == ["", "best", "", "second"]
    assert html_tables.ranks([0.062, 0.011, 0.049], "seconds") == ["", "best", "second"]
    # equal as printed: both
    assert html_tables.ranks([28.211, 28.2149, 27.0], "psnr") == ["best", "best", "second"]
    assert html_tables.ranks([None, None], "psnr") == ["", ""]


def test_the_paper_s_own_marks_in_table_2():
    """Set14 x3: the paper has MemNet's PSNR 30.00 first and IDN's 29.99 second, IDN's SSIM first, MemNet's second."""
    html = html_tables.table([], 2)
    line = next(line for line in html.split("<tr>") if '"row">Set14' in line and "<td>x3" in line)
    cells = dict(zip(paper.load()["methods"], line.split("<td>")[2:]))
    assert '<span class="best">30.00</span>/<span class="second">0.8350</span>' in cells["MemNet"]
    assert '<span class="second">29.99</span>/<span class="best">0.8354</span>' in cells["IDN"]
    # two figures on twelve lines, and BSD100 x2, where MemNet and IDN both have 32.08
    assert html.count('"best"') == 2 * 12 + 1 and html.count('scope="row"') == 12


def test_ours_and_the_difference_stand_in_the_cell(root):
    rows = tables.read_report(root / "results/benchmark/benchmark.json")["rows"]
    html = html_tables.table(rows, 3)
    row = next(r for r in rows if (r["dataset"], r["scale"], r["method"]) == ("Set5", 4, "IDN"))
    cell = f'{row["ifc"]:.3f}</span><span class="paper"><span class="best">3.826</span></span>'
    assert f'{cell}<span class="delta">{row["delta"]["ifc"]:+.3f}</span>' in html
    assert "Bicubic" not in html_tables.table(rows, 4)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report from results/, with one photograph and an IDN that is not trained; gives its path."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "weights/idn").mkdir(parents=True)
    METHODS["IDN"].load(3).save(str(folder / "weights/idn/IDN_x3.caffemodel"))
    y, x = np.mgrid[:120, :150]
    cv2.imwrite(str(folder / "waves & <b>.png"), (127 + 120 * np.sin(x / 5) * np.cos(y / 7)).astype(np.uint8))
    argv = ["--images", folder / "waves & <b>.png", "--weights-dir", folder / "weights", "--out", folder / "a.html"]
    assert html_report.main([str(a) for a in argv]) == 0
    return folder / "a.html"


def test_the_report_has_all_its_parts(report, root):
    html = report.read_text()
    words = text_of(html)
    for word in ("Table 2", "Table 3", "Table 4", "Figure 1", "Figure 4", "Figure 5", "Figures 6 to 8", "x3_cpu_3000"):
        assert word in words, word
    meta = json.loads((root / "results/benchmark/benchmark.json").read_text())["meta"]
    for one in (meta["command"], meta["device"], *(s["sha256"] for s in meta["image_sets"].values())):
        assert one in words, one
    assert "waves &amp; &lt;b&gt;, x3" in html and "<b>.png" not in html
    # nothing but data: addresses, so that there is nothing to fetch
    assert set(re.findall(r'(?:src|href)="([a-z]+:|#)', html)) == {"data:", "#"}


@pytest.fixture
def page(tmp_path):
    if chromium.find() is None:
        pytest.skip("no Chromium on this machine; apt-get install chromium")
    opened = chromium.Page(tmp_path / "profile")
    yield opened
    opened.close()


def test_in_a_browser_it_renders_slides_and_fetches_nothing(page, report):
    page.open(report.as_uri())
    assert page.value("document.title") == html_report.TITLE
    # every picture is there and decoded
    sizes = page.value("[...document.images].map(i => [i.complete, i.naturalWidth])")
    assert len(sizes) >= 8 and all(done and width > 0 for done, width in sizes)
    page.value("document.querySelector('.slider').scrollIntoView({block: 'center'})")
    box = page.value("(r => [r.x, r.y, r.width, r.height])(document.querySelector('.slider').getBoundingClientRect())")
    x, y, width, height = box
    place = "document.querySelector('.slider .handle').getBoundingClientRect().x"
    assert page.value(place) == pytest.approx(x + width / 2, abs=2)
    before = picture(page)
    # the mouse drags the handle to the right; then a key moves it on
    page.mouse("mousePressed", x + width / 2, y + height / 2)
    for share in (0.6, 0.7, 0.8):
        page.mouse("mouseMoved", x + share * width, y + height / 2)
    page.mouse("mouseReleased", x + 0.8 * width, y + height / 2)
    moved = page.value(place)
    assert moved == pytest.approx(x + 0.8 * width, abs=0.05 * width)
    after = picture(page)
    assert before.shape == after.shape and before.std() > 5
    part = (slice(int(y) + 2, int(y + 0.8 * height)), slice(int(x + 0.55 * width), int(x + 0.75 * width)))
    assert np.abs(after[part].astype(int) - before[part]).max() > 10  # here bicubic has taken IDN's place
    page.call("Input.dispatchKeyEvent", type="keyDown", key="ArrowLeft", code="ArrowLeft", windowsVirtualKeyCode=37)
    assert page.value(place) < moved
    page.value("1")
    kinds = {"Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Network.loadingFailed"}
    assert [event for event in page.events if event["method"] in kinds] == []
    asked = [e["params"]["request"]["url"] for e in page.events if e["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]


def picture(page):
    return cv2.imdecode(np.frombuffer(page.picture(), np.uint8), cv2.IMREAD_COLOR)


def test_the_browser_itself_would_refuse_to_fetch(page, tmp_path):
    """The page's policy holds: with a picture from elsewhere in it the browser reports a refusal."""
    html = html_report.page({"Part": '<img src="https://example.invalid/a.png">'}, "")
    (tmp_path / "a.html").write_text(html)
    page.open((tmp_path / "a.html").as_uri())
    page.value("new Promise(done => setTimeout(done, 200))")
    said = [e["params"]["entry"]["text"] for e in page.events if e["method"] == "Log.entryAdded"]
    assert any("Content Security Policy" in text for text in said)


def test_without_weights_and_runs_the_rest_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(html_report.models, "OURS", tmp_path)
    html = html_report.sliders_section([], 3, tmp_path)
    assert "no weights of IDN at x3" in html
    assert "tools/train.py makes one" in html_report.curves_section([])
    figures = html_report.figures_section(tmp_path, {"rows": []}, {"rows": [], "meta": {"device": "x"}})
    assert "tools/plot_features.py draws it" in figures


def test_refusals(tmp_path):
    with pytest.raises(cli.UserError, match="none.json: no such file, expected the benchmark.json"):
        html_report.main(["--benchmark", str(tmp_path / "none.json"), "--out", str(tmp_path)])
    with pytest.raises(cli.UserError, match="none.png: no such image"):
        html_report.main(["--images", str(tmp_path / "none.png"), "--out", str(tmp_path)])
    with pytest.raises(cli.UserError, match="log.csv: no such file"):
        html_report.main(["--runs", str(tmp_path), "--images", str(__file__), "--out", str(tmp_path)])
    assert list(tmp_path.iterdir()) == []
