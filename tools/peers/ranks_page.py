"""The report of tools/bench_ranks.py: what was measured, and a reckoning of where more ranks stop paying."""

import math

from prototxt import idn
from tools.common.markdown import table, with_block
from tools.nets import caffemodels, runtime

BLOCK = "ranks"  # of the page
NETWORKS = (1, 10, 100)  # Gb/s
COUNTS = (2, 4, 8, 16, 32, 64)
# seconds that a short message takes, and how many of an iteration wait for one another: the order, both halves of the
# sum, and the loss
LATENCY, MESSAGES = 50e-6, 4
WORTH = 0.5  # efficiency below which more ranks are not worth their machines


def gradient_bytes(scale):
    """Bytes (int) of the gradients of IDN, which every iteration adds up."""
    net = runtime.build_net(idn.idn(scale, "deploy"))
    return 4 * sum(caffemodels.count(shape) for shapes in caffemodels.param_shapes(net).values() for shape in shapes)


def exchange_seconds(ranks, size, gigabits):
    """Seconds (float) in which `ranks` (int), each with a link of its own, add up `size` bytes.

    Each rank sends and receives (ranks - 1) / ranks of all twice, which is the least that any sum takes.
    """
    if ranks == 1:
        return 0.0
    return 2 * (ranks - 1) / ranks * size * 8 / (gigabits * 1e9) + MESSAGES * LATENCY * math.log2(ranks)


def speed_up(compute, ranks, size, gigabits):
    """How many times as fast (float) `ranks` are as one that takes `compute` seconds for an iteration."""
    return compute / (compute / ranks + exchange_seconds(ranks, size, gigabits))


def most_ranks(compute, size, gigabits):
    """The largest of COUNTS (int) that is worth it; 1 where none is."""
    worth = [n for n in COUNTS if speed_up(compute, n, size, gigabits) / n >= WORTH]
    return max(worth, default=1)


def markdown(report):
    """The content (str) of ranks.md."""
    return "# What more processes bring a training on the CPU\n\n" + body(report)


def renewed(text, report, name="parallel_training.md"):
    """The page's text (str) with the tables of `report` (dict) between its markers."""
    return with_block(text, BLOCK, body(report).rstrip("\n"), name)


def body(report):
    """How it was measured, what came out, and the reckoning (str)."""
    about, one, size = report["meta"], report["rows"][0], report["bytes"]
    lines = [
        f"`{about['command']}` on {about['device']}, {about['cores']} cores, {about['threads']} thread"
        f"{'s' * (about['threads'] > 1)} in each process, {about['date'][:10]}, load average before the run "
        f"{about['load_average']:.1f}. IDN x{about['scale']}, batch 64, {about['iterations']} iterations; the smallest "
        f"of {about['rounds']} rounds in which both took turns. Gradients by {about['by']}.", "",
        *_measured(report["rows"]), "",
        "Efficiency is the time of one process over twice that of two, and by processor's time the time that one takes "
        "over the sum of both. The first is what counts on a machine of its own; other programs spoil it. The second "
        "shows what the sharing itself costs.", "",
        "On paper, several machines: "
        f"one machine that takes {one['cpu_seconds']:.2f} s for an iteration, as the one process above, with a link of "
        f"its own; {size / 1e6:.2f} MB of gradients are added up in each iteration, and each of {MESSAGES} messages "
        f"takes {1e6 * LATENCY:.0f} microseconds times log2 of the ranks. Speed-up, in brackets the efficiency:", "",
        *_reckoned(one["cpu_seconds"], size), "",
        "A machine with more cores takes less time for an iteration, and its network counts the more:", "",
        *_stops(one["cpu_seconds"], size),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _measured(rows):
    body, one = [], rows[0]
    for row in rows:
        n = row["ranks"]
        body.append([
            str(n), f"{1000 * row['seconds']:.0f}", f"{1000 * row['cpu_seconds']:.0f}",
            f"{one['seconds'] / (n * row['seconds']):.0%}", f"{one['cpu_seconds'] / row['cpu_seconds']:.0%}",
        ])  # fmt: skip
    head = ["processes", "iteration, ms", "processor's time of all, ms", "efficiency", "by processor's time"]
    return [table(head, body, text_columns=0)]


def _reckoned(compute, size):
    body = [
        [str(n), *(f"{s:.1f} ({s / n:.0%})" for s in (speed_up(compute, n, size, g) for g in NETWORKS))] for n in COUNTS
    ]
    return [table(["machines", *(f"{g} Gb/s" for g in NETWORKS)], body, text_columns=0)]


def _stops(compute, size):
    shares = (1, 4, 16, 64)
    body = [
        [f"{1000 * compute / s:.0f}", *(str(most_ranks(compute / s, size, g)) for g in NETWORKS)] for s in shares
    ]
    head = ["iteration of one machine, ms", *(f"{g} Gb/s: most machines at {WORTH:.0%}" for g in NETWORKS)]
    return [table(head, body, text_columns=0)]
