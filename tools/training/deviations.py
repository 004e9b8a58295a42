"""How a run differs from the paper's, in sentences for its summary."""

from prototxt import idn, solver
from tools.training import schedules


def of(settings, options):
    """What a reader must know before comparing (list of str); empty for the paper's own training.

    Where the paper gives no figure, that of the authors' release counts.

    Parameters
    ----------
    settings : list of Settings
        Of the finished stages.
    options : argparse.Namespace
        Of tools/train.py.
    """
    paper, found = schedules.parse(schedules.PAPER), []
    run = {s.stage: s for s in settings}
    for stage, theirs in paper.items():
        if stage in run:
            found += _of_stage(run[stage], theirs)
        else:
            found.append(f"{stage}: not part of this command")
    if options.weights:
        found.append(f"starts from the weights {options.weights.name} instead of random ones")
    if options.beta1:
        found.append(f"Adam's beta1 {options.beta1:g} instead of 0, as the release leaves it; the paper gives none")
    if options.batch != idn.BATCH:
        found.append(f"batch of {options.batch} instead of {idn.BATCH}")
    return found


def _of_stage(ours, theirs):
    stage, found, rate = ours.stage, [], solver.BASE_LR[ours.stage]
    if ours.iterations != theirs.iterations:
        found.append(f"{stage}: {ours.iterations:,} iterations instead of {theirs.iterations:,}")
    if abs(ours.base_lr / rate - 1) > 1e-6:
        found.append(f"{stage}: learning rate {ours.base_lr:g} instead of {rate:g}")
    if ours.all_falls != theirs.falls:
        found.append(
            f"{stage}: learning rate times {ours.fall_factor:g} at {_listed(ours.all_falls)} instead of "
            f"{_listed(theirs.falls)}" if ours.all_falls else f"{stage}: the learning rate does not fall"
        )  # fmt: skip
    return found


def _listed(falls):
    return " and ".join(f"{n:,}" for n in falls) or "no iteration"
