"""The solvers of IDN's three stages: pretrain, train, finetune.

    python -m prototxt.solver --scale 3 --stage train -o solver.prototxt
    python -m prototxt.solver --scale 3 --stage finetune --beta1 0.9

Stages (paper, section 4.2): pre-train 1e5 iterations to initialise, train with MAE, fine-tune with MSE on
larger sub-images at a tenth of the learning rate. The released solver runs 600,000 iterations; for the
fine-tuning the authors name about 20,000.
"""

from prototxt import command, emit
from prototxt.engine import caffe
from prototxt.errors import NetError
from prototxt.scales import SCALES, check_scale

# iterations: paper for pretrain, released solver for train, the authors' answer to users for finetune
ITERATIONS = {"pretrain": 100_000, "train": 600_000, "finetune": 20_000}
STAGES = tuple(ITERATIONS)  # in the order of training
BASE_LR = {"pretrain": 1e-4, "train": 1e-4, "finetune": 1e-5}
# which net of prototxt/idn.py a stage trains: pre-training is training, from random weights
PHASE_OF_STAGE = {"pretrain": "train", "train": "train", "finetune": "finetune"}
# validation pairs / batch of 2: Set5 cut to 534, 462, 252 whole pairs
TEST_ITERATIONS = {2: 267, 3: 231, 4: 126}


def stage_solver(
    scale,
    stage,
    *,
    beta1=0.0,
    iterations=None,
    base_lr=None,
    stepsize=250_000,
    falls=None,
    factor=0.1,
    net=None,
    snapshot_prefix=None,
    snapshot=20_000,
    test_interval=5_000,
    display=100,
    seed=None,
):
    """Solver of one stage.

    Parameters
    ----------
    scale : {2, 3, 4}
    stage : {"pretrain", "train", "finetune"}
    beta1 : float
        Adam's first-moment decay, Caffe's `momentum`. 0: the released solver does not set it, so the
        published weights were trained with 0. 0.9: Adam's usual value. The paper gives none.
    iterations, base_lr : optional
        Default: the stage's.
    stepsize : int
        Iterations after which the learning rate falls to a tenth, again and again.
    falls : sequence of int, optional
        Instead of `stepsize`: the iterations at which the rate is multiplied by `factor`; empty: it stays.
    factor : float
        Of `falls`.
    net, snapshot_prefix : str, optional
        Default: the committed net and runs/x<scale>/<stage>, relative to the checkout.
    snapshot, test_interval, display : int
        Iterations between snapshots, validations, log lines.
    seed : int, optional
        Seed of the fillers; default: the clock, as the authors ran.

    Returns
    -------
    SolverParameter

    Raises
    ------
    NetError
        Unknown scale or stage, or a value out of range.
    """
    check_scale(scale)
    if stage not in ITERATIONS:
        raise NetError(f"stage: got {stage!r}, expected one of {', '.join(ITERATIONS)}")
    if not 0 <= beta1 < 1:
        raise NetError(f"beta1: got {beta1}, expected 0 <= beta1 < 1")
    iterations = ITERATIONS[stage] if iterations is None else iterations
    if iterations < 1:
        raise NetError(f"iterations: got {iterations}, expected at least 1")

    s = caffe.proto.caffe_pb2.SolverParameter()
    s.net = net or f"prototxt/generated/idn_x{scale}_{PHASE_OF_STAGE[stage]}.prototxt"
    s.test_iter.append(TEST_ITERATIONS[scale])
    s.test_interval = test_interval
    s.type = "Adam"
    s.base_lr = BASE_LR[stage] if base_lr is None else base_lr
    if falls is None:
        s.lr_policy = "step"
        s.gamma = 0.1
        s.stepsize = stepsize  # with the default only `train` lasts that long
    elif falls:
        s.lr_policy = "multistep"
        s.gamma = factor
        s.stepvalue.extend(falls)
    else:
        s.lr_policy = "fixed"
    s.max_iter = iterations
    s.momentum = beta1
    s.momentum2 = 0.999
    s.delta = 1e-8
    s.weight_decay = 1e-4
    s.regularization_type = "L2"
    s.display = display
    s.snapshot = snapshot
    s.snapshot_prefix = snapshot_prefix or f"runs/x{scale}/{stage}"
    if seed is not None:
        s.random_seed = seed
    return s


def notes(param):
    """Reasons of a stage's solver (SolverParameter) that its file carries: list of str."""
    beta1 = "as the release ran, which does not set it" if param.momentum == 0 else "not the release's 0"
    return [
        f"momentum is Adam's beta1: {param.momentum:g}, {beta1}; the paper gives none",
        "base_lr, weight_decay: paper, section 4.2; stepsize, test_interval, snapshot: the released solver",
    ]


def files():
    """Every generated solver of IDN: {file name: text}."""
    made = {}
    for scale in SCALES:
        for stage in ITERATIONS:
            message = stage_solver(scale, stage)
            made_by = f"prototxt/solver.py --scale {scale} --stage {stage}"
            made[f"idn_x{scale}_{stage}_solver.prototxt"] = emit.text(message, made_by, notes(message))
    return made


def main(argv=None):
    """Write one solver as prototxt; raises NetError."""
    p = command.Parser(prog="python -m prototxt.solver", description=__doc__.split("\n", 1)[0])
    p.add_argument("--scale", type=int, required=True, choices=SCALES)
    p.add_argument("--stage", choices=ITERATIONS, default="train", help="default: train")
    p.add_argument("--beta1", type=float, default=0.0, help="0 as the release ran (default), or 0.9")
    p.add_argument("--iterations", type=int, help="default: the stage's")
    p.add_argument("--net", help="default: the committed train or finetune net")
    p.add_argument("--snapshot-prefix", help="default: runs/x<scale>/<stage>")
    p.add_argument("-o", "--output", metavar="FILE", help="default: standard output")
    args = p.parse_args(argv)
    options = dict(
        beta1=args.beta1, iterations=args.iterations, net=args.net, snapshot_prefix=args.snapshot_prefix
    )
    changed = "".join(
        f" --{k.replace('_', '-')} {v}" for k, v in options.items() if v != p.get_default(k)
    )
    made_by = f"prototxt/solver.py --scale {args.scale} --stage {args.stage}{changed}"
    message = stage_solver(args.scale, args.stage, **options)
    emit.write(emit.text(message, made_by, notes(message)), args.output)


if __name__ == "__main__":
    command.run(main)
