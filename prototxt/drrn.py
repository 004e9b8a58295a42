"""DRRN (Tai, Yang, Liu, CVPR 2017), B1U9 and B1U25: one residual unit applied 9 or 25 times.

    python -m prototxt.drrn --variant b1u25 --phase train -o drrn_train.prototxt
    python -m prototxt.drrn --phase deploy
    python -m prototxt.drrn --phase solver --lr-step 3

Layer and param names are those of the authors' release (tyshiwo/DRRN_CVPR17), so that its caffemodels load.
"""

from functools import partial

from prototxt import builders, emit, network
from prototxt.engine import caffe
from prototxt.errors import NetError
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
    notes=("half the learning rate every 10 epochs of 6,536 iterations; the released solver",),
)


def drrn(
    phase="deploy",
    *,
    units=25,
    source=None,
    test_source=None,
    batch=RECIPE.batch,
    data_top="data",
    input_shape=(130, 130),
):
    """DRRN with one recursive block, the same net for every factor.

    Parameters
    ----------
    phase : {"train", "deploy"}
    units : int
        Residual units U of the block: 25 (52 layers) or 9 (20 layers).
    source, test_source, batch, data_top
        Of the training data, see `network.training_data`.
    input_shape : (int, int)
        Height and width of the deploy net's input.

    Returns
    -------
    NetParameter
        Blobs `data` (N, 1, H, W) the bicubic image and `HR_recovery` the result, float32 in 0..1.

    Raises
    ------
    NetError
        Fewer than one unit.

    Notes
    -----
    297,601 parameters of convolutions: (9 + 1) 128 in conv1, 2 (9 128^2 + 128) shared by all units, 9 128 + 1 in
    conv_end. BatchNorm and Scale are each unit's own.
    """
    if not isinstance(units, int) or units < 1:
        raise NetError(f"units: got {units!r}, expected a whole number of at least 1")
    n = caffe.NetSpec()
    name = f"drrn_b1u{units}"
    if phase == "deploy":
        data = builders.deploy_input(n, input_shape)
    else:
        data, _ = network.training_data(n, name, source, batch, data_top)
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
    x = builders.add(n, "HR_recovery", data, x)
    if phase == "train":
        builders.euclidean(n, "loss", x, n.label)
    return network.finish(n, phase, f"DRRN_B1U{units}_{2 * units + 2}C{WIDTH}", name, test_source, data_top)


NETWORK = network.Network("drrn", drrn, RECIPE, {"b1u25": dict(units=25), "b1u9": dict(units=9)})
main = partial(network.main, NETWORK, __doc__)

if __name__ == "__main__":
    emit.run(main)
