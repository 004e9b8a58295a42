"""The tables of tools/bench_sharing.py as Markdown, and their places in docs/speed.md."""

from tools.common.markdown import number, table, with_block
from tools.common.memory import MIB

MEMORY, AT_ONCE = "memory", "at once"  # of the report's rows
BLOCKS = {MEMORY: "sharing", AT_ONCE: "at-once"}  # of the page


def markdown(report):
    """The content (str) of sharing.md."""
    return "\n\n".join([
        "# Nets that share memory, and several of them at once",
        "## Memory", memory_block(report),
        "## Several images at once", at_once_block(report),
    ]) + "\n"  # fmt: skip


def renewed(text, report, name="speed.md"):
    """The page's text (str) with both tables of `report` (dict) between their markers."""
    for kind, make in ((MEMORY, memory_block), (AT_ONCE, at_once_block)):
        text = with_block(text, BLOCKS[kind], make(report), name)
    return text


def memory_block(report):
    """How memory was measured, and the table (str): a line for each net, two columns for each size."""
    about, (nets, sizes, rows) = report["meta"], _rows(report, MEMORY)
    head = ["MB"] + [text for size in sizes for text in (f"{size}x{size}, apart", "shared")]
    body = [[net, *(_mb(rows[net, size], way) for size in sizes for way in ("apart", "shared"))] for net in nets]
    return (
        f"`{about['command']}`, {about['device']}, {about['date'][:10]}. Growth of the process by the first pass at a "
        "size, its peak, in MB of 2^20 bytes: the blobs, what the layers take besides, and the weights transformed. "
        "One thread, random weights, a process for each figure.\n\n" + table(head, body, text_columns=1)
    )


def _mb(row, way):
    return number(None if row[way] is None else row[way] / MIB, 0)


def at_once_block(report):
    """How the times were measured, and the table (str): three lines for each net, a column for each size."""
    about, (nets, sizes, rows) = report["meta"], _rows(report, AT_ONCE)
    threads, body = about["threads"], []
    for net in nets:
        ways = [[rows[net, size][way] for size in sizes] for way in ("layers", "nets")]
        body += [
            [f"{net}: {threads} threads within each layer", *(f"{1000 * seconds:.1f}" for seconds in ways[0])],
            [f"{net}: {threads} nets at once", *(f"{1000 * seconds:.1f}" for seconds in ways[1])],
            [f"{net}: ratio", *(f"{layers / nets:.2f}" for layers, nets in zip(*ways))],
        ]  # fmt: skip
    return (
        f"`{about['command']}`, {about['device']}, {threads} threads, {about['date'][:10]}, load average before the "
        f"run {about['load_average']:.1f}. Milliseconds per image: median of {about['rounds']} rounds in which both "
        f"ways took turns with {about['images']} images, each after runs for {about['warm_up']} s that are not timed. "
        "All outputs were equal to the last bit.\n\n"
        + table(["ms per image", *(f"{size}x{size}" for size in sizes)], body, text_columns=1)
    )


def _rows(report, kind):
    """Names of the nets (list of str), sizes (list of int), and the rows of a kind: {(name, size): dict}."""
    rows = {(f"{row['method']} x{row['scale']}", row["size"]): row for row in report["rows"] if row["kind"] == kind}
    nets, sizes = (list(dict.fromkeys(values)) for values in zip(*rows))
    return nets, sizes, rows
