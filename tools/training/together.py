"""A run on all its ranks: they prepare, agree on what they have before them, and train."""

from dataclasses import asdict

from tools.common import build, provenance
from tools.gpu import smi
from tools.ranks import agreement
from tools.training import follower, orders
from tools.training.run import Run


def train(ranks, read_options, command):
    """Run the stages that are asked for and not finished; gives the exit status (int).

    Parameters
    ----------
    ranks : Alone
        Entered.
    read_options : callable () -> argparse.Namespace
        Of tools/train.py.
    command : str
        As the user typed it, for the summary.

    Raises
    ------
    UserError, DataError
        A rank cannot begin or go on, or the ranks have different things before them.
    """
    run = agreement.prepared(ranks, lambda: Run(read_options(), ranks), facts)
    if ranks.rank:
        return follower.follow(run)
    status = run.train(command)
    ranks.broadcast(orders.End(status))
    return status


def facts(run):
    """What decides this rank's part of the result (agreement.Facts).

    A database is known by what its shards say of themselves and by their sizes; the pairs themselves are not read.
    """
    same = {f"the version of {name}": str(value) for name, value in provenance.versions().items()}
    same["Caffe"] = f"{provenance.caffe_version()}, {build.described()}"
    device, options = run.placement.device, run.options
    same["the device"] = "a GPU" if device.on_gpu else "the CPU"
    if device.on_gpu:
        same |= {f"--{name}": str(getattr(options, name)) for name in ("tf32", "deterministic", "autotune")}
    for stage, settings in run.plan.settings.items():
        same |= {f"{stage}: {name}": str(value) for name, value in asdict(settings).items()}
    same |= {f"the database {name}": one.described() for name, one in run.databases.items()}
    uuid = smi.uuid(device.number) if device.on_gpu else None
    return agreement.Facts(same, {"GPU": uuid} if uuid else {})
