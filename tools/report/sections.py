"""The sections of the HTML report: tables, figures, curves, sliders, where the figures come from."""

import base64
import io
import string
import sys
import tempfile
from pathlib import Path

import matlab_compat as matlab
from data_prep import images
from data_prep.weights import gap, idn_weights
from tools.benchmarking import paper, tables, tradeoff
from tools.common import json_file, markdown, provenance
from tools.common.errors import UserError
from tools.common.texts import in_html
from tools.figures import curves
from tools.methods import evaluation
from tools.methods.registry import METHODS
from tools.report import against_paper, html_cells
from tools.training import log

TEMPLATE = Path(__file__).with_name("template.html")
TITLE = "IDN on real Caffe: what was measured here"
FIGURES = {
    "residual": "Figure 4: the residual image and the distribution of its values",
    "features": "Figure 5: mean feature maps of the enhancement and compression units",
    "comparison": "Figures 6 to 8: one part by all methods",
}
SUMMARY, FIGURE_JSON = "summary.json of tools/train.py", "figure's .json of tools/plot_*.py"


def data_uri(content, kind):
    """The bytes of a picture as a data: address."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _figure(path, text):
    kind = {".svg": "svg+xml", ".png": "png"}[path.suffix]
    return (
        f'<figure><img src="{data_uri(path.read_bytes(), kind)}" alt="{in_html(text)}">'
        f"<figcaption>{in_html(text)}</figcaption></figure>"
    )


def figures_section(folder, report, timing):
    """Figure 1, drawn now from the tables' data, and Figures 4 to 8 from `folder` (str of HTML)."""
    with tempfile.TemporaryDirectory() as drawing:
        found = tradeoff.points(report, [timing], "Set5", 3)
        parts = []
        if any(found.values()):
            written = tradeoff.plot(found, "PSNR against time, x3 on Set5", timing["meta"]["device"], Path(drawing))
            parts.append(_figure(written[1], "Figure 1: PSNR against time"))
    for kind, text in FIGURES.items():
        files = sorted(Path(folder).glob(f"{kind}_*.svg"))
        parts += [_figure(path, f"{text} ({path.stem.split('_', 1)[1].replace('_', ', ')})") for path in files]
        if not files:
            parts.append(f"<p>{in_html(text)}: not in {in_html(folder.name)}/; tools/plot_{kind}.py draws it.</p>")
    return "".join([*parts, _scores(Path(folder))])


def _scores(folder):
    """The scores (str of HTML) of comparisons of which `folder` has the numbers alone."""
    files = [file for file in sorted(folder.glob("comparison_*.json")) if not file.with_suffix(".svg").exists()]
    if not files:
        return ""
    said = (
        "Figures 6 to 8 in numbers, those of the whole image; the pictures belong to others, and "
        "<code>tools/plot_comparison.py --figure 6</code>, 7 and 8 draw them from your own copies."
    )
    head = ["Image", "Method", *(tables.NAMES[metric] for metric in evaluation.METRICS)]
    body = [line for _, lines in sorted(map(_score_lines, files)) for line in lines]
    return f"<p>{said}</p>{html_cells.table(head, body, 2)}"


def _score_lines(file):
    """The number of a comparison's figure in the paper (int, large where it has none), and a line for each method."""
    found = json_file.read(file, FIGURE_JSON)
    image = file.stem.split("_", 1)[1].replace("_", " ")
    number = found.get("figure") if isinstance(found.get("figure"), int) else None
    name = f"Figure {number}: {image}" if number else image
    try:
        return number or sys.maxsize, [
            [name, method, *(markdown.number(one[metric], paper.decimals(metric)) for metric in evaluation.METRICS)]
            for method, one in found["scores"].items()
        ]
    except (AttributeError, KeyError, TypeError, ValueError):
        what = "scores: expected PSNR, SSIM and IFC of each method"
        raise UserError(f"{file}: not a {FIGURE_JSON} ({what}); run it again") from None


def curves_section(runs):
    """Learning curves of each run, and of all over each other where there are several (str of HTML)."""
    if not runs:
        return "<p>No training run was given; tools/train.py makes one.</p>"
    parts, every = [], {}
    with tempfile.TemporaryDirectory() as drawing:
        for path in runs:
            name, rows, bicubic = log.run_of(path)
            if name in every:
                raise UserError(f"--runs {path}: there is another run called {name}; rename one of the folders")
            every[name] = rows
            drawn = Path(drawing) / "one.svg"
            curves.plot(rows, drawn, title=name, bicubic=bicubic)
            parts.append(_figure(drawn, f"{name}: loss and validation PSNR"))
        if len(every) > 1:
            both = curves.plot_runs(every, Path(drawing), "all", title="all runs")
            parts.insert(0, _figure(both[1], "All runs over each other"))
        parts.insert(0, _beside_the_paper(runs, Path(drawing)))
    return "".join(parts)


