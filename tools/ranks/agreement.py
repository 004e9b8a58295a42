"""All ranks prepare, and begin only when all of them can and have the same before them."""

from typing import NamedTuple

from tools.common.errors import UserError
from tools.ranks.company import MENDABLE, describe
from tools.ranks.watch import STATUS


class Facts(NamedTuple):
    """What a rank has before it.

    Attributes
    ----------
    same : dict of str to str
        What must be the same on every rank.
    own : dict of str to str
        What no two ranks may share.
    """

    same: dict
    own: dict


def prepared(ranks, prepare, facts):
    """What `prepare` gives on this rank, when all ranks can go on.

    Parameters
    ----------
    ranks : Alone
    prepare : callable () -> object
    facts : callable (object) -> Facts

    Raises
    ------
    UserError
        On rank 0: another rank cannot go on, or has something else before it; the text names the rank and what.
        Rank 0's own errors are raised as they are.
    SystemExit
        On the other ranks, which keep silent.
    """
    made, found, error = None, None, None
    try:
        made = prepare()
        found = facts(made) if ranks.size > 1 else None
    except (*MENDABLE, SystemExit) as own:
        error = own
    said = ranks.gather((found, error and describe(error)))
    failed = ranks.broadcast(said and any(text for _, text in said))
    difference = None if failed else ranks.broadcast(said and difference_of([one for one, _ in said], ranks.name))
    if not failed and not difference:
        return made
    ranks.agreed()
    if ranks.rank:
        raise error if isinstance(error, SystemExit) else SystemExit(STATUS)
    if error:
        raise error
    if failed:
        rank, text = next((rank, text) for rank, (_, text) in enumerate(said) if text)
        raise UserError(f"{ranks.name(rank)}: {text}")
    raise UserError(difference)


def difference_of(found, name):
    """The first difference between ranks, in words (str); None without one.

    Parameters
    ----------
    found : list of Facts
        Of all ranks.
    name : callable (int) -> str
        What a user calls a rank.
    """
    if len(found) < 2:
        return None
    first, own = found[0].same, {}
    for rank, facts in enumerate(found):
        for key in (*first, *(key for key in facts.same if key not in first)):
            if facts.same.get(key) != first.get(key):
                return (
                    f"{name(rank)}: {key} is {facts.same.get(key)}, but {first.get(key)} on {name(0)}; give all ranks "
                    "the same"
                )
        for item in facts.own.items():
            if item in own:
                return f"{name(rank)}: has the {item[0]} of {name(own[item])} ({item[1]}); give every rank its own"
            own[item] = rank
    return None
