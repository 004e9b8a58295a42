"""DRRN (Tai, Yang, Liu, CVPR 2017), B1U9 and B1U25: one residual unit applied 9 or 25 times.

    python -m prototxt.drrn --variant b1u25 --phase train -o drrn_train.prototxt
    python -m prototxt.drrn --phase deploy
    python -m prototxt.drrn --phase solver --lr-step 3

Layer and param names are those of the authors' release (tyshiwo/DRRN_CVPR17), so that its caffemodels load.
"""

from functools import partial

from prototxt import builders, command
from prototxt.errors import check_counts
from prototxt.network import Network
from prototxt.recipe import Recipe

WIDTH = 128

RECIPE = Recipe(
    loss="squared error over twice the batch size (EuclideanLoss)",
    patches="31x31 at stride 21 of 291 images, 8 orientations, factors 2, 3 and 4 together",
    base_lr=0.1,
    max_iter=2_000_000,
    batch=128,
    weight_decay=1e-4,
    stepsize=65_360,
    gamma=0.5,
    clip=0.01,
    epoch=6_536,
    notes=("half the learning rate every 10 epochs of 6,536 iterations; the released solver",),
)


def body(n, data, *, units=25):
    """DRRN with one recursive block, the same net for every factor.

    Parameters
    ----------
    n : NetSpec
    data : Top
        The bicubic image.
    units : int
        Residual units U of the block: 25 (52 layers) or 9 (20 layers).

    Returns
    -------
    Top
        `HR_recovery`, the result, (N, 1, H, W).

    Raises
    ------
    NetError
        Fewer than one unit.

    Notes
    -----
    297,601 parameters of convolutions: (9 + 1) 128 in conv1, 2 (9 128^2 + 128) shared by all units, 9 128 + 1 in
    conv_end. BatchNorm and Scale are each unit's own.
    """
    check_counts(units=units)
    head = builders.conv(n, "conv1", builders.bn_relu(n, "conv1", data, "relu1"), WIDTH)
    x = head
    for u in range(1, units + 1):
        for part in "ab":
            x = builders.bn_relu(n, f"conv1_{u}{part}", x, f"relu1_{u}{part}")
            shared = (f"RB1_w{part}", f"RB1_b{part}")
            x = builders.conv(n, f"conv1_{u}{part}", x, WIDTH, shared=shared)
        # every unit adds the head, not its own input (paper, equation 5)
        x = builders.add(n, f"eltwise1_{u}", head, x)
    x = builders.conv(n, "conv_end", builders.bn_relu(n, "conv_end", x, "relu_end"), 1)
    return builders.add(n, "HR_recovery", data, x)


NETWORK = Network(
    "drrn",
    body,
    title=lambda units=25, **_: f"DRRN_B1U{units}_{2 * units + 2}C{WIDTH}",
    side=130,
    recipe=RECIPE,
    variants={"b1u25": dict(units=25), "b1u9": dict(units=9)},
    folder="data/hdf5/drrn",
)
drrn = NETWORK.net
main = partial(command.write_net, NETWORK, __doc__)

if __name__ == "__main__":
    command.run(main)
