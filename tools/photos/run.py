"""Enlarge pictures one after the other; one that cannot be done does not stop the others."""

from contextlib import closing

import numpy as np
from tqdm import tqdm

from data_prep import files
from data_prep.errors import DataError
from tools.common import cli
from tools.common.errors import UserError
from tools.photos import needed_memory, output, photo
from tools.photos import notes as noting
from tools.photos.enlarge import TooLarge
from tools.photos.report import DONE, KEPT, WRITTEN, Report

FILE = 64 << 20  # bytes of a file that are read in any case, to tell what memory would suffice


def run(todo, enlarger, notes, *, compare=False, force=False, own=()):
    """Do all tasks.

    Parameters
    ----------
    todo : list of Task
    enlarger : Enlarger
    notes : dict of str to str
        From tools.photos.notes.of.
    compare : bool
        Also write bicubic and result side by side.
    force : bool
        Overwrite existing outputs.
    own : list of Path
        Inputs that are left out because this tool made them.

    Returns
    -------
    int
        Exit status: 1 when some were skipped.

    Raises
    ------
    UserError, DataError
        The only picture cannot be done, or no other one could be either.
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
                    report.add(task, *upscale(task, enlarger, notes, bar, compare=compare, force=force))
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
    if isinstance(error, output.NotWritten):
        return error.errno in output.OWN_FAULT
    return isinstance(error, (DataError, TooLarge, MemoryError))


def _no_memory(task, error):
    said = f" ({error})" if str(error) else ""
    return f"{task.source}: not enough memory{said}; free some, or cut it into pieces"


def upscale(task, enlarger, notes, bar, *, compare, force):
    """Enlarge one picture unless its result exists; see `run`.

    Returns
    -------
    result : str
        WRITTEN, KEPT or DONE of tools.photos.report.
    remarks : list of str
        What the result does not have of the picture.

    Raises
    ------
    UserError, DataError
        It cannot be read or written, or not in this memory.
    """
    for path in task.outputs(compare):
        output.check_path(path)
    source = photo.Source(task.source, most=max(enlarger.memory - needed_memory.PROCESS, FILE))
    if task.target.exists() and not force:
        same = noting.read(task.target).items() >= noting.with_source(notes, source.sha256).items()
        return (DONE if same and (not compare or task.comparison.exists()) else KEPT), []
    plan = _plan(task, enlarger, source)
    bar.reset(total=plan.steps)
    bar.set_description(cli.printable(task.source.name))
    picture = source.read(enlarger.memory)
    del source  # the file's bytes
    strips = enlarger.result(picture, plan).strips(compare=compare, progress=bar.update)
    _write(task, picture, plan.shape, strips, noting.with_source(notes, picture.sha256), compare)
    return WRITTEN, _remarks(task, picture)


def _plan(task, enlarger, source):
    """The Plan; refuses what the format or the memory has no room for, by the header of the picture."""
    extent = source.extent
    shape = enlarger.shape(extent)
    output.check_format(task.target, extent, shape)
    return enlarger.plan(extent, source.reading_bytes, output.whole_bytes(task.target, shape))


def _write(task, picture, shape, strips, notes, compare):
    """Write the result as its strips come, and, to compare, bicubic and result side by side.

    The comparison is whole before the result is, so that a result that is there says that both are.
    """
    height, width = shape

    def rows():
        if not compare:
            yield from (result for result, _ in strips)
            return
        beside = (height, 2 * width, picture.channels)
        with output.writer(task.comparison, beside, picture, notes) as comparison:
            for result, bicubic in strips:
                comparison.write(np.concatenate([bicubic, result], axis=1))
                yield result

    with closing(rows()) as result:
        output.write(task.target, result, (height, width, picture.channels), picture, notes)


def _remarks(task, picture):
    remarks = [output.fitting_profile(task.target, picture)[1]]
    if picture.pages > 1:
        remarks.append(f"{task.source}: has {picture.pages} pages or frames; the first one was enlarged")
    return [remark for remark in remarks if remark]
