"""Give tools/upscale.py many files at once, and find out what became of each of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from tools.fault_checks import judge
from tools.fault_checks.lab import copied
from tools.fault_checks.process import Run

SCALE = 2


@dataclass(frozen=True)
class Answer:
    """What the tool made of one file.

    Attributes
    ----------
    output : Path or None
        What it wrote.
    line : str or None
        Why it was refused.
    faults : tuple of str
        What no answer may have: noise, an abort, files left behind.
    run : Run
        The run in which it was judged.
    """

    output: Optional[Path]
    line: Optional[str]
    faults: tuple
    run: Run


def enlarge_each(lab, files, *options, timeout=90, **more):
    """Enlarge files; where the run of all is not clean, parts are run, down to the file that is at fault.

    Parameters
    ----------
    lab : Lab
    files : list of Path
        Whose names without endings differ.
    options : str
        Further options.
    more : dict
        Of Lab.tool.

    Returns
    -------
    dict of Path to Answer
    """
    source = lab.folder / f"in{_number(lab)}"
    target = source.with_name(source.name.replace("in", "out", 1))
    for path in files:
        copied(path, source / path.name)
    run = lab.tool("upscale", source, "-o", target, "--scale", SCALE, "--method", "Bicubic", *options,
                   timeout=timeout, **more)
    answers = {path: _answer(path, target, run) for path in files}
    faults = _group_faults(run, answers)
    if not faults:
        return answers
    if len(files) == 1:
        path, answer = next(iter(answers.items()))
        return {path: Answer(answer.output, answer.line, tuple(faults), run)}
    parts = {}
    size = 1 if len(files) <= 8 else -(-len(files) // 4)
    for start in range(0, len(files), size):
        parts.update(enlarge_each(lab, files[start : start + size], *options, timeout=timeout, **more))
    return parts


def _number(lab):
    return sum(1 for path in lab.folder.iterdir() if path.name.startswith("in"))


def _answer(path, target, run):
    output = target / f"{path.stem}.png"
    lines = [line for line in run.lines if path.name in line]
    return Answer(output if output.exists() else None, lines[0] if lines else None, (), run)


def _group_faults(run, answers):
    faults = judge.broken(run)
    refused = {path for path, answer in answers.items() if answer.output is None}
    expected = 1 if refused else 0
    if run.status != expected and not run.late:
        faults.append(f"status {run.status}, expected {expected}")
    for path in refused:
        lines = [line for line in run.lines if path.name in line]
        if len(lines) != 1:
            faults.append(f"{len(lines)} lines name {path.name}, which was not enlarged; expected one")
    other = [line for line in run.lines if not line.startswith("upscale.py: ")]
    return faults + [f"{len(other)} lines that are not the tool's: {line}" for line in other[:1]]
