#!/usr/bin/env python3
"""Write one HTML file with tables, figures, learning curves, comparisons with a slider, and how it was measured.

    tools/html_report.py                                 # from results/, into runs/report/report.html
    tools/html_report.py --out mine.html
    tools/html_report.py --out runs/mine --benchmark runs/benchmark/benchmark.json --runs runs/x3
    tools/html_report.py --images photo.png --scale 2    # compare bicubic and IDN on your own pictures

The file needs no network and no other file. The figures come from --figures, where tools/plot_*.py write them.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import sys
from pathlib import Path

from data_prep import images
from data_prep.files import write_text
from tools.benchmarking import cells, reports
from tools.common import cli, outputs, photographs, provenance, scratch
from tools.common.errors import UserError
from tools.common.paths import ROOT
from tools.methods import evaluation
from tools.report import html_cells, html_tables
from tools.report.sections import curves_section, figures_section, page, provenance_section, sliders_section

RESULTS = ROOT / "results"
PHOTOGRAPHS = ("astronaut.png", "chelsea.png")  # of scikit-image, free to show
TEST_IMAGES = (("Set5", "butterfly"), ("Set14", "barbara"))  # shown where the user has them


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("--benchmark", type=Path, metavar="FILE", default=RESULTS / "benchmark" / "benchmark.json",
                   help="Tables 2 and 3 (default: results/benchmark/benchmark.json)")  # fmt: skip
    p.add_argument("--time", type=Path, metavar="FILE", default=RESULTS / "time" / "benchmark.json",
                   help="Table 4 (default: results/time/benchmark.json)")  # fmt: skip
    p.add_argument("--runs", nargs="+", type=Path, metavar="RUN", help="training runs (default: results/training/*)")
    p.add_argument("--figures", type=Path, metavar="DIR", default=RESULTS / "figures", help="default: results/figures")
    p.add_argument("--images", nargs="+", type=Path, metavar="IMAGE",
                   help="pictures to compare with a slider (default: photographs)")  # fmt: skip
    p.add_argument("--scale", type=int, choices=cli.SCALES, default=3, help="of the slider's pictures (default: 3)")
    cli.add_folders(p)
    p.set_defaults(out=ROOT / "runs" / "report")  # a folder, or the file's name
    return p


def pictures(args):
    """Images for the slider: those asked for, else photographs of scikit-image and what is there of the paper's."""
    if args.images:
        return args.images

    free = [photographs.path(name) for name in PHOTOGRAPHS]
    paths = (images.find_in_set(args.data_dir, *image) for image in TEST_IMAGES)
    return free + [path for path in paths if path is not None]


def explanations(benchmark):
    """What is known of cells that differ (list of dict), from the folder of a benchmark.json (Path)."""
    path = benchmark.with_name("explanations.json")
    return cells.read_explanations(path) if path.is_file() else []


def main(argv=None):
    """Write the report; gives the exit status."""
    args = parser().parse_args(argv)
    with scratch.private():
        return _written(args, argv)


def _written(args, argv):
    for path in args.images or ():
        if not path.is_file():
            raise UserError(f"{path}: no such file; expected a picture")
    out = args.out if args.out.suffix.lower() in (".html", ".htm") else args.out / "report.html"
    if out.is_dir():
        raise UserError(f"--out {out}: is a folder, expected the name of a file; choose another one")
    if out.parent.exists():  # a new folder is made when nothing can be refused any more
        outputs.folder(out.parent)
    report, timing = reports.read_report(args.benchmark), reports.read_report(args.time)
    runs = args.runs or sorted(path.parent for path in (RESULTS / "training").glob("*/log.csv"))
    curves = curves_section(runs)  # first: it may refuse a run, and the pictures take longer
    command = provenance.command("tools/html_report.py", sys.argv[1:] if argv is None else argv)
    sources_of_figures = {"Tables 2 and 3": report, "Table 4": timing}
    measured = provenance_section(sources_of_figures, runs, args.figures, command)
    for path in args.images or ():
        evaluation.check_size(images.read_image(path).shape, args.scale, path)
    outputs.folder(out.parent)
    sections = {
        "Tables": html_tables.section(report, timing),
        "Every cell": html_cells.section(report, explanations(args.benchmark)),
        "Comparisons": sliders_section(pictures(args), args.scale, args.weights_dir),
        "Figures": figures_section(args.figures, report, timing),
        "Learning curves": curves,
        "How it was measured": measured,
    }
    versions = provenance.versions()
    write_text(out, page(sections, f"{provenance.now()}, commit {versions['commit'] or 'unknown'}"))
    print(out)
    return 0


if __name__ == "__main__":
    cli.run(main)
