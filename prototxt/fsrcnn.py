"""FSRCNN(56, 12, 4) (Dong, Loy, Tang, ECCV 2016): an hourglass on the small image, enlarged by the last layer.

    python -m prototxt.fsrcnn --scale 3 --phase train -o fsrcnn_train.prototxt
    python -m prototxt.fsrcnn --scale 3 --phase deploy
    python -m prototxt.fsrcnn --scale 3 --phase solver

Five parts: feature extraction conv1 (5x5), shrinking conv2 (1x1), mapping conv3..conv6 (3x3), expanding conv7
(1x1), transposed convolution conv8 (9x9, stride m). Each convolution has a PReLU.
"""

from functools import partial

from prototxt import builders, command
from prototxt.engine import layers as L
from prototxt.errors import check_counts
from prototxt.network import Network
from prototxt.recipe import Recipe
from prototxt.scales import SCALES

RECIPE = Recipe(
    loss="squared error over twice the batch size (EuclideanLoss)",
    patches="LR/HR 10/19, 7/19, 6/21 at factors 2, 3, 4, of the 91 and General-100 images, augmented 20 times",
    base_lr=1e-3,
    max_iter=1_000_000,
    batch=128,
    notes=(
        "learning rate 1e-3 from scratch on 91 images, then half of it with General-100; conv8 a tenth of it;",
        "factors 2 and 4 start from factor 3, only conv8 is learnt anew (paper, section 3.4)",
        "the paper gives neither iterations nor batch",
    ),
)


def body(n, data, *, scale, d=56, s=12, m=4):
    """FSRCNN for one factor.

    Parameters
    ----------
    n : NetSpec
    data : Top
        The small image, (N, 1, h, w); the databases of `make data` fit (their `data`).
    scale : {2, 3, 4}
    d, s, m : int
        Feature maps, shrunk feature maps, mapping layers.

    Returns
    -------
    Top
        `conv8`, the result, (N, 1, scale (h-1) + 1, scale (w-1) + 1).

    Raises
    ------
    NetError
        A width below 1.

    Notes
    -----
    With the defaults 25 d + d s + 9 m s^2 + s d + 81 d = 12,464 weights (the paper's 12K), 173 biases and 172
    slopes of the PReLUs, one a channel: 12,809 parameters. Output pixel 0 lies on LR pixel 0, as in IDN.
    """
    check_counts(d=d, s=s, m=m)
    x = data
    widths = [(d, 5), (s, 1), *[(s, 3)] * m, (d, 1)]
    for k, (nout, kernel) in enumerate(widths, 1):
        x = builders.conv(n, f"conv{k}", x, nout, kernel)
        n[f"relu{k}"] = L.PReLU(x, in_place=True)
        x = n[f"relu{k}"]
    return builders.deconv(
        n, f"conv{m + 4}", x, 1, 9, scale, 4, filler=builders.gaussian(0.001), lr=(0.1, 0.1)
    )


NETWORK = Network(
    "fsrcnn", body, title=lambda scale, **_: f"FSRCNN_x{scale}", side=32, recipe=RECIPE, scales=SCALES
)
fsrcnn = NETWORK.net
main = partial(command.write_net, NETWORK, __doc__)

if __name__ == "__main__":
    command.run(main)
