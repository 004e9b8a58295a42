"""What the ranks other than 0 do: read their pairs, compute their gradients, and whatever rank 0 says."""

import signal

from data_prep.held import Held
from tools.nets import caffe_files
from tools.training import beside_caffe, caffe_solver, databases, image_feed, orders, parallel, snapshots, stepping


def follow(run):
    """Do what rank 0 says until it says that it is over; gives the exit status (int).

    Parameters
    ----------
    run : Run
        As prepared on this rank.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # the launcher may send them to all: rank 0 decides
        signal.signal(number, signal.SIG_IGN)
    order, began = run.ranks.broadcast(), False
    while not isinstance(order, orders.End):
        if began:  # as rank 0 does: the stages before may have taken days
            run.databases |= databases.check(run.options.hdf5_dir, run.subject, [order.name])
        began = True
        order = _follow_stage(run, order)
    return order.status


def _follow_stage(run, begin):
    """Follow a stage that orders.Stage begins; gives the first order that is not of this stage."""
    settings, ranks = run.plan.settings[begin.name], run.ranks
    train, val = run.databases[run.subject.database(begin.name)], run.databases["val"]
    shards = [*train.shards, *val.shards]
    with caffe_files.Names() as names, Held(shards) as held, image_feed.closing():
        solver = caffe_solver.make_follower(settings, train, val, ranks, names)
        if begin.state:
            snapshots.restore_history(solver, begin.state)
            train.pass_over(solver.net, settings.batch, begin.iteration)
        stepper = stepping.Plain(solver)
        with parallel.averaged(solver, ranks, begin.uid), beside_caffe.done(settings, solver, run.subject):
            while True:
                order = ranks.broadcast()
                if isinstance(order, orders.Step):
                    train.check_held(held)
                    solver.param.base_lr = order.base_lr
                    stepping.averaged_losses(stepper.step(order.iterations), ranks)
                elif isinstance(order, orders.Compare):
                    ranks.gather(parallel.weights_digest(solver))
                else:
                    return order
