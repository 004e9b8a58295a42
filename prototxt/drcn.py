"""DRCN (Kim, Lee, Lee, CVPR 2016): one convolution applied sixteen times, a prediction after each.

    python -m prototxt.drcn --phase train -o drcn_train.prototxt
    python -m prototxt.drcn --phase deploy
    python -m prototxt.drcn --phase solver

Embedding conv1, conv2; inference conv3..conv18 with shared weights; reconstruction conv_outh and conv_out, the
same for every prediction, plus the interpolated image; `ensemble` is their learned weighted sum. Layer and param
names follow the authors' MatConvNet code (filters_share, ensemble_weight).
"""

from functools import partial

from prototxt import builders, command
from prototxt.engine import layers as L
from prototxt.errors import NetError, check_counts
from prototxt.network import Network
from prototxt.recipe import Plateau, Recipe

RECIPE = Recipe(
    loss="alpha x mean of the predictions' squared errors + (1 - alpha) x squared error of their sum (equation 9)",
    patches="41x41 at stride 21 of the 91 images, one net for each factor",
    base_lr=0.01,
    max_iter=1_000_000,
    batch=64,
    weight_decay=1e-4,
    clip=1e-4,
    clip_by="value",
    epoch=145,
    plateau=Plateau(patience=5, least=1e-6),
    alpha=25,
    notes=(
        "rate, patience and end as in the paper, section 5.1; max_iter is a bound that it does not give",
        "the paper lowers alpha in training without saying how: in a straight line over 25 epochs, chosen here",
        "it names VDSR's clipping without theta: 1e-4 as there; epoch: 9,297 patches of the 91 images at x3",
    ),
)


def body(n, data, *, training, recursions=16, width=256, alpha=0.5):
    """DRCN, the same net for every factor.

    Parameters
    ----------
    n : NetSpec
    data : Top
        The bicubic image.
    training : network.Training or None
        None: a deploy net, without losses.
    recursions, width : int
        Applications of the shared convolution, its feature maps.
    alpha : float
        Weight of the intermediate predictions in the loss, 0..1.

    Returns
    -------
    Top
        `ensemble`, the result, (N, 1, H, W).

    Raises
    ------
    NetError
        No recursion, no width, alpha outside 0..1.

    Notes
    -----
    1,775,121 parameters: (9 + 1) 256 in conv1, 9 256^2 + 256 each in conv2, the shared convolution and
    conv_outh, 9 256 + 1 in conv_out, 16 weights of the predictions.
    """
    check_counts(recursions=recursions, width=width)
    if not 0 <= alpha <= 1:
        raise NetError(f"alpha: got {alpha}, expected 0 to 1 (weight of the intermediate predictions)")
    x = _conv_relu(n, "conv1", "relu1", data, width, ("filters1", "biases1"))
    x = _conv_relu(n, "conv2", "relu2", x, width, ("filters2", "biases2"))
    predictions = []
    for k in range(3, recursions + 3):
        x = _conv_relu(n, f"conv{k}", f"relu{k}", x, width, ("filters_share", "biases_share"))
        predictions.append(_reconstruct(n, k, x, data, width))
    n.predictions = L.Concat(*predictions, axis=1)
    average = dict(type="constant", value=1 / recursions)
    builders.conv(
        n, "ensemble", n.predictions, 1, 1, filler=average, lr=(1,), shared=("ensemble_weight",), bias=False
    )
    if training:
        weights = loss_weights(alpha, recursions)
        for k, top in enumerate(predictions, 3):
            builders.euclidean(n, f"loss{k}", top, n.label, weight=weights[f"loss{k}"])
        builders.euclidean(n, "loss", n.ensemble, n.label, weight=weights["loss"])
    return n.ensemble


def loss_weights(alpha, recursions=16):
    """Weights of the losses in a train net for another alpha: {blob: float}."""
    inner = {f"loss{k}": alpha / recursions for k in range(3, recursions + 3)}
    return {**inner, "loss": 1 - alpha}


def _conv_relu(n, name, relu, bottom, width, shared):
    return builders.relu(n, relu, builders.conv(n, name, bottom, width, lr=(1, 1), shared=shared))


def _reconstruct(n, k, x, data, width):
    """Prediction of recursion k - 2: reconstruction net plus the input."""
    hidden = builders.conv(n, f"conv_outh{k}", x, width, lr=(1, 1), shared=("filters_outh", "biases_outh"))
    hidden = builders.relu(n, f"relu_outh{k}", hidden)
    out = builders.conv(n, f"conv_out{k}", hidden, 1, lr=(1, 1), shared=("filters_out", "biases_out"))
    return builders.add(n, f"prediction{k}", data, out)


NETWORK = Network(
    "drcn", body, title=lambda **_: "DRCN", side=41, recipe=RECIPE, loss=None, folder="data/hdf5/drcn_x{scale}"
)
drcn = NETWORK.net
main = partial(command.write_net, NETWORK, __doc__)

if __name__ == "__main__":
    command.run(main)
