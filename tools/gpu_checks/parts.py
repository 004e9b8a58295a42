"""The parts of tools/gpu_check.py, which runs each in a process of its own.

    tools.gpu_checks.parts forward 0 weights data       # part, GPU's number, folders of weights and images

Prints one line of JSON: "ok", figures, and "lines" of Markdown for the report. Images and pairs are random unless
said otherwise: neither time nor rounding depends on what they show.
"""

import contextlib
import json
import statistics
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

from data_prep.geometry import SCALES, geometry
from data_prep.images import list_images, read_image
from data_prep.weights import idn_weights
from prototxt import emit, idn, solver
from prototxt.engine import caffe
from tools.common import cli, memory, photographs, scratch
from tools.common.markdown import table
from tools.gpu.device import CPU, Device
from tools.methods import evaluation
from tools.nets import engines, runtime
from tools.ranks.alone import Alone
from tools.training import parallel, stepping

# float sums of some hundred terms in another order; the forward's difference was 2e-6 on an H100 (results/gpu)
FORWARD_LIMIT, GRADIENT_LIMIT = 1e-4, 1e-3
SHORT, LONG = 100, 500


def forward(number, weights_dir, _):
    """Largest difference of the outputs on 60x70 random images, at three scales, for a range of about 0..1."""
    rng = np.random.default_rng(0)
    found = {}
    for scale in SCALES:
        image = rng.random((60, 70), dtype=np.float32)
        path = idn_weights(weights_dir, scale)
        runtime.use_device(CPU)
        net = runtime.build_net(idn.idn(scale, "deploy"), path)
        on_cpu = runtime.forward(net, image)
        runtime.use_device(Device((number,)))
        other = runtime.build_net(idn.idn(scale, "deploy"))
        for name, blobs in net.params.items():
            for index, blob in enumerate(blobs):
                other.params[name][index].data[...] = blob.data
        found[scale] = {
            "difference": float(np.abs(runtime.forward(other, image) - on_cpu).max()),
            "largest_output": float(np.abs(on_cpu).max()),
            "weights": path.name if path else "random",
        }
    body = [
        [f"x{scale}", f["weights"], f"{f['difference']:.1e}", f"{f['largest_output']:.2f}"]
        for scale, f in found.items()
    ]
    lines = [table(["scale", "weights", "largest difference", "largest output"], body, text_columns=2)]
    ok = all(f["difference"] <= FORWARD_LIMIT * max(1, f["largest_output"]) for f in found.values())
    return {"ok": ok, "limit": FORWARD_LIMIT, "scales": found, "lines": lines}


@contextlib.contextmanager
def training_solver(scale=3, batch=idn.BATCH, loss="l1"):
    """A solver on a database of random pairs in a temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rng = np.random.default_rng(0)
        sizes = geometry(scale, "train")
        with h5py.File(folder / "pairs.h5", "w") as file:
            for key, side in zip(idn.PAIRS, (sizes.lr_size, sizes.hr_size, sizes.hr_size)):
                file[key] = rng.random((20 * batch, 1, side, side), dtype=np.float32)
        (folder / "pairs.txt").write_text(f"{folder / 'pairs.h5'}\n")
        source = str(folder / "pairs.txt")
        net = idn.idn(scale, "train", source=source, test_source=source, batch=batch, loss=loss)
        (folder / "net.prototxt").write_text(emit.text(net, "tools/gpu_check.py"))
        message = solver.stage_solver(
            scale, "train", net=str(folder / "net.prototxt"), iterations=10**6, snapshot_prefix=str(folder / "s"),
            snapshot=0, test_interval=10**9, display=0, seed=1,
        )  # fmt: skip
        message.test_initialization = False
        message.layer_wise_reduce = False
        (folder / "solver.prototxt").write_text(emit.text(message, "tools/gpu_check.py"))
        yield caffe.get_solver(str(folder / "solver.prototxt"))


def _gradients(device):
    """Gradients of one iteration: {(layer, index): ndarray}; the solver goes before the device is changed."""
    runtime.use_device(device)
    with training_solver() as made:
        made.net.forward()
        made.net.backward()
        return {(k, i): b.diff.copy() for k, blobs in made.net.params.items() for i, b in enumerate(blobs)}


def gradient(number, *_):
    """Largest difference of a parameter's gradient after one iteration, relative to the largest of its blob."""
    on_cpu, on_gpu = _gradients(CPU), _gradients(Device((number,)))
    worst = {key: float(np.abs(on_gpu[key] - g).max() / np.abs(g).max()) for key, g in on_cpu.items()}
    name = max(worst, key=worst.get)
    lines = [f"Largest relative difference of the {len(worst)} parameter blobs: {worst[name]:.1e} ({name[0]})."]
    return {"ok": worst[name] <= GRADIENT_LIMIT, "limit": GRADIENT_LIMIT, "largest": worst[name], "lines": lines}


