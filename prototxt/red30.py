"""RED30 (Mao, Shen, Yang, NIPS 2016): fifteen convolutions, fifteen transposed ones, skips between mirrored layers.

    python -m prototxt.red30 --phase train -o red30_train.prototxt
    python -m prototxt.red30 --phase deploy
    python -m prototxt.red30 --phase solver

Every second feature map of the encoder (conv2, conv4, ..., conv14) is added to its mirror image in the decoder
(deconv13, deconv11, ..., deconv1); the input is added to the last one.
"""

from functools import partial

from prototxt import builders, command
from prototxt.errors import check_counts
from prototxt.network import Network
from prototxt.recipe import Recipe

DEPTH = 15

RECIPE = Recipe(
    loss="squared error over twice the batch size (EuclideanLoss)",
    patches="50x50 of 300 images of BSD, 0.5 million in all",
    base_lr=1e-4,
    max_iter=1_000_000,
    batch=64,
    type="Adam",
    notes=("Adam at 1e-4 for all layers (paper, section 4); it gives neither iterations nor batch",),
)


def body(n, data, *, width=128):
    """RED30, the same net for every factor.

    Parameters
    ----------
    n : NetSpec
    data : Top
        The bicubic image.
    width : int
        Feature maps: 128, in the first version of the paper 64.

    Returns
    -------
    Top
        `sum`, the result, (N, 1, H, W).

    Raises
    ------
    NetError
        A width below 1.

    Notes
    -----
    4,134,785 parameters at width 128: (9 + 1) 128 in conv1, 28 (9 128^2 + 128) in conv2..conv15 and
    deconv1..deconv14, 9 128 + 1 in deconv15.
    """
    check_counts(width=width)
    x, encoded = data, {}
    for k in range(1, DEPTH + 1):
        x = builders.relu(n, f"relu{k}", builders.conv(n, f"conv{k}", x, width, lr=(1, 1)))
        encoded[k] = x
    for k in range(1, DEPTH):
        x = builders.deconv(n, f"deconv{k}", x, width, 3, 1, 1, lr=(1, 1))
        if k % 2:
            x = builders.add(n, f"sum{k}", x, encoded[DEPTH - k])
        x = builders.relu(n, f"derelu{k}", x)
    x = builders.deconv(n, f"deconv{DEPTH}", x, 1, 3, 1, 1, lr=(1, 1))
    return builders.add(n, "sum", data, x)


NETWORK = Network(
    "red30", body, title=lambda **_: "RED30", side=50, recipe=RECIPE, folder="data/hdf5/red30_x{scale}"
)
red30 = NETWORK.net
main = partial(command.write_net, NETWORK, __doc__)

if __name__ == "__main__":
    command.run(main)
