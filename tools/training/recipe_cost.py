"""What the whole recipe of a method costs, and how long it would take at the speed that a run of IDN has reached."""

from data_prep.errors import DataError
from tools.common import json_file, markdown
from tools.common.errors import UserError
from tools.methods.registry import METHODS
from tools.nets.complexity import count
from tools.training.subject import IDN, Subject

PASSES = 3  # forward, the gradient of the data, the gradient of the weights: each as much work


def rows(methods, scales, speed):
    """Costs of recipes (list of dict): iterations, GMAC of one, PMAC of all, hours at `speed` (float, GMAC per second).

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
            made[key] = {
                "method": name, "scales": list(key[1]), "iterations": length, "gmac": gmac,
                "pmac": gmac * length / 1e6, "hours": gmac * length / speed / 3600,
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
        speed = iteration(Subject(METHODS[IDN], found["scale"])) * rate
    except (KeyError, TypeError):
        raise UserError(f"{folder}/summary.json: has no rate of the stage train; give that of a finished run") from None
    what = f"IDN x{found['scale']}, {rate:.1f} iterations per second, {found['device']}"
    return speed, f"{speed:,.0f} GMAC per second: {what}"


def table(made, said):
    """Markdown (str) of `rows`, and where the speed comes from."""
    head = ["Method", "Scales", "iterations", "GMAC per iteration", "PMAC in all", "hours"]
    body = [
        [row["method"], " ".join(f"x{m}" for m in row["scales"]), f"{row['iterations']:,}", f"{row['gmac']:,.2f}",
         f"{row['pmac']:,.1f}", f"{row['hours']:,.1f}"]
        for row in made
    ]  # fmt: skip
    note = (
        f"Hours at {said}. Foretold from multiply-accumulates alone: networks with small layers are slower than that, "
        "those with wide ones faster."
    )
    return f"{markdown.table(head, body, text_columns=2)}\n\n{note}"
