"""The report: its tables against the paper's own marks, and the page itself in a headless Chromium."""

import importlib.util
import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep import weights
from tools import html_report
from tools.benchmarking import cells, paper, reports
from tools.common.errors import UserError
from tools.methods.registry import METHODS
from tools.report import html_cells, html_tables, sections
from tools.training import log

_SPEC = importlib.util.spec_from_file_location("chromium", Path(__file__).with_name("chromium.py"))
chromium = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(chromium)


def text_of(html):
    return re.sub(r"<[^>]+>", " ", html)


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
    rows = reports.read_report(root / "results/benchmark/benchmark.json")["rows"]
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
    for word in ("Table 2", "Table 3", "Table 4", "Figure 1", "Figure 4", "Figure 5", "Figures 6 to 8", "x3_cpu_3000",
                 "How far the runs came"):  # fmt: skip
        assert word in words, word
    meta = json.loads((root / "results/benchmark/benchmark.json").read_text())["meta"]
    for one in (meta["command"], meta["device"], *(s["sha256"] for s in meta["image_sets"].values())):
        assert one in words, one
    run = json.loads((root / "results/training/x3_h100/summary.json").read_text())
    for one in run["commands"]:
        assert one in unescape(words), one
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
    assert page.value("document.title") == sections.TITLE
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
    html = sections.page({"Part": '<img src="https://example.invalid/a.png">'}, "")
    (tmp_path / "a.html").write_text(html)
    page.open((tmp_path / "a.html").as_uri())
    page.value("new Promise(done => setTimeout(done, 200))")
    said = [e["params"]["entry"]["text"] for e in page.events if e["method"] == "Log.entryAdded"]
    assert any("Content Security Policy" in text for text in said)


