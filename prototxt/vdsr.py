"""VDSR (Kim, Lee, Lee, CVPR 2016): twenty 3x3 convolutions that add a residual to the interpolated image.

    python -m prototxt.vdsr --phase train -o vdsr_train.prototxt
    python -m prototxt.vdsr --scale 3 --phase deploy
    python -m prototxt.vdsr --phase solver --lr-step 1

Layer names conv1..conv20 and `sum` are those of the public Caffe port (huangzehao/caffe-vdsr), so that its
caffemodel loads; the official MatConvNet weights come through tools/import_weights.py.
"""

from functools import partial

from prototxt import builders, command
from prototxt.network import Network
from prototxt.recipe import Recipe

DEPTH, WIDTH = 20, 64
ITERATIONS_AN_EPOCH = 11_698  # 748,672 patches in batches of 64: a 80th of the port's 935,840 iterations

RECIPE = Recipe(
    loss="squared error over twice the batch size (EuclideanLoss)",
    patches="41x41 of 291 images (flips, rotations), factors 2, 3 and 4 together",
    base_lr=0.1,
    max_iter=80 * ITERATIONS_AN_EPOCH,
    batch=64,
    weight_decay=1e-4,
    stepsize=20 * ITERATIONS_AN_EPOCH,
    clip=1e-4,
    clip_by="value",
    epoch=ITERATIONS_AN_EPOCH,
    notes=(
        "80 epochs, a tenth of the learning rate every 20 (paper, section 5.2)",
        "the paper does not give theta: 1e-4 is chosen, so that an iteration moves a weight about as far as those of",
        "the public port, which trains with Adam at 1e-4; without clipping 0.1 diverges",
    ),
)


def body(n, data):
    """VDSR, the same net for every factor.

    Parameters
    ----------
    n : NetSpec
    data : Top
        The bicubic image.

    Returns
    -------
    Top
        `sum`, the result, (N, 1, H, W).

    Notes
    -----
    665,921 parameters: (9 + 1) 64 in conv1, 18 (9 64 + 1) 64, 9 64 + 1 in conv20. Biases learn as fast as weights.
    """
    x = data
    for k in range(1, DEPTH):
        x = builders.conv(n, f"conv{k}", x, WIDTH, lr=(1, 1))
        x = builders.relu(n, f"relu{k}", x)
    x = builders.conv(n, f"conv{DEPTH}", x, 1, lr=(1, 1))
    return builders.add(n, "sum", data, x)


NETWORK = Network("vdsr", body, title=lambda **_: "VDSR", side=41, recipe=RECIPE)
vdsr = NETWORK.net
main = partial(command.write_net, NETWORK, __doc__)

if __name__ == "__main__":
    command.run(main)
