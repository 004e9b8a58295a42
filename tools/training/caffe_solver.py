"""The net and the solver of a stage: written into its folder as prototxt, then made by Caffe."""

from data_prep.files import write_text
from prototxt import emit, solver
from prototxt import recipe as recipes
from prototxt.engine import caffe
from tools.nets import caffe_files
from tools.training import parallel, snapshots
from tools.training import subject as subjects
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
    ranks : Alone
        Processes that share each batch; this is the first.
    names : caffe_files.Names
        Open as long as the solver is used.

    Returns
    -------
    caffe solver
    """
    parallel.join(ranks)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / NET, _net_text(settings, train, val, ranks, names))
    snapshots.part_folder(folder)
    write_solver(settings, folder, names, ranks.size)
    return caffe.get_solver(caffe_files.caffe_name(folder / SOLVER))


def make_follower(settings, train, val, ranks, names):
    """Make the solver of a stage on a rank other than 0, which writes nothing; parameters as of `make`."""
    parallel.join(ranks)
    net = names.of_content(_net_text(settings, train, val, ranks, names).encode("utf-8"))
    message = _message(settings, net, snapshots.PART)
    message.layer_wise_reduce = False
    return caffe.get_solver(names.of_content(emit.text(message, "tools/train.py").encode("utf-8")))


def _net_text(settings, train, val, ranks, names):
    """The train net (str) of a rank, with its share of the batch."""
    net = subjects.of_settings(settings).train_net(
        settings.stage, train.name_for_caffe(names), val.name_for_caffe(names), settings.batch // ranks.size
    )
    return emit.text(net, "tools/train.py")


def write_solver(settings, folder, names, ranks=1):
    """Write the solver of a stage into its folder; parameters as of `make`, but `ranks` is their number (int).

    One whose length the time decides has a fixed rate and no end in sight, which pace.Timed sees to; when it is over,
    it is written once more with what has come out.
    """
    message = _message(settings, names.of(folder / NET), names.of(folder / snapshots.PART))
    if ranks > 1:
        message.layer_wise_reduce = False  # one exchange of all gradients: they are few
    write_text(folder / SOLVER, emit.text(message, "tools/train.py"))


def _message(settings, net, snapshot_folder):
    """SolverParameter; Caffe itself neither tests, nor snapshots, nor displays."""
    prefix = f"{snapshot_folder}/{subjects.of_settings(settings).stem}"
    if settings.method:
        return _by_recipe(settings, net, prefix)
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
        snapshot_prefix=prefix,
        snapshot=0,
        test_interval=_NEVER,
        display=0,
        seed=settings.seed,
    )
    message.test_initialization = False
    return message


def _by_recipe(settings, net, prefix):
    """SolverParameter of a network with a Recipe: its weight decay, and all else from the settings.

    Clipping is not Caffe's; nor is a rate that follows the validation, the time, or that has a least value.
    """
    s = recipes.recipe_solver(subjects.of_settings(settings).recipe, net, prefix, snapshot=0, display=0)
    for name in ("clip_gradients", "gamma", "stepsize"):
        s.ClearField(name)
    s.type, s.momentum, s.base_lr = settings.type, settings.beta1, settings.base_lr
    s.max_iter, s.random_seed = settings.iterations or LARGEST, settings.seed
    s.test_iter.append(1)
    s.test_interval, s.test_initialization = _NEVER, False
    s.lr_policy = "fixed"
    if settings.plateau or settings.least_lr or settings.shares:
        return s
    if settings.stepsize:
        s.lr_policy, s.gamma, s.stepsize = "step", settings.fall_factor, settings.stepsize
    elif settings.falls:
        s.lr_policy, s.gamma = "multistep", settings.fall_factor
        s.stepvalue.extend(settings.falls)
    return s
