"""What Caffe makes of a net, in a process of its own, because the CPU engine is chosen when Caffe is imported.

    worker.py NET.prototxt FOLDER

FOLDER/batches.npz holds data (batches, N, C, H, W) and label (batches, N). Written there: result.npz with the initial
weights, one forward and backward pass, the losses of ITERATIONS iterations, the weights after them, the same after a
restart from the snapshot in their middle, and what the TEST phase then makes of the first batch; final.caffemodel.
"""

import sys
from pathlib import Path

import caffe
import numpy as np

ITERATIONS = 50
SOLVER = """
net: "{net}" type: "SGD" base_lr: 0.01 momentum: 0.9 weight_decay: 0.005 lr_policy: "fixed" random_seed: 7
max_iter: 100 snapshot_prefix: "{folder}/classic"
"""


def weights(net):
    return {f"{name}/{k}": blob.data.copy() for name, blobs in net.params.items() for k, blob in enumerate(blobs)}


def prefixed(prefix, arrays):
    return {f"{prefix}:{name}": array for name, array in arrays.items()}


def one_pass(net, batches):
    feed(net, batches, 0)
    net.forward()
    net.backward()
    gradients = {f"{name}/{k}": blob.diff.copy() for name, blobs in net.params.items() for k, blob in enumerate(blobs)}
    blobs = {name: blob.data.copy() for name, blob in net.blobs.items()}
    return {**prefixed("blob", blobs), **prefixed("gradient", gradients), "of_data": net.blobs["data"].diff.copy()}


def feed(net, batches, iteration):
    k = iteration % len(batches["data"])
    for name in net.inputs:
        net.blobs[name].data[...] = batches[name][k]


def train(solver, batches, end):
    losses = []
    while solver.iter < end:
        feed(solver.net, batches, solver.iter)
        solver.step(1)
        losses.append(float(solver.net.blobs["loss"].data))
    return losses


def main(net, folder):
    batches = np.load(folder / "batches.npz")
    path = folder / "solver.prototxt"
    path.write_text(SOLVER.format(net=net, folder=folder))
    solver = caffe.get_solver(str(path))
    result = prefixed("initial", weights(solver.net))
    solver.net.save(str(folder / "initial.caffemodel"))
    result.update(one_pass(caffe.Net(str(net), caffe.TRAIN, weights=str(folder / "initial.caffemodel")), batches))

    losses = train(solver, batches, ITERATIONS // 2)
    solver.snapshot()
    losses += train(solver, batches, ITERATIONS)
    result.update(losses=losses, **prefixed("final", weights(solver.net)))

    again = caffe.get_solver(str(path))
    again.restore(str(folder / f"classic_iter_{ITERATIONS // 2}.solverstate"))
    train(again, batches, ITERATIONS)
    result.update(prefixed("restored", weights(again.net)))

    solver.net.save(str(folder / "final.caffemodel"))
    test = caffe.Net(str(net), caffe.TEST, weights=str(folder / "final.caffemodel"))
    feed(test, batches, 0)
    result["prob"] = test.forward()["prob"]
    np.savez(folder / "result.npz", **result)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
