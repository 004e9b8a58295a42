"""Build a net in a process of its own, because Caffe ends the process on whatever is wrong with it.

    tools.nets.net_probe '[[24, 31]]' < net.binaryproto > upgraded.binaryproto

tools/nets/foreign_nets.py starts it, not the user. Standard input holds a NetParameter, standard output gets the net as
Caffe has it: its layers upgraded from older forms, filtered by the net's state, no weights. The argument lists sizes
(height, width) of the first input at which the net is run once, with all other axes as they are and a batch of 1.
What went wrong, and where, is on standard error: Caffe's log and lines that begin with "probe: ".
"""

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from tools.common import parent

STARTED = "probe: at "


def say(text):
    """One line for the process that reads our standard error."""
    print(f"\n{text}", file=sys.stderr, flush=True)


def run(net, size):
    """Run the net layer by layer at one size of its first input, naming each layer before Caffe may stop there."""
    blob = net.blobs[net.inputs[0]]
    say(f"{STARTED}input {size[0]}x{size[1]}")
    blob.reshape(1, *list(blob.shape)[1:-2], *size)
    for index, name in enumerate(net._layer_names):
        say(f"{STARTED}layer {name!r}, input {size[0]}x{size[1]}")
        net._forward(index, index)


def structure(net, caffe):
    """The net as Caffe has it (NetParameter), without its weights; names of layers with weights must differ."""
    from tools.nets import net_bytes  # see main

    message = caffe.proto.caffe_pb2.NetParameter.FromString(net_bytes.model_bytes(net))
    with_weights = [layer.name for layer in message.layer if layer.blobs]
    twice = sorted({name for name in with_weights if with_weights.count(name) > 1})
    if twice:
        say(f"probe: two layers with weights are called {twice[0]!r}, and Caffe finds weights by the layer's name")
        sys.exit(1)
    for layer in message.layer:
        del layer.blobs[:]
    return message


def main(sizes):
    """Build, run, write; ends with status 0 when all went well."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    result = os.dup(1)
    os.dup2(2, 1)  # what libraries and Python layers print must not get into the answer
    content = sys.stdin.buffer.read()
    from matlab_compat.pictures import memory  # only now: what these print must not get into the answer
    from prototxt.engine import caffe
    from tools.common import address_space
    from tools.nets import caffe_files

    message = caffe.proto.caffe_pb2.NetParameter.FromString(content)
    # half: the tool itself needs as much again, and more
    free = memory.available()
    address_space.limit((1 << 40 if free is None else free) // 2)
    with suppress(OSError):  # should the system run out of memory all the same, it shall end this process
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    say(f"{STARTED}the net")
    with caffe_files.Names() as names:
        net = caffe.Net(names.of_content(str(message).encode()), caffe.TEST, level=message.state.level)
    for size in sizes:
        run(net, size)
    with os.fdopen(result, "wb") as file:
        file.write(structure(net, caffe).SerializeToString())


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except MemoryError:
        sys.exit(parent.NO_MEMORY)
