#!/usr/bin/env python3
"""Write a deploy net and its weights as an ONNX model, checked against Caffe.

    tools/export_onnx.py prototxt/generated/idn_x3_deploy.prototxt weights/idn/IDN_x3.caffemodel idn_x3.onnx
    tools/export_onnx.py net.prototxt net.caffemodel net.onnx --output sum   # another blob than the last one
    tools/export_onnx.py net.prototxt net.caffemodel net.onnx --sizes 24 31 64 50   # sizes to check: H W H W

The model takes the net's input, `data` (batch, 1, height, width) in the nets of this project, any sizes, float32 in
0..1, and gives the blob of the same name as Caffe. It is run at several sizes in ONNX Runtime, and the file is written
only when the outputs agree with Caffe's to 1e-5. Nets in Caffe's older forms are upgraded as Caffe does, weights may be
in either of Caffe's formats. Needs the packages onnx and onnxruntime: .venv/bin/pip install '.[speed]'
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import sys
from pathlib import Path

import numpy as np

from data_prep.files import atomic_path
from tools.common import cli
from tools.common.errors import UserError
from tools.nets import engines, foreign_nets, onnx_graph, runtime, weight_files

TOLERANCE = 1e-5
LARGEST = 2**31 - 1  # bytes of a protobuf message
SIZES = [24, 31, 17, 40, 48, 48]
MOST = 2**20


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("prototxt", type=Path, metavar="DEPLOY.prototxt")
    p.add_argument("weights", type=Path, metavar="FILE.caffemodel")
    p.add_argument("onnx", type=Path, metavar="OUT.onnx")
    p.add_argument("--output", metavar="BLOB", help="blob that the model gives (default: the net's last output)")
    p.add_argument("--sizes", nargs="+", type=int, default=SIZES, metavar="N",
                   help=f"heights and widths to check, in turn (default: {' '.join(map(str, SIZES))})")  # fmt: skip
    foreign_nets.add_arguments(p)
    return p


def largest_difference(net, message, output, sizes):
    """Largest difference (float) between Caffe and ONNX Runtime over inputs of `sizes` (list of (H, W)).

    Relative to the largest value of Caffe's output where that is above 1, as in nets without trained weights.
    """
    other = engines.OnnxRuntime(net, message)
    blob = net.blobs[net.inputs[0]]
    worst, rng = 0.0, np.random.default_rng(0)
    for size in sizes:
        blob.reshape(1, blob.shape[1], *size)
        blob.data[...] = rng.random(tuple(blob.shape), dtype=np.float32)
        net.forward()
        expected = net.blobs[output].data
        if not expected.size:
            raise UserError(f"--sizes: {size[0]} {size[1]} leaves nothing of blob {output!r}; give larger ones")
        found = other.run(blob.data, output)
        if found.shape != expected.shape:
            raise UserError(f"input {size}: ONNX Runtime gives shape {found.shape}, Caffe {expected.shape}")
        worst = max(worst, float(np.abs(found - expected).max()) / max(1.0, float(np.abs(expected).max())))
    return worst


def check_arguments(args):
    """Pairs (list of (int, int)) of --sizes; raises UserError, before anything is read or run."""
    if len(args.sizes) % 2 or not all(1 <= size <= MOST for size in args.sizes):
        raise UserError(
            f"--sizes: got {' '.join(map(str, args.sizes))}, expected pairs of height and width from 1 to {MOST}"
        )
    if args.onnx.suffix != ".onnx":
        raise UserError(f"{args.onnx}: expected a name that ends in .onnx")
    if args.onnx.is_dir():
        raise UserError(f"{args.onnx}: is a folder, expected the name of a file to write")
    return list(zip(args.sizes[::2], args.sizes[1::2]))


def main(argv=None):
    """Translate, check, write; gives the exit status."""
    args = parser().parse_args(argv)
    sizes = check_arguments(args)
    engines.check_engine("onnxruntime")
    message = foreign_nets.read_with(args, args.prototxt, sizes)
    runtime.use_device()
    net = runtime.build_net(message, args.weights)
    output = args.output or net.outputs[-1]
    if output not in net.blobs:
        has = weight_files.listed(net.blobs, 8)
        raise UserError(f"--output {output}: {args.prototxt} has no such blob; it has {has}")
    model = onnx_graph.model(message, net, output)
    difference = largest_difference(net, message, output, sizes)
    if not difference <= TOLERANCE:
        raise UserError(
            f"{args.onnx}: not written, ONNX Runtime's output differs from Caffe's by {difference:.2g}, expected at "
            f"most {TOLERANCE:g}"
        )
    size = model.ByteSize()
    if size > LARGEST:
        raise UserError(f"{args.onnx}: not written, the model has {size:,} bytes and ONNX takes {LARGEST:,}")
    with atomic_path(args.onnx) as temporary:
        temporary.write_bytes(model.SerializeToString())
    said = f"{args.onnx}: {output}, {size / 1e6:.1f} MB, differs from Caffe by {difference:.1e} at {len(sizes)} sizes"
    print(said, file=sys.stderr)
    return 0


if __name__ == "__main__":
    cli.run(main)
