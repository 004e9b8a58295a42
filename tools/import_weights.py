#!/usr/bin/env python3
"""Turn MatConvNet weights (.mat) into a .caffemodel for our nets.

    tools/import_weights.py weights/vdsr/VDSR_Official.mat --network vdsr
    tools/import_weights.py LapSRN_x4.mat --network lapsrn --scale 4 -o weights/lapsrn/LapSRN_x4.caffemodel
    tools/import_weights.py x3.mat --network srcnn --variant 955

No array may be missing, left over, of another shape or not finite. The tool prints each array with its layer and both
shapes. tools/benchmark.py reads .mat files directly; this conversion is for other programs.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

from pathlib import Path

from prototxt.registry import NETWORKS
from tools.common import cli
from tools.common.errors import UserError
from tools.nets import matconvnet, net_bytes, runtime


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("mat", type=Path, metavar="FILE.mat", help="the authors' weights")
    p.add_argument("--network", required=True, choices=list(matconvnet.LAYOUTS), help="what the weights are for")
    p.add_argument("--scale", type=int, help="for a network that has scales: lapsrn 2, 4 or 8")
    p.add_argument("--variant", help="for a network that has several: srcnn 915 or 955")
    p.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: beside the .mat, with .caffemodel")
    return p


def target(mat, output=None):
    """The .caffemodel (Path) to write; raises UserError for a name that cannot be meant."""
    output = output or mat.with_suffix(".caffemodel")
    if output.suffix != ".caffemodel":
        raise UserError(f"-o {output}: expected a name that ends in .caffemodel")
    if output.is_dir():
        raise UserError(f"-o {output}: is a folder, expected the name of a file to write")
    return output


def main(argv=None):
    """Import one file, print what was mapped; gives the exit status."""
    args = parser().parse_args(argv)

    output = target(args.mat, args.output)
    message = NETWORKS[args.network].net("deploy", args.scale, args.variant)
    net = runtime.build_net(message)
    report = matconvnet.load_mat(net, args.mat, args.network)
    net_bytes.save_model(net, output)
    for layer, source, shape, ours in report:
        print(f"{layer}: {source} {shape} -> {ours}")
    print(f"{len(report)} arrays of {args.mat.name} written to {output}")
    return 0


if __name__ == "__main__":
    cli.run(main)
