"""One of the processes of a training on several GPUs; tools/train.py --gpu 0,1 starts it, not the user.

    tools.training.worker --solver runs/x3/train/solver.prototxt --gpu 1 --rank 1 ...
"""

from pathlib import Path

from tools.common import cli, ranges
from tools.gpu.device import Device
from tools.nets import runtime
from tools.training import parallel


def main(argv=None):
    """Run the worker; gives the exit status."""
    parser = cli.Parser(__doc__)
    parser.add_argument("--solver", type=Path, required=True, help="solver prototxt of the stage")
    parser.add_argument("--state", type=Path, help="the .solverstate to go on from")
    parser.add_argument("--gpu", type=Device.parse, required=True, help="number of the GPU")
    parser.add_argument("--rank", type=ranges.whole(1, 1024), required=True, help="1 to size - 1")
    parser.add_argument("--size", type=ranges.whole(2, 1024), required=True, help="number of processes")
    parser.add_argument("--seen", type=ranges.whole(0), required=True, help="iterations whose pairs are passed over")
    parser.add_argument("--iterations", type=ranges.whole(1), required=True, help="iterations to run")
    args = parser.parse_args(argv)
    runtime.use_device(args.gpu)
    parallel.work(args)
    return 0


if __name__ == "__main__":
    cli.run(main)
