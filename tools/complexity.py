#!/usr/bin/env python3
"""Parameters and multiply-accumulates of every method, counted in the nets that Caffe builds.

    tools/complexity.py                                    # all methods, for a 1280x720 result
    tools/complexity.py --methods IDN VDSR --scales 3 --size 512 512
    tools/complexity.py --out results/complexity           # complexity.json and complexity.md
    tools/complexity.py prototxt/generated/vdsr_deploy.prototxt   # one deploy net: counts and cost of an input pixel

A convolution costs kernel^2 x maps in x maps out / groups for each output pixel, a transposed one for each input
pixel. Biases, activations, BatchNorm, Scale and sums are not counted as multiply-accumulates. Arrays that layers
share count once as parameters, their work each time.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import json
import sys
from pathlib import Path

from data_prep.files import write_text
from tools import cli, provenance, tables
from tools.methods import METHODS

LEARNT = ("Convolution", "Deconvolution", "PReLU")
# the counts do not depend on it; more than any overlap of borders needs
SIDE = 16


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    nets = [name for name, method in METHODS.items() if method.network]
    p.add_argument("prototxt", nargs="*", type=Path, metavar="DEPLOY.prototxt", help="nets instead of methods")
    p.add_argument("--methods", nargs="+", choices=nets, default=nets, metavar="NAME", help=f"of {', '.join(nets)}")
    p.add_argument("--scales", nargs="+", type=int, choices=cli.SCALES, default=list(cli.SCALES))
    p.add_argument("--size", nargs=2, type=_side, default=[1280, 720], metavar=("W", "H"), help="default: 1280 720")
    p.add_argument("--out", type=Path, metavar="DIR", help="write complexity.json and complexity.md there")
    return p


def _side(text):
    if not text.isdigit() or int(text) == 0:
        raise ValueError
    return int(text)


_side.__name__ = "number of pixels"  # argparse puts it into its message


def count(message):
    """Count one net.

    Parameters
    ----------
    message : NetParameter
        A deploy net with an input blob `data`.

    Returns
    -------
    dict
        parameters (convolutions, transposed convolutions, PReLUs), scale_parameters (Scale layers: what BatchNorm
        nets learn besides), macs (of an input pixel), layers (convolutions and transposed ones).
    """
    from tools import caffe_runtime  # here: --help must not need Caffe

    net = caffe_runtime.build_net(message)
    kinds = {layer.name: layer for layer in message.layer}
    seen, sums = set(), {"Scale": 0, "learnt": 0}
    for name, blobs in net.params.items():
        kind = "learnt" if kinds[name].type in LEARNT else kinds[name].type
        for blob in blobs:
            address = blob.data.__array_interface__["data"][0]
            if address not in seen:
                seen.add(address)
                sums[kind] = sums.get(kind, 0) + blob.data.size
    work = [_macs(net, layer) for layer in message.layer if layer.type in ("Convolution", "Deconvolution")]
    pixels = net.blobs["data"].data.shape[2] * net.blobs["data"].data.shape[3]
    return {
        "parameters": sums["learnt"],
        "scale_parameters": sums["Scale"],
        "macs": sum(work) / pixels,
        "layers": len(work),
    }


def _macs(net, layer):
    """Multiply-accumulates of one layer at the net's present size; its weights' size is what a pixel costs."""
    side = layer.top[0] if layer.type == "Convolution" else layer.bottom[0]
    height, width = net.blobs[side].data.shape[2:]
    return net.params[layer.name][0].data.size * height * width


def rows(methods, scales, size):
    """Counts of methods (list of dict with method, scale, gmac, parameters, ...) for a result of `size` (W, H)."""
    made = []
    for name in methods:
        for scale in scales:
            message = METHODS[name].build(scale)
            message.layer[0].input_param.shape[0].dim[2:] = [SIDE, SIDE]
            counted = count(message)
            pixels = size[0] * size[1] / (1 if METHODS[name].enlarges_first else scale**2)
            gmac = counted.pop("macs") * pixels / 1e9
            made.append({"method": name, "scale": scale, "gmac": gmac, **counted})
    return made


def table(made):
    """Markdown table of `rows`; nets that are the same at every scale still get a line for each."""
    head = ["Method", "Scale", "layers", "parameters", "of Scale layers", "GMAC"]
    body = [
        [r["method"], f"x{r['scale']}", str(r["layers"]), f"{r['parameters']:,}", f"{r['scale_parameters']:,}",
         f"{r['gmac']:,.2f}"]
        for r in made
    ]  # fmt: skip
    return tables.markdown(head, body, text_columns=2)


def read_prototxt(path):
    """The NetParameter of a prototxt file; raises UserError when it is none, or no deploy net."""
    from google.protobuf import text_format

    from prototxt.engine import caffe

    if not path.is_file():
        raise cli.UserError(f"{path}: no such file, expected a deploy prototxt")
    try:
        message = text_format.Parse(path.read_text(encoding="utf-8"), caffe.proto.caffe_pb2.NetParameter())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise cli.UserError(f"{path}: not a net that Caffe can read ({error}); expected a deploy prototxt") from None
    if not any(layer.type == "Input" and "data" in layer.top for layer in message.layer):
        raise cli.UserError(f"{path}: has no input `data`; expected a deploy net, such as those in prototxt/generated")
    return message


def main(argv=None):
    """Count, print, write; gives the exit status."""
    args = parser().parse_args(argv)
    if args.prototxt:
        for path in args.prototxt:
            c = count(read_prototxt(path))
            print(
                f"{path}: {c['layers']} layers, {c['parameters']:,} parameters, {c['scale_parameters']:,} of Scale "
                f"layers, {c['macs']:,.0f} multiply-accumulates an input pixel"
            )
        return 0
    made = rows(dict.fromkeys(args.methods), dict.fromkeys(args.scales), args.size)
    print(table(made))
    if args.out:
        command = provenance.command("tools/complexity.py", sys.argv[1:] if argv is None else list(argv))
        report = {"command": command, "size": args.size, "rows": made}
        title = f"# Parameters and multiply-accumulates for a {args.size[0]}x{args.size[1]} result"
        write_text(args.out / "complexity.json", json.dumps(report, indent=1) + "\n")
        write_text(args.out / "complexity.md", f"{title}\n\n`{command}`\n\n{table(made)}\n")
    return 0


if __name__ == "__main__":
    cli.run(main)
