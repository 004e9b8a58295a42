"""Nonsense on the command line and in the environment."""

import re
import subprocess
import sys
import time
from dataclasses import replace

from tools.fault_checks import drawing, judge
from tools.fault_checks.case import trial
from tools.fault_checks.material import FILL

NONSENSE = ("abc", "-1", "0", "nan", "inf", "-inf", "1e400", "99999999999999999999", "1.5", "", " ", "0x10", "1,2", ",",
            "\u00fc", "a" * 5000, "--", "*", "None", "2 3", "/dev/null/x", "\n")


def _tools(lab):
    """A small right command for each tool (dict of name to list)."""
    picture = lab.write("in.png", drawing.plain_png(drawing.Scene(lab.rng, 48, 51).rgb))
    data, out = lab.material.data(), lab.folder / "out"
    deploy = lab.checkout / "prototxt/generated/espcn_x2_deploy.prototxt"
    weights = lab.material.weights("espcn_x2_deploy")
    return {
        "upscale": [picture, "-o", out / "o.png", "--scale", 2, "--method", "Bicubic"],
        "prepare_data": ["--scale", 3, "--stage", "val", "--data-dir", data, "--out", out / "h", "--workers", 1],
        "train": [*lab.material.training(out / "run", "--stage", "pretrain", "--iters", 1)],
        "benchmark": ["--tables", 2, "--datasets", "Set5", "--scales", 3, "--methods", "Bicubic", "--data-dir", data,
                      "--weights-dir", out, "--out", out / "b"],
        "complexity": ["--methods", "ESPCN", "--scales", 2],
        "export_onnx": [deploy, weights, out / "o.onnx"],
        "import_weights": [lab.material.vdsr_mat(), "--network", "vdsr", "-o", out / "v.caffemodel"],
        "fetch": ["Set5", "--mirror", data, "--data-dir", out / "d", "--weights-dir", out / "w", "--retries", 0],
        "learning_log": [lab.checkout / "results/training/x3_h100", "-o", out / "c.png"],
        "html_report": ["--images", picture, "--out", out / "r.html", "--data-dir", data, "--weights-dir", out],
    }


@trial("nonsense-options")
def nonsense_options(lab):
    """Random values for random options of every tool"""
    tools = _tools(lab)
    options = {name: _options(lab, name) for name in tools}
    for number in range(lab.cases(20, 600)):
        name = list(tools)[number % len(tools)]
        option = str(lab.rng.choice(options[name]))
        value = str(lab.rng.choice(NONSENSE))
        words = [*tools[name], f"{option}={value}"] if lab.rng.random() < 0.8 else [*tools[name], option, value]
        run = lab.tool(name, *words)
        yield lab.result(f"{name} {option}={value[:20]!r}", judge.done_kept_or_refused(run), run)


def _options(lab, name):
    """The options (list of str) that a tool's help names, but for those that would write elsewhere or take long."""
    text = lab.tool(name, "--help").out
    return sorted(set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text)) - {"--help", "--resume"})


@trial("nonsense-arguments")
def nonsense_arguments(lab):
    """Arguments left out, doubled, in another order, unknown options, nothing at all"""
    tools = _tools(lab)
    for number in range(lab.cases(20, 300)):
        name = list(tools)[number % len(tools)]
        words, how = list(tools[name]), int(lab.rng.integers(0, 5))
        at = int(lab.rng.integers(0, len(words)))
        if how == 0:
            del words[at]
        elif how == 1:
            words.insert(at, words[at])
        elif how == 2:
            words.insert(at, "--nonsense")
        elif how == 3:
            words = []
            if name in ("complexity", "fetch", "benchmark", "html_report"):
                words = ["--"]  # without arguments these begin their whole work
                if name != "complexity":
                    words = ["--nonsense"]
        else:
            words[at] = str(lab.rng.choice(NONSENSE))
        if any(w == "--out" for w in tools[name]) and "--out" not in words:
            continue  # would write to the checkout's own folder
        run = lab.tool(name, *words)
        said = ("without argument", "argument doubled:", "unknown option before", "nothing at all", "nonsense for")[how]
        yield lab.result(f"{name}: {said} {at}", judge.done_kept_or_refused(run), run)


