"""The best and the second best of a line of the tables, as the paper marks them."""

from tools.benchmarking import paper

# figures of which less is better
LOWER_IS_BETTER = ("seconds",)


def ranks(values, figure):
    """"best", "second" or "" for each value (float or None) of one line, compared as printed; equal ones share."""
    digits = paper.decimals(figure)
    printed = [None if value is None else round(value, digits) for value in values]
    order = sorted({v for v in printed if v is not None}, reverse=figure not in LOWER_IS_BETTER)
    names = dict(zip(order[:2], ("best", "second")))
    return [names.get(value, "") if value is not None else "" for value in printed]


def ranked(values, figure):
    """As `ranks`, among the paper's methods alone: another one, such as IDN-MSCOCO, takes no method's place.

    Parameters
    ----------
    values : dict of str to float or None
        Of each method of a line.
    figure : str

    Returns
    -------
    dict of str to str
    """
    known = [name for name in values if name in paper.load()["methods"]]
    return {**dict.fromkeys(values, ""), **dict(zip(known, ranks([values[name] for name in known], figure)))}
