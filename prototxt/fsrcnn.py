"""FSRCNN(56, 12, 4) (Dong, Loy, Tang, ECCV 2016): an hourglass on the small image, enlarged by the last layer.

    python -m prototxt.fsrcnn --scale 3 --phase train -o fsrcnn_train.prototxt
    python -m prototxt.fsrcnn --scale 3 --phase deploy
    python -m prototxt.fsrcnn --scale 3 --phase solver

Trained without padding in conv1, as the authors' release does, so that the LR patch is 4 pixels larger than the paper
says: 14, 11, 10 at x2, x3, x4.

Five parts: feature extraction conv1 (5x5), shrinking conv2 (1x1), mapping conv3..conv6 (3x3), expanding conv7
(1x1), transposed convolution conv8 (9x9, stride m). Each convolution has a PReLU.
"""

from functools import partial

from prototxt import builders, command
from prototxt.engine import layers as L
from prototxt.engine import params as P
from prototxt.errors import check_counts
from prototxt.network import Network
from prototxt.recipe import Recipe
from prototxt.scales import SCALES

RECIPE = Recipe(
    loss="squared error over twice the batch size (EuclideanLoss)",
    patches="LR/HR 14/19, 11/19, 10/21 at factors 2, 3, 4 at stride 4, of the 91 images, augmented 20 times",
    base_lr=1e-3,
    max_iter=1_000_000,
    batch=128,
    finetune_lr=5e-4,
    notes=(
        "learning rate 1e-3 from scratch on 91 images, then half of it with General-100; conv8 a tenth of it;",
        "factors 2 and 4 start from factor 3, only conv8 is learnt anew (paper, section 3.4)",
        "the paper gives neither iterations nor batch",
    ),
)


def body(n, data, *, scale, training=None, d=56, s=12, m=4):
    """FSRCNN for one factor.

    Parameters
    ----------
    n : NetSpec
    data : Top
        The small image, (N, 1, h, w).
    scale : {2, 3, 4}
    training : network.Training or None
        None: a deploy net, which keeps the size of the image.
    d, s, m : int
        Feature maps, shrunk feature maps, mapping layers.

    Returns
    -------
    Top
        `conv8`, the result, (N, 1, scale (h-1) + 1, scale (w-1) + 1); in training for h - 4, w - 4.

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
    # He et al., by the outputs of a layer: by its inputs, Caffe's default, the first steps at the paper's rate diverge
    filler = dict(type="msra", variance_norm=P.Filler.FAN_OUT)
    x = data
    widths = [(d, 5), (s, 1), *[(s, 3)] * m, (d, 1)]
    for k, (nout, kernel) in enumerate(widths, 1):
        pad = 0 if training and k == 1 else None
        x = builders.conv(n, f"conv{k}", x, nout, kernel, pad=pad, filler=filler)
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
