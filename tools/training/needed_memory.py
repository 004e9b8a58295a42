"""Whether a training fits into memory, before anything of it is built: Caffe ends the process when it does not."""

from tools.common import free_memory
from tools.common.errors import UserError
from tools.nets import forward_memory, runtime

FLOAT = 4
LARGEST_BLOB = 2**31 - 1  # values
# weights, gradients, Adam's two moments and its work, the engine's copies, and the drawing of curves (measured)
FIXED = 80 << 20
# blobs of the size of label and bic in a training net: these, their sum and difference, the loss and its steps
LOSS_BLOBS = 20


def check(subject, stage, batch, database, val, samples, on_gpu=False, ranks=None):
    """Raise UserError unless one stage of a training fits into memory; the text says which batch does.

    Parameters
    ----------
    subject : Subject
        What is trained.
    stage : str
    batch : int
        Pairs in an iteration.
    database, val : databases.Database
        Training and validation pairs. Caffe holds the largest shard of either.
    samples : sequence of evaluation.Sample
        Validation images; none on ranks other than 0.
    on_gpu : bool
        The net's memory is the GPU's then, which has a check of its own; a blob's size is bounded there too.
    ranks : Alone, optional
        Those that share the batch, and this machine's memory.
    """
    size, here = (ranks.size, ranks.local_size) if ranks else (1, 1)
    pair, values = pair_bytes(subject, stage)
    share = batch // size
    name = f"batch: {batch:,} pairs of {stage} at x{subject.scale}"
    if share * values > LARGEST_BLOB:
        raise UserError(
            f"{name} make a blob of more than 2^31-1 values, which Caffe cannot count; expected at most "
            f"{size * (LARGEST_BLOB // values):,}, and as many as fit into memory"
        )
    shards = database.largest_bytes + val.largest_bytes
    besides = shards + (0 if on_gpu else FIXED + _validation_bytes(subject, samples))
    each = 0 if on_gpu else pair
    free, bound = free_memory.free()
    if here * (besides + share * each) <= free:
        return
    most = size * int((free / here - besides) // each) if each and here * besides < free else 0
    advice = f"give --batch {most} or less" if most else (
        "make smaller shards (tools/prepare_data.py --shard-mb)" if shards > besides // 2 else
        "free some, raise the limit, or give smaller validation images (--val-images)"
    )  # fmt: skip
    needed = f"{_mb(here * (besides + share * each))} MB ({_mb(here * shards)} of them for shards)"
    raise UserError(f"{name} take about {needed}, but only {_mb(free)} MB {bound} are free; {advice}")


def pair_bytes(subject, stage):
    """Memory that each pair of a batch takes in a training net (int, bytes), and values of its largest blob (int).

    Caffe keeps data and gradient of every blob; a layer that splits a blob shares its data. Held against measured
    trainings: within 3 % at x3.
    """
    sides = subject.cut(subject.database(stage)).sides
    side, largest = sides["data"], max(sides.values())
    net = runtime.build_net(subject.deploy_net((side, side)))
    counts = {name: blob.count for name, blob in net.blobs.items()}
    kinds = zip(net._layer_names, net.layers)
    shared = sum(counts[top] for name, layer in kinds if layer.type == "Split" for top in net.top_names[name])
    values = 2 * sum(counts.values()) - shared + LOSS_BLOBS * largest**2
    return FLOAT * values, max(*counts.values(), largest**2)


def _validation_bytes(subject, samples):
    """What the largest validation image, or a tile of it, takes in the deploy net."""
    if not samples:
        return 0
    message, method = subject.deploy_net(), subject.method
    a_pixel, besides = forward_memory.forward_bytes(runtime.build_net(message), message)
    pixels = max(method.take(sample).size for sample in samples)
    if method.tile:
        pixels = min(pixels, (method.tile[0] + 3 * method.tile[1]) ** 2)
    return int(a_pixel * pixels) + besides


def _mb(size):
    return f"{-(-size // 10**6):,}"
