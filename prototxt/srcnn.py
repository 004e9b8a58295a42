"""SRCNN (Dong, Loy, He, Tang, TPAMI 2016), 9-1-5 and 9-5-5: three convolutions on the interpolated image.

    python -m prototxt.srcnn --variant 955 --phase train -o srcnn_train.prototxt
    python -m prototxt.srcnn --phase deploy
    python -m prototxt.srcnn --phase solver

Trained without padding, so that the label is smaller than the input (33 -> 21 for 9-1-5, 17 for 9-5-5); deployed
with zeros around every layer. The authors' test script repeats the border pixels instead, and so do the tools here:
they put repeated pixels around the image and cut them off the result (`border` in tools/methods/registry.py).
"""

from functools import partial

from prototxt import builders, command
from prototxt.errors import NetError
from prototxt.network import Network
from prototxt.recipe import Recipe

RECIPE = Recipe(
    loss="squared error over twice the batch size (EuclideanLoss)",
    patches="33x33 at stride 14 of the 91 images, one net for each factor",
    base_lr=1e-4,
    max_iter=15_000_000,
    batch=128,
    notes=("learning rate 1e-4, of the last layer 1e-5; batch and iterations as the authors' solver has them",),
)


def body(n, data, *, middle=1, training=None, padded=None):
    """SRCNN.

    Parameters
    ----------
    n : NetSpec
    data : Top
        The bicubic image.
    middle : int
        Kernel of the second layer: 1, 3 or 5.
    training : network.Training or None
        None: a deploy net.
    padded : bool, optional
        Keep the size of the image. Default: in a deploy net only, as the authors did.

    Returns
    -------
    Top
        `conv3`, the result, (N, 1, H, W); without padding smaller by 8 + middle - 1 + 4.

    Raises
    ------
    NetError
        Another kernel.

    Notes
    -----
    Parameters: 64 (81 + 1) + 32 (64 middle^2 + 1) + 32 25 + 1 = 8,129 for 9-1-5 and 57,281 for 9-5-5.
    """
    if middle not in (1, 3, 5):
        raise NetError(f"middle: got {middle!r}, expected 1, 3 or 5 (the published kernels of layer 2)")
    padded = training is None if padded is None else padded
    x = data
    layers = (("conv1", 64, 9, (1, 1)), ("conv2", 32, middle, (1, 1)), ("conv3", 1, 5, (0.1, 0.1)))
    for k, (name, nout, kernel, lr) in enumerate(layers, 1):
        pad = kernel // 2 if padded else 0
        x = builders.conv(n, name, x, nout, kernel, pad=pad, filler=builders.gaussian(0.001), lr=lr)
        if k < 3:
            x = builders.relu(n, f"relu{k}", x)
    return x


NETWORK = Network(
    "srcnn",
    body,
    title=lambda middle, **_: f"SRCNN_9{middle}5",
    side=33,
    recipe=RECIPE,
    variants={"915": dict(middle=1), "955": dict(middle=5)},
    folder="data/hdf5/{stem}_x{scale}",
)
srcnn = NETWORK.net
main = partial(command.write_net, NETWORK, __doc__)

if __name__ == "__main__":
    command.run(main)
