"""How a run differs from the paper's, in sentences for its summary."""

MOST = 6  # falls of a rate that are listed


def of(settings, options, subject):
    """What a reader must know before comparing (list of str); empty for the authors' own training.

    Where the paper gives no figure, that of the authors' release counts, and else the recipe's.

    Parameters
    ----------
    settings : list of Settings
        Of the finished stages.
    options : argparse.Namespace
        Of tools/train.py.
    subject : Subject
        What was trained.
    """
    recipe, run, found = subject.schedule(subject.usual_stages), {s.stage: s for s in settings}, []
    for stage, theirs in recipe.items():
        if stage in run:
            found += _of_stage(run[stage], theirs, subject)
        else:
            found.append(f"{stage}: not part of this command")
    if options.weights:
        found.append(f"starts from the weights {options.weights.name} instead of random ones")
    found += _of_solver(options, subject)
    if options.batch != subject.batch:
        found.append(f"batch of {options.batch} instead of {subject.batch}")
    changed = subject.options.items()
    return found + [f"{name} {value:g} instead of {_default(subject, name):g}" for name, value in changed]


def _of_solver(options, subject):
    """What is different in the solver (list of str)."""
    if subject.is_idn:
        given = f"Adam's beta1 {options.beta1:g} instead of 0, as the release leaves it; the paper gives none"
        return [given] * bool(options.beta1)
    recipe, found = subject.recipe, []
    if options.solver not in (None, recipe.type):
        found.append(f"{options.solver} instead of {recipe.type}")
    if options.beta1 != recipe.momentum:
        found.append(f"momentum {options.beta1:g} instead of {recipe.momentum:g}")
    if options.theta not in (None, recipe.clip):
        theirs = f"{recipe.clip:g}" if recipe.clip else "no clipping"
        found.append(f"clipping to {options.theta:g} / learning rate instead of {theirs}")
    return found


def _default(subject, name):
    return subject.network.options[name].default


def _of_stage(ours, theirs, subject):
    stage, found, rate = ours.stage, [], subject.base_lr(ours.stage)
    follows = not subject.is_idn and subject.recipe.plateau
    if ours.iterations != theirs.iterations and not (follows and ours.plateau is None and ours.falls is None):
        found.append(f"{stage}: {ours.iterations:,} iterations instead of {theirs.iterations:,}")
    if abs(ours.base_lr / rate - 1) > 1e-6:
        found.append(f"{stage}: learning rate {ours.base_lr:g} instead of {rate:g}")
    other_factor = bool(theirs.falls) and ours.fall_factor != theirs.factor
    if ours.all_falls != theirs.falls or other_factor:
        instead = "following the validation" if follows else _listed(theirs.falls)
        if other_factor and not follows:
            instead = f"times {theirs.factor:g} at {instead}"
        found.append(
            f"{stage}: learning rate times {ours.fall_factor:g} at {_listed(ours.all_falls)} instead of {instead}"
            if ours.all_falls else f"{stage}: the learning rate does not fall"
        )  # fmt: skip
    return found


def _listed(falls):
    """Iterations (tuple of int) in words, the first of many."""
    shown = [f"{n:,}" for n in falls[:MOST]] + [f"{len(falls) - MOST} more"] * (len(falls) > MOST)
    return " and ".join(shown) or "no iteration"
