"""Enlarge pictures one after the other, and say what came of each."""

import sys
from collections import Counter
from contextlib import closing

import numpy as np
from tqdm import tqdm

from data_prep import files
from data_prep.errors import DataError
from tools.common import cli
from tools.common.errors import UserError
from tools.photos import output, photo

FILE = 64 << 20  # bytes of a file that are read in any case, to tell what memory would suffice


def notes(enlarger, path, device, engine):
    """The notes (dict of str) of a result, but for its source."""
    from data_prep.digests import file_sha256

    return {
        "Software": output.NAME,
        "Model": enlarger.method.name,
        "Scale": str(enlarger.scale),
        "Weights": f"{cli.printable(path.name)} SHA-256 {file_sha256(path)}" if path else "none",
        "Engine": f"{engine} on {device}" if path else "none",
    }


def upscale(task, enlarger, texts, args, bar):
    """Enlarge one picture unless its result exists.

    Returns
    -------
    result : str
        "written", "kept" or "done" (kept, and the very same).
    remarks : list of str
        What the result does not have of the picture.

    Raises
    ------
    UserError, DataError
        It cannot be read or written, or not in this memory.
    """
    from tools.photos.enlarge import PROCESS  # here: --help must not need Caffe

    for path in task.outputs(args.compare):
        output.check_path(path)
    source = photo.Source(task.source, most=max(enlarger.memory - PROCESS, FILE))
    if task.target.exists() and not args.force:
        texts = {**texts, "Source": source.sha256}
        same = output.notes(task.target).items() >= texts.items() and (not args.compare or task.comparison.exists())
        return ("done" if same else "kept"), []
    _check(task, enlarger, source)
    picture = source.read(enlarger.memory)
    del source  # the file's bytes
    shape = enlarger.shape(picture.extent)
    found = enlarger.plan(picture.extent, output.whole_bytes(task.target, shape))
    bar.reset(total=enlarger.steps(picture.extent, found))
    bar.set_description(cli.printable(task.source.name))
    texts, whole = {**texts, "Source": picture.sha256}, (*shape, picture.channels)
    strips = enlarger.strips(picture, found, compare=args.compare, progress=bar.update)
    with closing(_rows(strips, task, whole, (picture, texts), args.compare)) as rows:
        output.write(task.target, rows, whole, picture, texts)
    return "written", _remarks(task, picture)


def _check(task, enlarger, source):
    """Refuse what the format or the memory has no room for, by the header of the picture."""
    extent = source.extent()
    shape = enlarger.shape(extent)
    output.check_format(task.target, extent, shape)
    enlarger.check(extent, source.reading_bytes(), output.whole_bytes(task.target, shape))


def _remarks(task, picture):
    remarks = [output.fitting_profile(task.target, picture)[1]]
    if picture.pages > 1:
        remarks.append(f"{task.source}: has {picture.pages} pages or frames; the first one was enlarged")
    return [remark for remark in remarks if remark]


def _rows(strips, task, shape, noted, compare):
    """Pass the result's rows on, and, to compare, write bicubic and result side by side on the way.

    The comparison is whole before the result is, so that a result that is there says that both are.
    """
    if not compare:
        yield from (rows for rows, _ in strips)
        return
    height, width, channels = shape
    with output.writer(task.comparison, (height, 2 * width, channels), *noted) as comparison:
        for rows, bicubic in strips:
            comparison.write(np.concatenate([bicubic, rows], axis=1))
            yield rows


class Report:
    """What became of the pictures, told as it happens and at the end.

    Parameters
    ----------
    several : bool
        More than one picture was asked for: the end tells how many became what.
    """

    def __init__(self, several):
        self.several, self.counts, self.skipped = several, Counter(), []

    def add(self, task, result, remarks=()):
        """A picture is written, kept, or was done before."""
        self.counts[result] += 1
        if result == "kept":
            self.skipped.append(f"{task.target}: exists and is kept; --force writes it anew")
        else:
            tqdm.write(f"{cli.printable(task.target)}{'' if result == 'written' else ': done before'}")
        for remark in remarks:
            self.say(remark)

    def skip(self, what):
        """A picture cannot be done."""
        self.counts["skipped"] += 1
        self.skipped.append(str(what))

    def say(self, line):
        """Tell something at once."""
        tqdm.write(f"upscale.py: {cli.printable(line)}", file=sys.stderr)

    def close(self):
        """Tell what was skipped, and the counts."""
        for line in self.skipped:
            print(f"upscale.py: skipped {cli.printable(line)}", file=sys.stderr)
        if self.several and self.counts:  # none where the disk was full at once
            print(", ".join(f"{count} {result}" for result, count in self.counts.items()))


def run(todo, enlarger, texts, args, own=()):
    """Do all tasks; gives the exit status.

    Parameters
    ----------
    todo, own
        From `tasks`.
    enlarger : tools.enlarge.Enlarger
    texts : dict of str to str
        From `notes`.
    args : argparse.Namespace
    """
    report = Report(len(todo) + len(own) > 1)
    for folder in {task.target.parent for task in todo}:
        files.sweep(folder)
    with tqdm(todo, unit="image", disable=None if report.several else True) as images, tqdm(
        total=1, unit="step", leave=False, disable=None
    ) as bar:
        try:
            for task in images:
                try:
                    report.add(task, *upscale(task, enlarger, texts, args, bar))
                except (DataError, UserError, MemoryError) as error:
                    if not (report.several or task.found) or not _concerns_one(error):
                        raise
                    report.skip(_no_memory(task, error) if isinstance(error, MemoryError) else error)
        finally:
            bar.close()
            images.close()
            report.close()
    for path in own:
        report.say(f"{path}: made by this tool, and in the output folder: left out")
    return 1 if report.skipped else 0


def _concerns_one(error):
    """Whether an error is one picture's alone, so that the next one is worth a try."""
    from tools.photos.enlarge import TooLarge  # here: --help must not need Caffe

    if isinstance(error, output.NotWritten):
        return error.errno in output.OWN_FAULT
    return isinstance(error, (DataError, TooLarge, MemoryError))


def _no_memory(task, error):
    said = f" ({error})" if str(error) else ""
    return f"{task.source}: not enough memory{said}; free some, or cut it into pieces"