def test_without_weights_and_runs_the_rest_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "OURS", tmp_path)
    html = sections.sliders_section([], 3, tmp_path)
    assert "no weights of IDN at x3" in html
    assert "tools/train.py makes one" in sections.curves_section([])
    figures = sections.figures_section(tmp_path, {"rows": []}, {"rows": [], "meta": {"device": "x"}})
    assert "tools/plot_features.py draws it" in figures


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;|`$x$\n\x1b[2J"


class Tags(HTMLParser):
    """Tags and attributes of a page as a browser takes them."""

    def __init__(self, html):
        super().__init__()
        self.names, self.attributes = [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.attributes += attrs


def hostile(folder, root):
    """Reports, a run and figures with HOSTILE wherever text can be; gives the options that name them."""
    report = json.loads((root / "results/time/benchmark.json").read_text())
    row = next(row for row in report["rows"] if row["method"] == "IDN")
    meta = {name: HOSTILE if isinstance(one, str) else one for name, one in report["meta"].items()}
    meta.update(
        versions={HOSTILE: HOSTILE}, image_sets={HOSTILE: {"images": 1, "sha256": HOSTILE}},
        weights={HOSTILE: {"file": HOSTILE, "sha256": HOSTILE}}, earlier=[{**meta["earlier"][0], "command": HOSTILE}],
    )  # fmt: skip
    rows = [row, {**row, "dataset": HOSTILE, "method": HOSTILE, "gap": HOSTILE, "notes": [HOSTILE]}]
    (folder / "in.json").write_text(json.dumps({"meta": meta, "rows": rows}))
    name = HOSTILE.replace("/", "|")
    runs = [folder / f"{number}{name}" for number in (1, 2)]
    for run in runs:
        run.mkdir()
        (run / "log.csv").write_text(",".join(log.COLUMNS) + "\ntrain,10,0.5,1e-4,1,,30\n")
        told = {"command": HOSTILE} if run == runs[0] else {"commands": [HOSTILE, HOSTILE]}
        (run / "summary.json").write_text(json.dumps({**told, "weights_sha256": HOSTILE, "bicubic": 29}))
    (folder / "figures").mkdir()
    (folder / "figures" / f"residual_{name}.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "figures" / f"residual_{name}.json").write_text(json.dumps({"command": HOSTILE}))
    picture = folder / f"{name}.png"
    picture.write_bytes(cv2.imencode(".png", np.add.outer(np.arange(60), np.arange(60)).astype(np.uint8))[1].tobytes())
    return ["--benchmark", folder / "in.json", "--time", folder / "in.json", "--runs", *runs,
            "--figures", folder / "figures", "--images", picture]  # fmt: skip


@pytest.fixture
def hostile_page(tmp_path, root):
    (tmp_path / "weights/idn").mkdir(parents=True)
    METHODS["IDN"].load(3).save(str(tmp_path / "weights/idn/IDN_x3.caffemodel"))
    argv = [*hostile(tmp_path, root), "--weights-dir", tmp_path / "weights", "--out", tmp_path / "page.html"]
    assert html_report.main([str(a) for a in argv]) == 0
    return tmp_path / "page.html"


def test_text_of_others_stays_text(hostile_page, report):
    html = hostile_page.read_text(encoding="utf-8")
    found, harmless = Tags(html), Tags(report.read_text(encoding="utf-8"))
    assert found.names.count("script") == 1 and set(found.names) <= set(harmless.names)
    assert {name for name, _ in found.attributes} <= {name for name, _ in harmless.attributes}
    sources = [value for name, value in found.attributes if name in ("src", "href")]
    assert sources and all(value.startswith(("data:", "#")) for value in sources)
    assert "\x1b" not in html
    # data set, method, gap, notes; versions, sets, weights; commands and devices; runs, figures, pictures
    assert html.count("&lt;script&gt;alert(1)&lt;") > 25


def test_text_of_others_runs_nothing_in_a_browser(page, hostile_page):
    page.open(hostile_page.as_uri())
    assert page.value("document.scripts.length") == 1
    assert not [e for e in page.events if e["method"] in ("Page.javascriptDialogOpening", "Runtime.exceptionThrown")]


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("summary.json", "{", "summary.json: not a summary.json of tools/train.py"),
        ("summary.json", '{"command": [1]}', r"command: expected text"),
        ("summary.json", '{"commands": "a"}', r"commands: expected a list of texts"),
        ("summary.json", '{"commands": [1]}', r"commands: expected a list of texts"),
        ("summary.json", "[" * 100_000, "nested too deeply"),
        ("log.csv", "stage,iteration\n", "not a training log"),
        ("log.csv", ",".join(log.COLUMNS) + "\ntrain,x,0.5,1,1,,\n", "a row is damaged"),
        ("log.csv", ",".join(log.COLUMNS) + "\nother,1,0.5,1,1,,\n", "a row is damaged"),
        ("log.csv", ",".join(log.COLUMNS) + "\ntrain,1,,1,1,,\n", "a row is damaged"),
        ("log.csv", ",".join(log.COLUMNS) + '\ntrain,1,"' + "1" * 200_000, "a row is damaged"),
    ],
)
def test_foreign_runs(tmp_path, name, content, text):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/log.csv").write_text(",".join(log.COLUMNS) + "\ntrain,10,0.5,1e-4,1,,30\n")
    (tmp_path / "run" / name).write_text(content)
    with pytest.raises(UserError, match=text):
        html_report.main(["--runs", str(tmp_path / "run"), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_a_run_that_diverged_is_drawn(tmp_path):
    (tmp_path / "run").mkdir()
    rows = "train,1,0.5,1e-4,1,,30\ntrain,2,1e300,1e-4,1,,nan\ntrain,3,inf,1e-4,1,,-inf\ntrain,4,nan,1e-4,1,,inf\n"
    (tmp_path / "run/log.csv").write_text(",".join(log.COLUMNS) + "\n" + rows)
    (tmp_path / "run/summary.json").write_text('{"bicubic": Infinity, "command": ""}')
    assert "<img" in sections.curves_section([tmp_path / "run"])


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "a.html").mkdir()
    with pytest.raises(UserError, match="file: is a file, expected a folder"):
        html_report.main(["--out", str(tmp_path / "file")])
    with pytest.raises(UserError, match="a.html: is a folder, expected the name of a file"):
        html_report.main(["--out", str(tmp_path / "a.html")])


def test_refusals(tmp_path):
    with pytest.raises(UserError, match="none.json: no such file, expected the benchmark.json"):
        html_report.main(["--benchmark", str(tmp_path / "none.json"), "--out", str(tmp_path)])
    with pytest.raises(UserError, match="none.png: no such file"):
        html_report.main(["--images", str(tmp_path / "none.png"), "--out", str(tmp_path)])
    with pytest.raises(UserError, match="log.csv: no such file"):
        html_report.main(["--runs", str(tmp_path), "--images", str(__file__), "--out", str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


def test_every_cell_is_there_with_its_explanation(report, root):
    """As many cells as the page of tables lists, each group's text once."""
    html = report.read_text()
    part = html.split('<section id="every-cell">')[1].split("</section>")[0]
    found = cells.measured(reports.read_report(root / "results/benchmark/benchmark.json")["rows"])
    groups = cells.read_explanations(root / "results/benchmark/explanations.json")
    assert f"<summary>The {len(cells.others(found))} cells that differ</summary>" in part
    assert part.count('<th scope="row">') == len(cells.others(found)) + len(cells.counts(found)[1])
    for why, some in cells.explained(found, groups):
        assert why.split(",")[0] in unescape(part) and some
    # links of the page of tables would lead nowhere: the report is one file
    assert "](" not in part and "href" not in part and "<code>clamp</code>" in part


def test_a_report_without_explanations_says_so():
    row = {"dataset": "Set5", "scale": 2, "method": "IDN", "psnr": 30.0, "ssim": 0.96, "ifc": None, "seconds": None}
    html = html_cells.section({"rows": [paper.compare(row)]}, [])
    assert "The 1 cells that differ" not in html and "<summary>The cell that differs</summary>" in html
    assert f"<p>{cells.UNKNOWN}</p>" in html and '<td>-783</td>' in html  # 30.00 here, 37.83 in the paper
    row["psnr"] = 37.83
    html = html_cells.section({"rows": [paper.compare(row)]}, [])
    assert cells.NOTHING in html and "<details>" not in html


def test_figures_6_to_8_are_there_in_numbers(report):
    lines = re.findall(r'<tr><th scope="row">(Figure \d: [^<]*)</th><td class="text">(\w+)</td>', report.read_text())
    images = [f"Figure {number}: {name} x4" for number, name in ((6, "barbara"), (7, "8023"), (8, "img085"))]
    assert lines == [(image, method) for image in images for method in ("Bicubic", "VDSR", "LapSRN", "IDN")]


@pytest.mark.parametrize("scores", [None, [1], {"IDN": 3}, {"IDN": {"psnr": 3}}, {"IDN": {"psnr": "x" * 3}}])
def test_a_damaged_figure_is_named(tmp_path, scores):
    """An older or half-edited comparison in --figures."""
    content = {"command": "tools/plot_comparison.py a.png", "scores": scores}
    (tmp_path / "comparison_a_x4.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"comparison_a_x4\.json: not a figure's \.json .*scores: expected PSNR, SSIM"):
        sections._score_lines(tmp_path / "comparison_a_x4.json")
