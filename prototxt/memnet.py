"""MemNet (Tai, Yang, Liu, Xu, ICCV 2017): memory blocks whose gate units see everything that came before.

    python -m prototxt.memnet --variant m6r6_released --phase train -o memnet_train.prototxt
    python -m prototxt.memnet --variant m10r10 --phase deploy
    python -m prototxt.memnet --phase solver --lr-step 1

Layer and param names are those of the authors' release (tyshiwo/MemNet), so that its caffemodels load. The paper
counts 677K parameters for M6R6, with the convolutions of a block shared by its units; the released M6R6 does not
share them and has 2.9 million. Both are here: m6r6 as in the paper, m6r6_released as in the files.
"""

from functools import partial

from prototxt import builders, command
from prototxt.engine import layers as L
from prototxt.errors import NetError
from prototxt.network import Network
from prototxt.recipe import Recipe

WIDTH = 64

RECIPE = Recipe(
    loss="the sum of every block's squared error and that of their weighted sum, each over twice the batch size",
    patches="31x31 at stride 21 of 291 images, 8 orientations, factors 2, 3 and 4 together",
    base_lr=0.1,
    max_iter=20_000_000,
    batch=64,
    weight_decay=1e-4,
    stepsize=200_000,
    clip=0.01,
    notes=(
        "a tenth of the learning rate every 200,000 iterations; the released solver, which is stopped by hand",
        "the paper weighs the losses 1 / (M + 1) each, the released nets 1 each: as released",
    ),
)


def body(n, data, *, training, blocks=6, recursions=6, share=True):
    """MemNet, the same net for every factor.

    Parameters
    ----------
    n : NetSpec
    data : Top
        The bicubic image.
    training : network.Training or None
        None: a deploy net, without losses.
    blocks, recursions : int
        M memory blocks of R residual units, 1 to 99 each (layer names have two digits).
    share : bool
        Units of a block share their convolutions.

    Returns
    -------
    Top
        `HR_recovery`, the result, (N, 1, H, W).

    Raises
    ------
    NetError
        A number of blocks or recursions out of range.

    Notes
    -----
    Convolutions, with w = 64: 10 w in conv1; 2 (9 w^2 + w) a block, or a unit where they are not shared; a gate has
    w^2 (block + recursions) + w; 9 w + 1 in the shared reconstruction. 678,209 for M6R6 (677K in the paper),
    1,375,297 for M10R10. The released M6R6 has 2,893,889, with Scale layers and output weights 2,911,177.
    """
    for name, value in dict(blocks=blocks, recursions=recursions).items():
        if not isinstance(value, int) or not 1 <= value <= 99:
            raise NetError(f"{name}: got {value!r}, expected a whole number of 1 to 99 (layer names have two digits)")
    x = builders.conv(n, "conv1", builders.bn_relu(n, "conv1", data, "relu1"), WIDTH)
    memory, outputs = [x], []
    for m in range(1, blocks + 1):
        x = _memory_block(n, m, memory, recursions, share)
        memory.append(x)
        outputs.append(_output(n, m, x, data, training))
    builders.add(n, "HR_recovery", *outputs)
    if training:
        builders.euclidean(n, f"loss_{blocks + 1}", n["HR_recovery"], n.label, weight=1)
    return n["HR_recovery"]


def _title(blocks=6, recursions=6, **_):
    """The released files' name, which counts the convolutions on the longest way."""
    return f"MemNet_M{blocks}R{recursions}_{2 * blocks * (recursions + 1) - blocks + 2}C{WIDTH}"


def _memory_block(n, m, memory, recursions, share):
    """Block m: its recursive units, then the gate over the long-term (`memory`) and its short-term memory."""
    x, short_term = memory[-1], []
    for r in range(1, recursions + 1):
        inner = x
        for part in "ab":
            suffix = f"{m:02}_{r:02}_{part}"
            inner = builders.bn_relu(n, f"conv{suffix}", inner, f"relu{suffix}")
            shared = (f"conv{m:02}_w{part}", f"conv{m:02}_b{part}") if share else None
            inner = builders.conv(n, f"conv{suffix}", inner, WIDTH, shared=shared)
        x = builders.add(n, f"eltwise{m:02}_{r:02}", x, inner)
        short_term.append(x)
    n[f"concat{m:02}"] = L.Concat(*memory, *short_term, axis=1)
    gate = builders.bn_relu(n, f"conv_transition_{m:02}", n[f"concat{m:02}"], f"relu_transition_{m:02}")
    return builders.conv(n, f"conv_transition_{m:02}", gate, WIDTH, 1)


def _output(n, m, x, data, training):
    """Block m's own result, weighted for the sum of all; in training with a loss."""
    x = builders.bn_relu(n, f"conv_end_{m:02}", x, f"relu_end_{m:02}")
    x = builders.conv(n, f"conv_end_{m:02}", x, 1, shared=("Recon_w", "Recon_b"))
    x = builders.add(n, f"HR_recovery_{m:02}", data, x)
    if training:
        builders.euclidean(n, f"loss_{m:02}", x, n.label, weight=1)
    weight = f"weight_output_end_{m:02}"
    n[weight] = L.Scale(x, scale_param=dict(bias_term=False))
    return n[weight]


NETWORK = Network(
    "memnet",
    body,
    title=_title,
    side=144,
    recipe=RECIPE,
    variants={
        "m6r6": dict(blocks=6, recursions=6),
        "m6r6_released": dict(blocks=6, recursions=6, share=False),
        "m10r10": dict(blocks=10, recursions=10),
    },
    loss=None,
    folder="data/hdf5/memnet",
)
memnet = NETWORK.net
main = partial(command.write_net, NETWORK, __doc__)

if __name__ == "__main__":
    command.run(main)
