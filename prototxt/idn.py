"""The information distillation network (IDN), section 3 of the paper, as a Caffe net.

    python -m prototxt.idn --scale 3 --phase train -o train.prototxt
    python -m prototxt.idn --scale 3 --phase finetune
    python -m prototxt.idn --scale 3 --phase deploy

A net is FBlock (two 3x3 convolutions), DBlocks (an enhancement unit and a compression unit each) and RBlock
(a transposed convolution), figure 2. Layer names are those of the authors' release, because weights load by
name; the paper's symbols D1..D6, d and s are kept.

Where the paper and the authors' release differ, the released net is followed, or its weights would not load:
the paper puts the grouped convolutions in layers 2 and 4 of an enhancement unit, the release in 2 and 5.
"""

from functools import partial

from prototxt import builders, command
from prototxt.engine import caffe
from prototxt.engine import layers as L
from prototxt.engine import params as P
from prototxt.errors import NetError, check_counts
from prototxt.network import Network, Option
from prototxt.scales import SCALES, check_scale

BATCH = 64  # section 4.2
PAIRS = ("data", "label", "bic")
RBLOCK_KERNEL = 17  # section 4.2, for every scale


def idn(scale, phase="deploy", **options):
    """IDN for one scale factor.

    Parameters
    ----------
    scale : {2, 3, 4}
        Upscaling factor m.
    phase : {"train", "finetune", "deploy"}
        train: HDF5 data, mean absolute error (equation 5); finetune: the larger sub-images, mean squared
        error (equation 4); deploy: one LR image in, the residual image out.
    **options
        Of `body`, and of `network.Network.net`: loss ("l1" or "l2"), batch, source, test_source, input_shape.

    Returns
    -------
    NetParameter
        train, finetune: blobs `data` (N, 1, h, w) LR luma, `bic` and `label` (N, 1, H, W) with
        H = scale * (h - 1) + 1, all float32 in 0..1; `sum` the HR estimate; `loss` a scalar.
        deploy: `data` (1, 1, h, w) in, `upsample` (1, 1, H, W) out: the residual that is added to the bicubic
        image from index scale - 1 on (equation 3).

    Raises
    ------
    NetError
        A scale, phase, loss or width that makes no network; the text names the rule.
    """
    check_scale(scale)
    return NETWORK.net(phase, scale, **options)


def body(n, data, *, scale, blocks=4, D3=64, d=16, s=4, groups=4, slope=0.05):
    """FBlock, DBlocks and RBlock.

    Parameters
    ----------
    n : NetSpec
    data : Top
        The LR image, (N, 1, h, w).
    scale : {2, 3, 4}
    blocks : int
        Number of DBlocks, 1 to 9 (layer names carry one digit).
    D3, d, s : int
        Widths of an enhancement unit, equations 6, 7 and 9: D1 = D5 = D3 - d, D2 = D3 - 2d, D4 = D3,
        D6 = D3 + d; D3/s of the D3 maps are kept as short-path features.
    groups : int
        Groups of layers 2 and 5 of an enhancement unit.
    slope : float
        Negative slope of the leaky ReLU.

    Returns
    -------
    Top
        `upsample`, the residual.

    Raises
    ------
    NetError
        Widths that make no network.

    Notes
    -----
    With the defaults 552,769 parameters at every scale. Filler msra with variance_norm AVERAGE; learning rate
    of biases 0.1 times, of the RBlock 0.1 times, as in the release.
    """
    _check_widths(blocks, D3, d, s, groups, slope)
    # the sum of equation 11 wants width(B) + D3/s maps on one side and D6 = D3 + d on the other
    width = D3 + d - D3 // s
    # FBlock, equation 1
    b = conv_lrelu(n, "conv1", data, width, slope)
    b = conv_lrelu(n, "conv2", b, width, slope)
    # DBlocks, equation 2
    for k in range(1, blocks + 1):
        p = enhancement(n, k, b, D3, d, s, groups, slope)
        b = conv_lrelu(n, f"down{k}", p, width, slope, kernel=1)  # compression unit, equation 12
    # RBlock, equation 3
    n.upsample = rblock(b, scale)
    return n.upsample


def conv_lrelu(n, name, bottom, nout, slope, kernel=3, group=1):
    """Convolution that keeps the size, then the leaky ReLU that follows every one; gives the activated top."""
    n[name] = L.Convolution(
        bottom,
        num_output=nout,
        kernel_size=kernel,
        pad=kernel // 2,
        group=group,
        param=[dict(lr_mult=1), dict(lr_mult=0.1)],
        **_fillers(),
    )
    relu = name.replace("conv", "relu") if name.startswith("conv") else f"relu_{name}"
    n[relu] = L.ReLU(n[name], negative_slope=slope, in_place=True)
    return n[relu]


