"""How all figures look: colours that colour-blind readers and gray printers can tell apart, one font, no noise.

The colours are those of Okabe and Ito (2008), ordered so that neighbours differ in lightness as well; every curve has
a line style and every kind of point a marker of its own, so that no meaning hangs on colour alone. Pictures of numbers
use viridis, whose lightness grows evenly, or, around zero, PuOr. Text in an SVG stays text. The same data give the
same bytes.
"""

import logging
import os
import warnings
from contextlib import contextmanager
from pathlib import Path

from data_prep.files import atomic_path, together
from tools.common import texts

# figures go to files: no backend of the user's, which matplotlib would want to be there
os.environ["MPLBACKEND"] = "Agg"
# nor words about a home that cannot be written to
logging.getLogger("matplotlib").setLevel(logging.ERROR)

BLACK, ORANGE, SKY, GREEN, BLUE, VERMILLION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
GRAY = "#666666"
COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, BLACK)
LINES = ("-", "--", "-.", ":")
MARKERS = "osD^v<>"
OURS, PAPERS = BLUE, VERMILLION
SEQUENTIAL, DIVERGING = "viridis", "PuOr"
FORMATS = ("png", "svg")
DPI = 120
SIDES = (1.5, 60)  # inches of a figure: captions have room, and its pixels have it in memory
# no date and no version of matplotlib in the file
METADATA = {"png": {"Software": None}, "svg": {"Date": None}}
RC = {
    "axes.axisbelow": True,
    "axes.formatter.use_mathtext": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",  # matplotlib brings it
    "font.size": 9,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "image.interpolation": "nearest",
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "svg.fonttype": "none",
    "svg.hashsalt": "idn",
}


@contextmanager
def figure(width, height):
    """A matplotlib figure of width x height inches in this style; draw and save it inside the block.

    What shows a very long or narrow picture stays within SIDES.
    """
    import matplotlib  # here and below: it takes longer to import than all else, and `--help` needs none of it
    from matplotlib.figure import Figure

    with matplotlib.rc_context(RC):
        yield Figure(figsize=[min(max(side, SIDES[0]), SIDES[1]) for side in (width, height)])


def curve(number):
    """Colour, line style and marker (dict) of curve `number`, from 0; twenty-eight are different."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": LINES[number % len(LINES)],
        "marker": MARKERS[number % len(MARKERS)],
    }


def save(drawn, path):
    """Write a figure to one file, PNG or SVG by its ending, atomically; gives `path`.

    Titles and captions hold names of files and runs: they are drawn as they are, a dollar sign begins no formula, and
    characters that XML does not take are written as \\xNN.
    """
    path = Path(path)
    kind = path.suffix[1:].lower()
    _plain(drawn)
    with atomic_path(path) as temporary, warnings.catch_warnings():
        # the font lacks Chinese, for one: the PNG then shows boxes, the SVG the text
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        # a very narrow picture leaves its captions no room: they then overlap, which is no reason for a warning
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        drawn.savefig(temporary, format=kind, dpi=DPI, metadata=METADATA.get(kind))
    return path


def _plain(drawn):
    """Make all texts of a figure but the numbers on its axes, which matplotlib sets as formulas, plain text."""
    from matplotlib.axis import Axis  # see `figure`
    from matplotlib.text import Text

    ticks = {
        id(text)
        for axis in drawn.findobj(Axis)
        for text in (axis.offsetText, *axis.get_ticklabels(minor=False), *axis.get_ticklabels(minor=True))
    }
    for text in drawn.findobj(Text):
        if id(text) not in ticks:
            text.set_parse_math(False)
            text.set_text("\n".join(map(texts.one_line, text.get_text().split("\n"))))


def save_both(drawn, folder, stem):
    """Write a figure as `folder`/`stem`.png and .svg, both or none; gives both paths (list)."""
    with together():
        return [save(drawn, Path(folder) / f"{stem}.{kind}") for kind in FORMATS]


def bare(axes):
    """Take the ticks, grid and frame off axes that show a picture; gives `axes`."""
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def show(axes, picture):
    """Draw a picture, uint8, (H, W, 3) RGB or (H, W) gray, pixel by pixel; gives the bare axes."""
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
    return bare(axes)
