"""The net and the solver of a stage: written into its folder as prototxt, then made by Caffe."""

from data_prep.files import write_text
from prototxt import emit, idn, solver
from prototxt.engine import caffe
from tools.nets import caffe_files
from tools.training import parallel, snapshots
from tools.training.settings import LARGEST

NET, SOLVER = "net.prototxt", "solver.prototxt"
# Caffe refuses test_interval 0; this one it never reaches, because validation is ours
_NEVER = LARGEST


def make(settings, folder, train, val, ranks, names):
    """Make the solver of a stage, with random weights, and its folder.

    Parameters
    ----------
    settings : Settings
    folder : Path
        Of the stage.
    train, val : Database
    ranks : int
        Processes that share each batch.
    names : caffe_files.Names
        Open as long as the solver is used.

    Returns
    -------
    caffe solver
    """
    parallel.join(0, ranks)
    folder.mkdir(parents=True, exist_ok=True)
    net = idn.idn(
        settings.scale,
        solver.PHASE_OF_STAGE[settings.stage],
        source=train.name_for_caffe(names),
        test_source=val.name_for_caffe(names),
        batch=settings.batch // ranks,
    )
    write_text(folder / NET, emit.text(net, "tools/train.py"))
    snapshots.part_folder(folder)
    write_solver(settings, folder, names, ranks)
    return caffe.get_solver(caffe_files.caffe_name(folder / SOLVER))


def write_solver(settings, folder, names, ranks=1):
    """Write the solver of a stage into its folder; parameters as of `make`.

    One whose length the time decides has a fixed rate and no end in sight, which pace.Timed sees to; when it is over,
    it is written once more with what has come out.
    """
    message = _message(settings, names.of(folder / NET), names.of(folder / snapshots.PART))
    if ranks > 1:
        message.layer_wise_reduce = False  # one exchange of all gradients: they are few
    write_text(folder / SOLVER, emit.text(message, "tools/train.py"))


def _message(settings, net, snapshot_folder):
    """SolverParameter; Caffe itself neither tests, nor snapshots, nor displays."""
    if settings.stepsize is None:
        rates = dict(falls=settings.falls or (), factor=settings.fall_factor)
    else:
        rates = dict(stepsize=settings.stepsize)
    message = solver.stage_solver(
        settings.scale,
        settings.stage,
        beta1=settings.beta1,
        iterations=settings.iterations or LARGEST,
        base_lr=settings.base_lr,
        **rates,
        net=net,
        snapshot_prefix=f"{snapshot_folder}/{snapshots.NAME}",
        snapshot=0,
        test_interval=_NEVER,
        display=0,
        seed=settings.seed,
    )
    message.test_initialization = False
    return message
