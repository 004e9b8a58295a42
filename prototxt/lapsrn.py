"""LapSRN (Lai, Huang, Ahuja, Yang, CVPR 2017): a Laplacian pyramid, each level doubles the image.

    python -m prototxt.lapsrn --scale 4 --phase train -o lapsrn_train.prototxt
    python -m prototxt.lapsrn --scale 2 --phase deploy
    python -m prototxt.lapsrn --scale 8 --phase solver

Layer names are those of the authors' MatConvNet files, in which the coarsest level carries the highest number: at
x4 level2 comes first, level1 gives the result. The weights come through tools/import_weights.py.
"""

from functools import partial

from prototxt import builders, command
from prototxt.engine import layers as L
from prototxt.engine import params as P
from prototxt.errors import check_counts
from prototxt.network import Network
from prototxt.recipe import Recipe

WIDTH, SLOPE = 64, 0.2
LEVELS = {2: 1, 4: 2, 8: 3}
DEPTH = {2: 10, 4: 10, 8: 5}  # convolutions a level (paper, section 4; the released files agree)
HINT = "; x3 is the output of the x4 net, made smaller by imresize, as its authors did: take --scale 4"

# init_LapSRN_model.m of the release; He et al. in all other layers. With He et al. here as well the features are some
# hundred times as large, and the training diverges at the recipe's rate
FIRST = builders.gaussian(0.001)

RECIPE = Recipe(
    loss="Charbonnier penalty sqrt(d^2 + 1e-6) summed over every level, over the batch size (paper, equation 2)",
    patches="128x128 HR at random places, of 291 images, scaled by 0.5..1, rotated, flipped",
    base_lr=1e-5,
    max_iter=100_000,
    batch=64,
    weight_decay=1e-4,
    stepsize=5_000,
    gamma=0.5,
    least_lr=1e-6,
    epoch=100,
    notes=(
        "half the learning rate every 50 epochs of 100 batches, 1,000 epochs (init_LapSRN_opts.m of the release)",
        "the released code minimises the absolute difference instead: --phase train --loss l1",
    ),
)


def body(n, data, *, scale, training, depth=None):
    """LapSRN for one factor.

    Parameters
    ----------
    n : NetSpec
    data : Top
        The small image, (N, 1, h, w).
    scale : {2, 4, 8}
    training : network.Training or None
        None: a deploy net. Else its labels are `level<k>_HR`, and its loss "charbonnier", the paper's and the
        default, or "l1", the released code's.
    depth : int, optional
        Convolutions of a level before its transposed one. Default: 10, at x8 5.

    Returns
    -------
    Top
        `level1_output`, the result, (N, 1, scale h, scale w).

    Raises
    ------
    NetError
        A depth below 1.

    Notes
    -----
    Parameters of a level: (depth + 1) (9 64^2 + 64) of the convolutions and the transposed one, 9 64 + 1 of the
    residual, 16 of the image: 406,801, at x8 222,161. With the 640 of input_conv 407,441 at x2, 814,242 at x4,
    667,123 at x8.
    """
    depth = DEPTH[scale] if depth is None else depth
    check_counts(depth=depth)
    x = builders.relu(n, "input_relu", builders.conv(n, "input_conv", data, WIDTH, filler=FIRST), SLOPE)
    image = data
    for k in _levels(scale):
        x, image = _level(n, k, x, image, depth)
        if training:
            _loss(n, k, image, training)
    return image


def _levels(scale):
    """Numbers of the levels, the coarsest and highest first."""
    return range(LEVELS[scale], 0, -1)


def _tops(scale, **_):
    return ("data", *(f"level{k}_HR" for k in _levels(scale)))


def _level(n, k, x, image, depth):
    """One level: features and image in, both twice as large out."""
    for i in range(1, depth + 1):
        x = builders.conv(n, f"level{k}_conv{i}", x, WIDTH)
        x = builders.relu(n, f"level{k}_relu{i}", x, SLOPE)
    bilinear = dict(type="bilinear")
    image = builders.deconv(n, f"level{k}_img_up", image, 1, 4, 2, 1, filler=bilinear, lr=(1,), bias=False)
    # 3x3 with stride 2 gives 2 n + 1; MatConvNet crops the last row and column, Caffe's pad only both sides alike
    x = builders.deconv(n, f"level{k}_upconv", x, WIDTH, 3, 2, 0)
    n[f"level{k}_upcrop"] = L.Crop(x, image, axis=2, offset=[0])
    x = builders.relu(n, f"level{k}_uprelu", n[f"level{k}_upcrop"], SLOPE)
    residual = builders.conv(n, f"level{k}_residual", x, 1)
    return x, builders.add(n, f"level{k}_output", image, residual)


def _loss(n, k, image, training):
    label, name = n[f"level{k}_HR"], f"level{k}_loss"
    if training.loss != "l1":
        builders.charbonnier(n, name, image, label, training.batch)
        return
    d = builders.difference(n, f"level{k}_difference", image, label)
    n[name] = L.Reduction(d, operation=P.Reduction.ASUM, coeff=1 / training.batch, loss_weight=1)


NETWORK = Network(
    "lapsrn",
    body,
    title=lambda scale, **_: f"LapSRN_x{scale}",
    side=32,
    recipe=RECIPE,
    scales=tuple(LEVELS),
    hint=HINT,
    tops=_tops,
    test_batch=None,
    loss=None,
    losses=("charbonnier", "l1"),
)
lapsrn = NETWORK.net
main = partial(command.write_net, NETWORK, __doc__)

if __name__ == "__main__":
    command.run(main)