def _beside_the_paper(runs, drawing):
    """How far the runs of networks in the paper's tables came (str of HTML), drawn into the folder `drawing` (Path)."""
    found = []
    for path in runs:
        try:
            found.append(against_paper.run_of(path))
        except UserError:  # not finished, or of a network or images that the paper does not have
            continue
    if not found:
        return ""
    drawn = against_paper.plot(found, drawing, "gaps", "Distance from the paper")[1]
    return _figure(drawn, "How far the runs came from the PSNR that the paper prints")


def sliders_section(paths, scale, weights_dir):
    """Bicubic and IDN over each other, with a slider between them (str of HTML)."""
    weights = idn_weights(weights_dir, scale)
    if weights is None:
        return f"<p>{in_html(gap('IDN', scale))}, so that there is nothing to compare.</p>"

    net = METHODS["IDN"].load(scale, weights)
    return f'<div class="pairs">{"".join(_slider(path, scale, net) for path in paths)}</div>'


def _slider(path, scale, net):
    img = images.read_image(path)
    sample = evaluation.prepare(img, scale, name=path.name)
    drawn, psnr = {}, {}
    for name, result in (("bicubic", sample.base), ("IDN", evaluation.super_resolve(net, sample))):
        sr = matlab.im2uint8(result)
        psnr[name] = evaluation.score(sample.hr, sr, scale, ("psnr",))["psnr"]
        drawn[name] = _png(evaluation.colour(img, sr, scale))
    tags = [f"{name}, {psnr[name]:.2f} dB" for name in drawn]
    name = in_html(path.stem)
    return (
        f'<figure><div class="slider"><img src="{drawn["bicubic"]}" alt="{name}, bicubic">'
        f'<img class="after" src="{drawn["IDN"]}" alt="{name}, IDN"><span class="handle"></span>'
        f'<span class="tag left">{tags[0]}</span><span class="tag right">{tags[1]}</span>'
        f'<input type="range" min="0" max="100" step="0.5" value="50" aria-label="{name}: bicubic left, IDN right">'
        f"</div><figcaption>{name}, x{scale}</figcaption></figure>"
    )


def _png(picture):
    from PIL import Image  # here: --help must not wait for it

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG", optimize=True)
    return data_uri(stream.getvalue(), "png")


def provenance_section(reports, runs, folder, command):
    """Machine, versions, hashes and commands (str of HTML)."""
    commands, hashes = [("this page", command)], []
    for name, report in reports.items():
        meta = report["meta"]
        commands += [(name, one["command"]) for one in (*meta.get("earlier", ()), meta)]
        hashes += [(f"images of {key}", one["sha256"]) for key, one in meta.get("image_sets", {}).items()]
        hashes += [(f"{key}, {one['file']}", one["sha256"]) for key, one in meta.get("weights", {}).items()]
    for path in runs:
        summary = (path if path.is_dir() else path.parent) / "summary.json"
        if summary.is_file():
            name, run = f"run {summary.parent.name}", json_file.read(summary, SUMMARY)
            commands += [(name, one) for one in _commands(run, summary)]
            digest = json_file.text(run, "weights_sha256", summary, SUMMARY, markdown.MISSING)
            hashes.append((f"{name}, weights", digest))
    for file in sorted(Path(folder).glob("*.json")):
        about = json_file.read(file, FIGURE_JSON)
        commands.append((file.stem, json_file.text(about, "command", file, FIGURE_JSON)))
    machines = [(name, f"{r['meta']['device']}, {r['meta']['date']}") for name, r in reports.items()]
    versions = {}
    for report in reports.values():
        versions.update(report["meta"].get("versions", {}))
    return "".join(
        f"<h3>{title}</h3>{_pairs(pairs)}"
        for title, pairs in (
            ("Machine", [("this page", f"{provenance.processor()}, {provenance.now()}"), *machines]),
            ("Versions", list(versions.items())),
            ("SHA-256", list(dict.fromkeys(hashes))),
            ("Commands", list(dict.fromkeys(commands))),
        )
    )


def _commands(run, summary):
    """What made a training run (list of str): several commands where it was stopped and finished by others."""
    if "commands" in run:
        return json_file.texts(run, "commands", summary, SUMMARY)
    return [json_file.text(run, "command", summary, SUMMARY)]


def _pairs(pairs):
    lines = "".join(
        f'<tr><th scope="row">{in_html(key)}</th><td class="text"><code>{in_html(value)}</code></td></tr>'
        for key, value in pairs
    )
    return f"<table><tbody>{lines}</tbody></table>"


def page(sections, subtitle):
    """The whole page (str) from {title: HTML of the section}."""
    ids = {title: title.lower().replace(" ", "-") for title in sections}
    body = "".join(f'<section id="{ids[t]}"><h2>{in_html(t)}</h2>{html}</section>' for t, html in sections.items())
    links = "".join(f'<a href="#{ids[t]}">{in_html(t)}</a>' for t in sections)
    template = string.Template(TEMPLATE.read_text(encoding="utf-8"))
    return template.substitute(title=in_html(TITLE), subtitle=in_html(subtitle), links=links, sections=body)