def _weights_after(iterations, prepare):
    """Parameters after some iterations; `prepare` gives the function that runs them from a solver."""
    with training_solver() as made:
        run = prepare(made)
        losses = run(iterations)
        return losses, [b.data.copy() for blobs in made.net.params.values() for b in blobs]


def _same_training(number, prepare, what):
    runtime.use_device(Device((number,)))
    plain = _weights_after(20, lambda made: stepping.Plain(made).step)
    other = _weights_after(20, prepare)
    difference = max(float(np.abs(a - b).max()) for a, b in zip(plain[1], other[1]))
    lines = [f"Largest difference of a weight: {difference:.1e}; of a loss: "
             f"{max(abs(a - b) for a, b in zip(plain[0], other[0])):.1e}. {what}"]  # fmt: skip
    return {"ok": difference == 0, "largest": difference, "lines": lines}


def graphs(number, *_):
    """Whether training by CUDA graphs gives the bits of training without."""
    return _same_training(number, lambda made: stepping.Graphs(made).step, "Expected: none.")


def nccl(number, *_):
    """Whether Caffe's exchange of gradients, with nobody to exchange them with, leaves them alone."""
    if not caffe.has_nccl():
        return {"ok": True, "skipped": "this Caffe was built without NCCL"}
    kept = []

    def prepare(made):
        kept.append(parallel.connect(made, caffe.NCCL.new_uid()))
        return stepping.Plain(made).step

    parallel.join(Alone())
    return _same_training(number, prepare, "Expected: none.")


def _rate(step, iterations):
    began = time.perf_counter()
    step(iterations)
    return iterations / (time.perf_counter() - began)


def training(number, *_):
    """Iterations per second at x3, by CUDA graphs and one by one."""
    used = memory.GpuMemory(number)
    runtime.use_device(Device((number,)))
    with training_solver() as made:
        plain = stepping.Plain(made)
        plain.step(20)
        one_by_one = _rate(plain.step, SHORT)
        used.read()
    with training_solver() as made:
        crank = stepping.Graphs(made)
        crank.step(20)
        by_graphs = _rate(crank.step, LONG)
        losses = crank.step(20)
    body = [
        ["CUDA graphs", f"{by_graphs:.0f}", str(LONG)],
        ["every kernel launched on its own", f"{one_by_one:.0f}", str(SHORT)],
    ]
    lines = [
        table(["", "iterations/s", "iterations measured"], body, text_columns=1),
        "", f"Random pairs, cuDNN's algorithms chosen by timing; GPU memory of the process {used.held_mb} MB.",
    ]  # fmt: skip
    return {"ok": bool(np.isfinite(losses).all()), "graphs": by_graphs, "plain": one_by_one,
            "memory_mb": used.held_mb, "lines": lines}  # fmt: skip


def pytorch(number, *_):
    """The same training iteration and forward in PyTorch eager, float without TF32."""
    try:
        import torch  # optional, and slow to import

        from tools.peers.torch_net import TorchNet  # needs it
    except ImportError:
        return {"ok": True, "skipped": "PyTorch is not installed"}
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    runtime.use_device(CPU)
    message, sizes = idn.idn(3, "deploy"), geometry(3, "train")
    net = TorchNet(message, runtime.build_net(message)).to(f"cuda:{number}")
    rates, forwards = {}, {}
    for tuned in (False, True):
        torch.backends.cudnn.benchmark = tuned
        optimizer = torch.optim.Adam(net.parameters(), 1e-4, betas=(0.9, 0.999), weight_decay=1e-4)
        data = torch.rand(idn.BATCH, 1, sizes.lr_size, sizes.lr_size, device=f"cuda:{number}")
        label = torch.rand(idn.BATCH, 1, sizes.hr_size, sizes.hr_size, device=f"cuda:{number}")

        def step(iterations, optimizer=optimizer, data=data, label=label):
            for _ in range(iterations):
                optimizer.zero_grad()
                loss = (net({"data": data}, "upsample") - label).abs().sum() / idn.BATCH
                loss.backward()
                optimizer.step()
                loss.item()

        step(20)
        rates[tuned] = _rate(step, SHORT)
        image = torch.rand(1, 1, 85, 85, device=f"cuda:{number}")
        with torch.no_grad():
            forwards[tuned] = _median_ms(lambda image=image: net({"data": image}, "upsample").cpu(), 30)
    body = [["on" if t else "off", f"{rates[t]:.0f}", f"{forwards[t]:.2f}"] for t in rates]
    lines = [
        table(["cudnn.benchmark", "training iterations/s", "forward, 85x85, ms"], body, text_columns=1),
        "", f"PyTorch {torch.__version__}, without reading a database.",
    ]  # fmt: skip
    return {"ok": True, "version": torch.__version__, "training": rates[True], "training_untuned": rates[False],
            "forward_ms": forwards[True], "forward_untuned_ms": forwards[False], "lines": lines}  # fmt: skip