def enhancement(n, k, b, D3, d, s, groups, slope):
    """Enhancement unit k, equations 8 to 11: B_{k-1} in, P^k with D3 + d maps out."""
    layer = f"conv{k + 2}_{{}}".format
    # the above module: three convolutions, equation 8
    top = conv_lrelu(n, layer(1), b, D3 - d, slope)
    top = conv_lrelu(n, layer(2), top, D3 - 2 * d, slope, group=groups)
    top = conv_lrelu(n, layer(3), top, D3, slope)
    # D3/s maps are kept, the rest goes on, equations 9 and 10
    kept, rest = f"slice{k}_1", f"slice{k}_2"
    n[kept], n[rest] = L.Slice(top, ntop=2, name=f"slice{k}", axis=1, slice_point=D3 // s)
    n[f"concat{k}"] = L.Concat(b, n[kept], axis=1)
    # the below module
    top = conv_lrelu(n, layer(4), n[rest], D3, slope)
    top = conv_lrelu(n, layer(5), top, D3 - d, slope, group=groups)
    top = conv_lrelu(n, layer(6), top, D3 + d, slope)
    # local long-path features + (input, local short-path features), equation 11
    return builders.add(n, f"sum{k}", n[f"concat{k}"], top)


def rblock(bottom, scale):
    """Transposed convolution to one map of side scale * (n - 1) + 1, without activation."""
    return L.Deconvolution(
        bottom,
        param=[dict(lr_mult=0.1), dict(lr_mult=0.1)],
        convolution_param=dict(
            num_output=1, kernel_size=RBLOCK_KERNEL, pad=RBLOCK_KERNEL // 2, stride=scale, **_fillers()
        ),
    )


def _fillers():
    msra = dict(type="msra", variance_norm=P.Filler.AVERAGE)  # He et al., section 4.2
    return dict(weight_filler=msra, bias_filler=dict(type="constant", value=0))


def loss(n, residual, training):
    """The HR estimate `sum`, and layers from it and `label` to `loss`.

    l1 is the release's custom L1Loss from stock layers: sum of |sum - label| over everything, divided by
    the batch size, NOT a mean over pixels. With weight decay 1e-4 that matters: a per-pixel mean would decay
    43 * 43 times more strongly at x3. l2 is EuclideanLoss, the sum of squares over twice the batch size.

    Both stand behind all other layers; the two Reductions of l1, one a phase, have one name, which a NetSpec cannot
    hold.
    """
    builders.add(n, "sum", n.bic, residual)
    own = caffe.NetSpec()
    own["sum"], own.label = L.Input(ntop=2)
    if (training.loss or {"train": "l1", "finetune": "l2"}[training.phase]) == "l2":
        builders.euclidean(own, "loss", own["sum"], own.label)
        return list(own.to_proto().layer)[1:]
    builders.difference(own, "difference", own["sum"], own.label)
    layers = list(own.to_proto().layer)[1:]
    for phase, size in ((caffe.TRAIN, training.batch), (caffe.TEST, builders.TEST_BATCH)):
        layers.append(builders.mean_over_batch(phase, size))
    return layers


def _check_widths(blocks, D3, d, s, groups, slope):
    check_counts(blocks=blocks, D3=D3, d=d, s=s, groups=groups)
    if blocks > 9:
        raise NetError(f"blocks: got {blocks}, expected 1 to 9 (the layer names have one digit for the block)")
    if d >= D3:
        raise NetError(f"d: got {d} with D3 = {D3}, expected d < D3 (D1 = D3 - d maps, equation 6)")
    if 2 * d >= D3:
        raise NetError(f"d: got {d} with D3 = {D3}, expected 2d < D3 (D2 = D3 - 2d maps, equation 6)")
    if s < 2:
        raise NetError(f"s: got {s}, expected at least 2 (D3 - D3/s maps go on to the below module, equation 10)")
    if D3 % s:
        raise NetError(f"s: got {s}, expected a divisor of D3 = {D3} (D3/s maps are kept, equation 9)")
    widths = {"D1 = D3 - d": D3 - d, "D2 = D3 - 2d": D3 - 2 * d, "D4 = D3": D3, "D5 = D3 - d": D3 - d}
    for rule, width in widths.items():
        if width % groups:
            raise NetError(f"groups: got {groups}, expected a divisor of {rule} = {width} (layers 2 and 5)")
    if not 0 <= slope < 1:
        raise NetError(f"slope: got {slope}, expected 0 <= slope < 1 (leaky ReLU)")


NETWORK = Network(
    "idn",
    body,
    title=lambda phase, scale, **_: f"IDN_x{scale}_{phase}",
    side=32,
    scales=SCALES,
    phases=("train", "finetune", "deploy"),
    tops=lambda **_: PAIRS,
    loss=loss,
    batch=BATCH,
    folder="data/hdf5/x{scale}",
    shuffle=False,
    options={
        "blocks": Option(4, "number of DBlocks"),
        "D3": Option(64, "maps of layer 3 of a unit"),
        "d": Option(16, "difference of the widths, equation 6"),
        "s": Option(4, "1/s of the maps are kept, equation 9"),
        "groups": Option(4, "groups of layers 2 and 5"),
        "slope": Option(0.05, "of the leaky ReLU"),
    },
    losses=("l1", "l2"),
)
main = partial(command.write_net, NETWORK, __doc__)

if __name__ == "__main__":
    command.run(main)