@trial("nonsense-environment")
def nonsense_environment(lab):
    """Odd values of variables that tools and their libraries read"""
    tools = _tools(lab)
    fixed = [
        ("OPENCV_IO_MAX_IMAGE_PIXELS", "abc"), ("OPENCV_IO_MAX_IMAGE_PIXELS", "0"), ("OPENCV_IO_MAX_IMAGE_WIDTH", "x"),
        ("MPLBACKEND", "foo"), ("OMP_NUM_THREADS", "0"), ("OMP_NUM_THREADS", "abc"), ("OMP_NUM_THREADS", "-3"),
        ("OMP_NUM_THREADS", "99999999999"), ("OPENBLAS_NUM_THREADS", "abc"),
        # below /proc, where root can make no folder either
        ("TMPDIR", "/proc/nowhere"), ("HOME", None), ("HOME", "/proc/nowhere"),
        ("PATH", None), ("LC_ALL", "C"), ("LC_ALL", "xx_YY.ISO-8859-1"),
        ("PYTHONIOENCODING", "ascii"),
        ("COLUMNS", "abc"), ("COLUMNS", "0"), ("CAFFE_CPU_ENGINE", "abc"), ("CAFFE_PYTHONPATH", "/proc/nowhere"),
        ("GPU", "abc"), ("MPLCONFIGDIR", "/proc/nowhere"), ("TERM", None), ("HDF5_USE_FILE_LOCKING", "abc"),
        ("CUDA_VISIBLE_DEVICES", "abc"), ("GLOG_minloglevel", "abc"), ("PYTHONWARNINGS", "nonsense"),
        ("OMP_WAIT_POLICY", "abc"), ("GOMP_SPINCOUNT", "abc"), ("OMP_PROC_BIND", "abc"), ("WEIGHTS", ""), ("DATA", ""),
    ]
    names = ("upscale", "train", "benchmark", "learning_log", "prepare_data")
    for number, (variable, value) in enumerate(fixed):
        chosen = names if lab.long else [names[number % len(names)]]
        if variable in ("MPLBACKEND", "MPLCONFIGDIR"):
            chosen = ("train", "learning_log")
        if variable in ("CAFFE_CPU_ENGINE", "CAFFE_PYTHONPATH", "OMP_NUM_THREADS"):
            chosen = ("benchmark", "train")
        for name in chosen:
            if variable == "PATH":
                run = lab.python(lab.checkout / f"tools/{name}.py", *tools[name], env={"PATH": None})
            else:
                run = lab.tool(name, *tools[name], env={variable: value})
            faults = judge.done_kept_or_refused(_without_runtime(run, variable), *[variable] * (run.status == 2))
            yield lab.result(f"{variable}={value!r}: {name}", faults, run)


def _without_runtime(run, variable):
    """The Run without the OpenMP runtime's own line about a variable where all was done: it names what is wrong."""
    if run.status:
        return run
    kept = [line for line in run.err.splitlines(True) if not (line.startswith("libgomp:") and variable in line)]
    return replace(run, err="".join(kept))


@trial("threads", alone=True)
def threads(lab):
    """OMP_NUM_THREADS that is no number of threads does not slow training down in silence"""
    times = {}
    for value in ("1", "0", "abc", "100000"):
        out = lab.folder / f"run{value}"
        run = lab.tool("train", *lab.material.training(out, "--stage", "pretrain", "--iters", 30, "--batch", 8),
                       env={"OMP_NUM_THREADS": value, "OMP_WAIT_POLICY": None}, timeout=200)
        times[value] = run.seconds
        faults = judge.done_or_refused(_without_runtime(run, "OMP_NUM_THREADS"), "OMP_NUM_THREADS")
        if not run.status and run.seconds > 4 * times["1"] + 2:
            faults.append(f"{run.seconds:.1f} s, with one thread {times['1']:.1f} s")
        yield lab.result(f"OMP_NUM_THREADS={value}", faults, run)


@trial("busy-machine", slow=True, alone=True)
def busy_machine(lab):
    """Two threads under nice beside a busy process: not many times slower than one thread beside it"""

    def forward(threads):
        out = lab.folder / f"b{time.monotonic_ns()}"
        run = lab.start("nice", "-n", "10", lab.checkout / "tools/benchmark.py", "--tables", 4, "--random-weights",
                        "--methods", "IDN", "--datasets", "Large", "--scales", 3, "--repeats", 50, "--data-dir",
                        lab.material.data(), "--weights-dir", lab.folder, "--out", out,
                        env={"OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": None}).wait(300)
        return run, float(re.search(r'"seconds_median": ([\d.e-]+)', (out / "benchmark.json").read_text())[1])

    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        _, one = forward("1")
        run, two = forward("2")
    finally:
        busy.kill()
        busy.wait()
    faults = judge.done(run)
    if two > 3 * one:
        faults.append(f"{1000 * two:.0f} ms per forward pass with two threads, {1000 * one:.0f} ms with one")
    case = f"benchmark under nice: {1000 * two:.0f} ms with two threads, {1000 * one:.0f} with one"
    yield lab.result(case, faults, run)