def _median_ms(work, repeats):
    for _ in range(5):
        work()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return 1e3 * statistics.median(seconds)


def _test_images(data_dir):
    """Names and Y (uint8) of Set5, or of scikit-image's photographs."""
    folder = Path(data_dir) / "Set5"
    if folder.is_dir():
        return "Set5", {path.name: evaluation.luma(read_image(path)) for path in list_images(folder)}
    shipped = {name: photographs.path(f"{name}.png") for name in ("astronaut", "coffee", "chelsea")}
    return "scikit-image's photographs", {name: evaluation.luma(read_image(path)) for name, path in shipped.items()}


def table4(number, weights_dir, data_dir):
    """Milliseconds of a forward for each image and scale: copies in and out included, median of 20."""
    runtime.use_device(Device((number,)))
    used = memory.GpuMemory(number)
    name, images = _test_images(data_dir)
    rows = {}
    for scale in SCALES:
        message = idn.idn(scale, "deploy")
        nets = {
            engine: engines.convert(runtime.build_net(message, idn_weights(weights_dir, scale)), message, engine)
            for engine in ("caffe", "cudagraph")
        }
        for image, luma in images.items():
            sample = evaluation.prepare(luma, scale, name=image)
            times = {
                engine: _median_ms(lambda net=net, lr=sample.lr: runtime.forward(net, lr), 20)
                for engine, net in nets.items()
            }
            rows.setdefault(scale, {})[image] = {"lr": list(sample.lr.shape), **times}
    used.read()
    lines = [
        f"{name}; milliseconds, copies to the GPU and back included, median of 20 after 5. The first forward at a new "
        "size takes some tens of milliseconds more.",
        "", forward_times(rows), "", f"GPU memory of the process at the end: {used.held_mb} MB.",
    ]  # fmt: skip
    return {"ok": True, "images": name, "rows": rows, "memory_mb": used.held_mb, "lines": lines}


def forward_times(rows):
    """Milliseconds of every image (dict of scale to dict of image to dict) and their means as a table."""
    body = []
    for scale, found in rows.items():
        sizes = {image: f"{row['lr'][1]}x{row['lr'][0]}" for image, row in found.items()}
        mean = {kind: statistics.mean(row[kind] for row in found.values()) for kind in ("caffe", "cudagraph")}
        for image, row in [*found.items(), ("mean", mean)]:
            times = [f"{row[kind]:.2f}" for kind in ("caffe", "cudagraph")]
            body.append([f"x{scale}", image, sizes.get(image, ""), *times])
    return table(["scale", "image", "LR", "launches one by one", "CUDA graph"], body, text_columns=3)


PARTS = {"forward": forward, "gradient": gradient, "graphs": graphs, "nccl": nccl, "training": training,
         "torch": pytorch, "time": table4}  # fmt: skip


def parser():
    """Command line of one part (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("part", choices=tuple(PARTS))
    p.add_argument("gpu", type=int)
    p.add_argument("weights_dir")
    p.add_argument("data_dir")
    return p


def main(argv=None):
    """Run one part and print its result; gives the exit status."""
    args = parser().parse_args(argv)
    with scratch.private():
        print(json.dumps(PARTS[args.part](args.gpu, args.weights_dir, args.data_dir)))
    return 0


if __name__ == "__main__":
    cli.run(main)
