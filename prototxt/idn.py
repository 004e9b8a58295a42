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

from prototxt import builders, emit
from prototxt.engine import caffe
from prototxt.errors import NetError

L, P = caffe.layers, caffe.params

PHASES = ("train", "finetune", "deploy")
BATCH = 64  # section 4.2
# the release's; the validation sets of 534, 462 and 252 pairs are whole batches of it
TEST_BATCH = 2
PAIRS = ("data", "label", "bic")
RBLOCK_KERNEL = 17  # section 4.2, for every scale


def idn(
    scale,
    phase="deploy",
    *,
    blocks=4,
    D3=64,
    d=16,
    s=4,
    groups=4,
    slope=0.05,
    loss=None,
    source=None,
    test_source=None,
    batch=BATCH,
    input_shape=None,
):
    """IDN for one scale factor.

    Parameters
    ----------
    scale : {2, 3, 4}
        Upscaling factor m.
    phase : {"train", "finetune", "deploy"}
        train: HDF5 data, mean absolute error (equation 5); finetune: the larger sub-images, mean squared
        error (equation 4); deploy: one LR image in, the residual image out.
    blocks : int
        Number of DBlocks, 1 to 9 (layer names carry one digit).
    D3, d, s : int
        Widths of an enhancement unit, equations 6, 7 and 9: D1 = D5 = D3 - d, D2 = D3 - 2d, D4 = D3,
        D6 = D3 + d; D3/s of the D3 maps are kept as short-path features.
    groups : int
        Groups of layers 2 and 5 of an enhancement unit.
    slope : float
        Negative slope of the leaky ReLU.
    loss : {"l1", "l2"}, optional
        Default: l1 for train, l2 for finetune.
    source, test_source : str, optional
        The text files that list the HDF5 files, as Caffe's HDF5Data wants them. Default: where
        `make data` writes them, relative to the checkout.
    batch : int
        Training pairs in an iteration.
    input_shape : (int, int), optional
        Height and width of the deploy net's input in LR pixels; default the training sub-image's. A deployed
        net is reshaped for each image.

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

    Notes
    -----
    With the defaults 552,769 parameters at every scale. Filler msra with variance_norm AVERAGE; learning rate
    of biases 0.1 times, of the RBlock 0.1 times, as in the release.
    """
    emit.check_scale(scale)
    _check_widths(blocks, D3, d, s, groups, slope)
    if phase not in PHASES:
        raise NetError(f"phase: got {phase!r}, expected one of {', '.join(PHASES)}")
    # the sum of equation 11 wants width(B) + D3/s maps on one side and D6 = D3 + d on the other
    width = D3 + d - D3 // s

    n = caffe.NetSpec()
    if phase == "deploy":
        builders.deploy_input(n, input_shape or (32, 32))
    else:
        stage_source = source or f"data/hdf5/x{scale}/{phase}.txt"
        builders.hdf5(n, stage_source, batch, tops=PAIRS)

    # FBlock, equation 1
    b = conv_lrelu(n, "conv1", n.data, width, slope)
    b = conv_lrelu(n, "conv2", b, width, slope)
    # DBlocks, equation 2
    for k in range(1, blocks + 1):
        p = enhancement(n, k, b, D3, d, s, groups, slope)
        b = conv_lrelu(n, f"down{k}", p, width, slope, kernel=1)  # compression unit, equation 12
    # RBlock, equation 3
    n.upsample = rblock(b, scale)
    if phase == "deploy":
        return builders.named(n.to_proto(), f"IDN_x{scale}_deploy")

    builders.add(n, "sum", n.bic, n.upsample)
    net = builders.with_test_data(n.to_proto(), test_source or f"data/hdf5/x{scale}/val.txt", PAIRS, TEST_BATCH)
    net.layer.extend(_loss_layers(loss or {"train": "l1", "finetune": "l2"}[phase], batch))
    return builders.named(net, f"IDN_x{scale}_{phase}")


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


def _loss_layers(loss, batch):
    """Layers from `sum` and `label` to `loss`.

    l1 is the release's custom L1Loss from stock layers: sum of |sum - label| over everything, divided by
    the batch size, NOT a mean over pixels. With weight decay 1e-4 that matters: a per-pixel mean would decay
    43 * 43 times more strongly at x3. l2 is EuclideanLoss, the sum of squares over twice the batch size.
    """
    n = caffe.NetSpec()
    n["sum"], n.label = L.Input(ntop=2)
    if loss == "l2":
        builders.euclidean(n, "loss", n["sum"], n.label)
        return list(n.to_proto().layer)[1:]
    if loss != "l1":
        raise NetError(f"loss: got {loss!r}, expected l1 or l2")
    builders.difference(n, "difference", n["sum"], n.label)
    layers = list(n.to_proto().layer)[1:]
    for phase, size in ((caffe.TRAIN, batch), (caffe.TEST, TEST_BATCH)):
        layers.append(builders.mean_over_batch(phase, size))
    return layers


def _check_widths(blocks, D3, d, s, groups, slope):
    for name, value in dict(blocks=blocks, D3=D3, d=d, s=s, groups=groups).items():
        if not isinstance(value, int) or value < 1:
            raise NetError(f"{name}: got {value!r}, expected a whole number of at least 1")
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


def parser():
    """Command line of this generator (argparse.ArgumentParser)."""
    p = emit.Parser(prog="python -m prototxt.idn", description=__doc__.split("\n", 1)[0])
    p.add_argument("--scale", type=int, required=True, choices=emit.SCALES)
    p.add_argument("--phase", choices=PHASES, default="deploy", help="default: deploy")
    p.add_argument("--blocks", type=int, default=4, help="number of DBlocks (default: 4)")
    p.add_argument("--D3", "--d3", dest="D3", type=int, default=64, help="maps of layer 3 of a unit (default: 64)")
    p.add_argument("--d", type=int, default=16, help="difference of the widths, equation 6 (default: 16)")
    p.add_argument("--s", type=int, default=4, help="1/s of the maps are kept, equation 9 (default: 4)")
    p.add_argument("--groups", type=int, default=4, help="groups of layers 2 and 5 (default: 4)")
    p.add_argument("--slope", type=float, default=0.05, help="of the leaky ReLU (default: 0.05)")
    p.add_argument("--loss", choices=("l1", "l2"), help="default: l1 for train, l2 for finetune")
    p.add_argument("--batch", type=int, default=BATCH, help="training pairs in an iteration (default: 64)")
    p.add_argument("--source", help="list of the training HDF5 files (default: where `make data` puts it)")
    p.add_argument("--test-source", help="list of the validation HDF5 files (default: likewise)")
    p.add_argument("-o", "--output", metavar="FILE", help="default: standard output")
    return p


def main(argv=None):
    """Write one net as prototxt; returns nothing, raises NetError."""
    args = parser().parse_args(argv)
    options = {k: v for k, v in vars(args).items() if k not in ("scale", "phase", "output")}
    changed = "".join(
        f" --{k.replace('_', '-')} {v}" for k, v in options.items() if v != parser().get_default(k)
    )
    made_by = f"prototxt/idn.py --scale {args.scale} --phase {args.phase}{changed}"
    emit.write(emit.text(idn(args.scale, args.phase, **options), made_by), args.output)


if __name__ == "__main__":
    emit.run(main)
