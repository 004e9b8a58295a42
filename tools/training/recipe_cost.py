"""What the whole recipe of a method costs, and how long it would take at the speed that a run of IDN has reached."""

from data_prep.errors import DataError
from tools.common import json_file, markdown
from tools.common.errors import UserError
from tools.methods.registry import METHODS
from tools.nets.complexity import count
from tools.training.subject import IDN, Subject

LETTERS = "abcdefghijklmnopqrstuvwxyz"
PASSES = 3  # forward, the gradient of the data, the gradient of the weights: each as much work


def rows(methods, scales, speeds, time=None):
    """Costs of recipes.

    Parameters
    ----------
    methods : iterable of str
    scales : iterable of int
    speeds : list of float
        GMAC per second of each machine.
    time : callable (Subject) -> dict, optional
        Measures an iteration here, see iteration_time.py.

    Returns
    -------
    list of dict
        Iterations, GMAC of one, PMAC of all, `hours` at each of the speeds, and what `time` has found as `here`.
        Methods that cannot be trained, or not at a factor, have no row; one whose database mixes the factors has one.
    """
    made = {}
    for name in methods:
        for scale in scales:
            subject = Subject(METHODS[name], scale)
            try:
                cut = subject.cut("train")
            except DataError:
                continue
            gmac = iteration(subject)
            length = sum(subject.full_length(stage) for stage in subject.usual_stages)
            key = (name, getattr(cut, "scales", (scale,)))
            if key in made:
                continue
            made[key] = {
                "method": name, "scales": list(key[1]), "iterations": length, "gmac": gmac,
                "pmac": gmac * length / 1e6, "hours": [gmac * length / speed / 3600 for speed in speeds],
                **({"here": time(subject)} if time else {}),
            }  # fmt: skip
    return list(made.values())


def iteration(subject, stage="train"):
    """Multiply-accumulates (float, in 10^9) of a training iteration of the recipe."""
    side = subject.cut(subject.database(stage)).sides["data"]
    macs = count(subject.deploy_net((side, side)))["macs"]
    return PASSES * macs * side**2 * subject.batch / 1e9


def speed_of(folder):
    """GMAC per second (float) of a finished run of IDN in `folder` (Path), and what it is (str).

    Raises
    ------
    UserError
        There is no summary of such a run.
    """
    found = json_file.read(folder / "summary.json", "summary.json of tools/train.py")
    try:
        if found.get("method", IDN) != IDN:
            raise UserError(f"{folder}: is a run of {found['method']}, expected one of IDN")
        rate = found["stages"]["train"]["iterations_per_second"]
        return speed_at(rate, found["scale"], found["device"])
    except (KeyError, TypeError):
        raise UserError(f"{folder}/summary.json: has no rate of the stage train; give that of a finished run") from None


def speed_at(rate, scale, device):
    """GMAC per second (float) of IDN at `rate` (float, iterations per second) on a device (str), and what it is."""
    speed = iteration(Subject(METHODS[IDN], scale)) * rate
    return speed, f"{device}: {speed:,.0f} GMAC per second, IDN x{scale} at {rate:.1f} iterations per second"


def table(made, machines, here=None):
    """Markdown (str) of `rows`, and of what their hours are: what `speed_of` said of each machine (list of str).

    `here` (str) is this machine, where iterations were timed.
    """
    head = ["Method", "Scales", "iterations", "GMAC per iteration", "PMAC in all"]
    letters = LETTERS[: len(machines)]
    head += [f"hours ({letter})" for letter in letters]
    head += ["core-seconds per iteration here"] if here else []
    body = [
        [row["method"], " ".join(f"x{m}" for m in row["scales"]), f"{row['iterations']:,}", f"{row['gmac']:,.2f}",
         f"{row['pmac']:,.1f}", *(f"{hours:,.1f}" for hours in row["hours"]), *_here(row)]
        for row in made
    ]  # fmt: skip
    lines = [f"- ({letter}) {said}" for letter, said in zip(letters, machines)]
    notes = [
        "Hours foretold from multiply-accumulates alone, at the speed that IDN reaches: networks with small layers are",
        "slower than that, those with wide ones faster.",
    ]
    if here:
        notes.append(f"Here: {here}. ~: of fewer pairs than the recipe's batch, in proportion.")
    return f"{markdown.table(head, body, text_columns=2)}\n\n" + "\n".join([*lines, "", *notes])


def _here(row):
    if "here" not in row:
        return []
    found, exact = row["here"], row["here"]["seconds"] == row["here"]["recipe_seconds"]
    return [f"{'' if exact else '~ '}{found['recipe_seconds']:.3g}"]