SNIPPETS = {
    "Blob.reshape(*numpy integers)": "import numpy, caffe, sys; n = caffe.Net(sys.argv[1], caffe.TEST); "
    "n.blobs['data'].reshape(*numpy.array([1, 1, 20, 24])); n.reshape(); assert n.forward()",
    "Net.reshape by shape of an array": "import numpy, caffe, sys; n = caffe.Net(sys.argv[1], caffe.TEST); "
    "n.blobs['data'].reshape(numpy.int64(1), 1, numpy.int32(9), 9); n.reshape(); n.forward()",
    "Detector(context_pad=8)": "import numpy, caffe, sys; d = caffe.Detector(sys.argv[1], sys.argv[2], context_pad=8); "
    "p = d.detect_windows([(sys.argv[3], numpy.array([[5, 6, 40, 50], [0, 0, 47, 50]]))]); assert len(p) == 2",
    "Classifier": "import numpy, caffe, sys; c = caffe.Classifier(sys.argv[1], sys.argv[2], image_dims=(40, 40)); "
    "c.predict([numpy.random.rand(40, 40, 3).astype('float32')])",
}
CLASSES = (
    'name: "small"\nlayer { name: "data" type: "Input" top: "data" '
    "input_param { shape { dim: 2 dim: 3 dim: 32 dim: 32 } } }\n"
    'layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3 } }\n'
)


@trial("pycaffe")
def pycaffe(lab):
    """pycaffe as its users call it with today's numpy"""
    deploy = lab.checkout / "prototxt/generated/espcn_x2_deploy.prototxt"
    net, weights = lab.write("small.prototxt", CLASSES), lab.folder / "small.caffemodel"
    lab.python("-c", FILL, net, weights, 1)
    for name, code in SNIPPETS.items():
        picture = lab.write("in.png", drawing.plain_png(drawing.Scene(lab.rng, 48, 51).rgb))
        arguments = (net, weights, picture) if "Detector" in name or "Classifier" in name else (deploy,)
        run = lab.python("-c", code, *arguments, env={"GLOG_minloglevel": "2"})
        yield lab.result(name, judge.done(run), run)


@trial("make-with-blanks")
def make_with_blanks(lab):
    """make with folders whose names have blanks"""
    lab.write("a b/Set5/x.png", drawing.plain_png(drawing.Scene(lab.rng, 72, 78).rgb))
    for variable, target in (("DATA", "data"), ("OUT", "benchmark"), ("HDF5", "train"), ("WEIGHTS", "benchmark")):
        run = lab.start("make", "-n", "-C", lab.checkout, target, f"{variable}={lab.folder}/a b").wait(60)
        faults = judge.broken(run)
        loose = [line for line in run.out.splitlines() if re.search(r"(?<!['\"\w/])\S*/a b(?!['\"\w])", line)]
        quoted = [line for line in loose if not re.search(r"'[^']*/a b[^']*'|\"[^\"]*/a b[^\"]*\"", line)]
        faults += [f"a blank without quotes: {quoted[0].strip()}"] if quoted else []
        faults += [f"status {run.status}: {run.lines[-1:]}"] if run.status else []
        yield lab.result(f"make -n {target} {variable}='.../a b'", faults, run)


@trial("demo-with-blank", slow=True)
def demo_with_blank(lab):
    """make demo in a checkout whose path has a blank"""
    place = lab.folder / "a checkout"
    listed = subprocess.run(["git", "-C", lab.checkout, "ls-files", "-z"], capture_output=True, text=True, check=True)
    for name in listed.stdout.split("\0"):
        if name and (lab.checkout / name).is_file():
            lab.write(f"a checkout/{name}", (lab.checkout / name).read_bytes())
            (place / name).chmod((lab.checkout / name).stat().st_mode)
    run = lab.start("make", "-C", place, "demo", env={"OMP_NUM_THREADS": None}).wait(900)
    yield lab.result("make demo", judge.done(run), run)
