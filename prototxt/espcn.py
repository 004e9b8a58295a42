"""ESPCN (Shi et al., CVPR 2016): three convolutions on the small image, then a pixel shuffle.

    python -m prototxt.espcn --scale 3 --phase train -o espcn_train.prototxt
    python -m prototxt.espcn --scale 3 --phase deploy
    python -m prototxt.espcn --scale 3 --phase solver

Trained without padding: the paper cuts its images so that each pixel is the ground truth of one piece, which holds for
the pixels that such convolutions leave. With zeros around a piece of 17 pixels, 72 % of the result would have seen
some.

The pixel shuffle is built from Slice, Reshape and Concat: no custom layer, no one-hot weights, any image size.
"""

from functools import partial

from prototxt import builders, command
from prototxt.engine import layers as L
from prototxt.network import Network
from prototxt.recipe import Plateau, Recipe
from prototxt.scales import SCALES

PATCH = 17  # LR pixels, section 4.1
MARGIN = 4  # LR pixels on each side that are used up by convolutions without padding: 2 + 1 + 1

RECIPE = Recipe(
    loss="mean squared error over all pixels (paper, section 3.3): EuclideanLoss with a weight",
    patches="17x17 LR (paper, section 4.1) and their middle, 9m x 9m HR; 91 images, or 50,000 of ImageNet",
    base_lr=1e-2,
    max_iter=1_000_000,
    batch=64,
    momentum=0.0,
    epoch=83,
    plateau=Plateau(patience=100, least=1e-4),
    notes=(
        "the paper lowers the rate from 0.01 to 0.0001 by the progress of the loss and stops after 100 epochs without",
        "any (section 4.1); by how much at a time it does not say: to a tenth; nor iterations and batch, chosen here",
        "epoch: 5,312 patches of the 91 images at x3",
    ),
)


def body(n, data, *, scale, pad=None):
    """ESPCN for one factor.

    Parameters
    ----------
    n : NetSpec
    data : Top
        The small image, (N, 1, h, w).
    scale : {2, 3, 4}
    pad : int, optional
        Zeros around the input of each convolution; default: those that keep the size.

    Returns
    -------
    Top
        `shuffle`, the result, (N, 1, scale h, scale w); without padding for h - 8, w - 8.

    Notes
    -----
    Parameters: 64 (25 + 1) + 32 (9 64 + 1) + scale^2 (9 32 + 1): 21,284 at x2, 22,729 at x3, 24,752 at x4 (25K).
    """
    x = data
    for k, (nout, kernel) in enumerate(((64, 5), (32, 3)), 1):
        x = builders.conv(n, f"conv{k}", x, nout, kernel, pad=pad)
        n[f"tanh{k}"] = L.TanH(x, in_place=True)
        x = n[f"tanh{k}"]
    x = builders.conv(n, "conv3", x, scale**2, pad=pad)
    return pixel_shuffle(n, "shuffle", x, scale)


def pixel_shuffle(n, name, bottom, scale):
    """Rearrange scale^2 maps (N, scale^2, h, w) to one (N, 1, scale h, scale w), the paper's equation 4.

    Map scale a + b becomes the pixels (scale y + a, scale x + b). For each row a: its maps become columns
    (N, 1, h, w, 1), are laid side by side as (N, 1, h, w, scale) and read as rows (N, 1, h, 1, scale w). The rows
    are then laid below each other, (N, 1, h, scale, scale w), and read as one image.
    """
    names = [f"{name}_map{k}" for k in range(scale**2)]
    for key, top in zip(names, L.Slice(bottom, ntop=scale**2, name=f"{name}_slice", axis=1)):
        n[key] = top
    rows = []
    for a in range(scale):
        columns = []
        for b in range(scale):
            key = names[scale * a + b]
            n[f"{key}_column"] = _reshape(n[key], axis=4, axes=0, dims=(1,))
            columns.append(n[f"{key}_column"])
        row = f"{name}_row{a}"
        n[f"{row}_columns"] = L.Concat(*columns, axis=4)
        n[row] = _reshape(n[f"{row}_columns"], axis=3, axes=2, dims=(1, -1))
        rows.append(n[row])
    n[f"{name}_rows"] = L.Concat(*rows, axis=3)
    n[name] = _reshape(n[f"{name}_rows"], axis=2, axes=2, dims=(-1,))
    return n[name]


def _reshape(bottom, axis, axes, dims):
    """Replace `axes` axes from `axis` on by `dims`."""
    return L.Reshape(bottom, shape=dict(dim=list(dims)), axis=axis, num_axes=axes)


def _body(n, data, *, scale, training):
    """`body`; in training without padding, and with the paper's loss for labels of 9 `scale` pixels a side."""
    top = body(n, data, scale=scale, pad=0 if training else None)
    if training:
        builders.euclidean(n, "loss", top, n.label, weight=2 / ((PATCH - 2 * MARGIN) * scale) ** 2)
    return top


NETWORK = Network(
    "espcn", _body, title=lambda scale, **_: f"ESPCN_x{scale}", side=PATCH, recipe=RECIPE, scales=SCALES, loss=None
)
espcn = NETWORK.net
main = partial(command.write_net, NETWORK, __doc__)

if __name__ == "__main__":
    command.run(main)
