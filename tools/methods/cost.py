"""Parameters and multiply-accumulates of every method at every scale."""

from tools.methods.registry import METHODS
from tools.nets.complexity import count

# the counts do not depend on it; more than any overlap of borders needs
SIDE = 16


def rows(methods, scales, size):
    """Counts of methods (list of dict with method, scale, gmac, parameters, ...) for a result of `size` (W, H)."""
    made = []
    for name in methods:
        for scale in (one for one in scales if one in METHODS[name].scales):
            message = METHODS[name].build(scale)
            message.layer[0].input_param.shape[0].dim[2:] = [SIDE, SIDE]
            counted = count(message)
            pixels = size[0] * size[1] / (1 if METHODS[name].enlarges_first else scale**2)
            gmac = counted.pop("macs") * pixels / 1e9
            made.append({"method": name, "scale": scale, "gmac": gmac, **counted})
    return made
