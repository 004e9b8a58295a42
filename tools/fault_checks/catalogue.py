"""All kinds of fault, in the order in which they are tried and shown."""

from fnmatch import fnmatchcase
from importlib import import_module

from tools.common.errors import UserError
from tools.fault_checks.case import trials_of

FAMILIES = ("pictures", "damage", "sizes", "names", "nets", "training", "kills", "disks", "commands", "security")


def every():
    """All trials (list of Trial)."""
    return [one for name in FAMILIES for one in trials_of(import_module(f"tools.fault_checks.{name}"))]


def chosen(patterns, long):
    """The trials that are asked for.

    Parameters
    ----------
    patterns : list of str or None
        Kinds, with * for any text; None: all.
    long : bool
        Whether those that take long belong to all; a kind that is named does in any case.

    Returns
    -------
    list of Trial

    Raises
    ------
    UserError
        A pattern fits no kind.
    """
    trials = every()
    if patterns is None:
        return [one for one in trials if long or not one.slow]
    for pattern in patterns:
        if not any(fnmatchcase(one.kind, pattern) for one in trials):
            raise UserError(f"--only {pattern}: no such kind; --list shows them")
    return [one for one in trials if any(fnmatchcase(one.kind, pattern) for pattern in patterns)]
