"""Nets from prototxt files that somebody else wrote: read with checks, upgraded and filtered as Caffe does.

Caffe ends the process on whatever is wrong with a net, and some layers read files, write files or run Python modules
that the net names. So a file is parsed here first, such layers are refused, and what is left is built once in a process
of its own (tools/nets/net_probe.py). What that process says becomes our one line; what it gives back is the net as
Caffe itself has it: old `layers` and `input` fields upgraded, layers of other phases, stages and levels gone.
"""

import json
import re
import signal
import subprocess
from dataclasses import dataclass

from google.protobuf.message import EncodeError

from prototxt.engine import caffe
from tools.common import parent
from tools.common.errors import UserError
from tools.nets import last_words

PROBE = "tools.nets.net_probe"
LARGEST = 64 << 20  # bytes of a prototxt; deploy nets have some kB
SECONDS = 120
EXPECTED = "expected a deploy net, such as those in prototxt/generated"
# in the three spellings that Caffe has had: `layer`, `layers`, and `layers { layer { ... } }`
READING = frozenset(
    ("Data", "HDF5Data", "ImageData", "WindowData", "InfogainLoss")
    + ("DATA", "HDF5_DATA", "IMAGE_DATA", "WINDOW_DATA", "INFOGAIN_LOSS")
    + ("data", "hdf5_data", "images", "window_data", "infogain_loss")
)
WRITING = frozenset(("HDF5Output", "HDF5_OUTPUT", "hdf5_output"))


@dataclass(frozen=True)
class State:
    """Which of a net's layers are wanted, see Caffe's NetState; deploy nets are of phase TEST.

    Attributes
    ----------
    level : int
    stages : tuple of str
        Added to those that the net itself names.
    """

    level: int = 0
    stages: tuple = ()


def add_arguments(parser):
    """Options that every tool has that reads such files (argparse.ArgumentParser)."""
    parser.add_argument("--stages", nargs="+", default=[], metavar="STAGE",
                        help="stages for the net's include and exclude rules, such as deploy")  # fmt: skip
    parser.add_argument("--level", type=int, default=0, metavar="N", help="level for these rules (default: 0)")
    parser.add_argument("--allow-python-layers", action="store_true",
                        help="let the net's Python layers run the modules that it names")  # fmt: skip


def read_with(args, path, sizes=()):
    """`read` with the options of `add_arguments`; raises UserError."""
    if not -(2**31) <= args.level < 2**31:
        raise UserError(f"--level: got {args.level}, expected a whole number of 32 bits; most nets need none")
    return read(path, State(args.level, tuple(args.stages)), args.allow_python_layers, sizes)


def read(path, state=State(), allow_python=False, sizes=()):  # noqa: B008 (frozen)
    """Read a deploy net.

    Parameters
    ----------
    path : Path
    state : State
    allow_python : bool
        Take Python layers, which run modules that the file names.
    sizes : sequence of (int, int)
        Heights and widths of the input at which the net must run.

    Returns
    -------
    NetParameter
        In Caffe's present form, with an Input layer of four axes first among its inputs.

    Raises
    ------
    UserError
        No net, none that Caffe builds and runs, no deploy net, or one whose layers reach outside.
    """
    message = parse(path)
    _check_old_input(path, message)
    choose(message, state)
    _check_layers(path, message, allow_python)
    upgraded = _upgraded(path, message, sizes)
    _tidy(upgraded, message)
    _check_input(path, upgraded)
    return upgraded


def parse(path):
    """The NetParameter (as written) of a prototxt file; raises UserError."""
    if path.is_dir():
        raise UserError(f"{path}: is a folder, expected a deploy prototxt")
    if not path.exists():
        raise UserError(f"{path}: no such file, expected a deploy prototxt")
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise UserError(f"{path}: has more than {LARGEST >> 20} MB; expected a deploy prototxt, not weights or data")
    if not content.strip():
        raise UserError(f"{path}: is empty; expected a deploy prototxt")
    from google.protobuf import text_format  # here: --help must not wait for it

    message = _caffe_pb2().NetParameter()  # outside: that there is no Caffe is not the file's fault
    try:
        return text_format.Parse(content.decode("utf-8-sig"), message)
    except UnicodeDecodeError:
        raise UserError(f"{path}: not text in UTF-8; expected a deploy prototxt, not weights or a picture") from None
    except (text_format.ParseError, RecursionError, OverflowError, ValueError) as error:
        said = short(str(error) or type(error).__name__)
        raise UserError(f"{path}: not a net that Caffe can read ({said}); expected a deploy prototxt") from None


def _caffe_pb2():
    return caffe.proto.caffe_pb2


def choose(message, state):
    """Set the net's state and drop the layers that its rules leave out, of `layer` and of the older `layers`."""
    message.state.phase, message.state.level = _caffe_pb2().TEST, state.level
    message.state.stage.extend(state.stages)
    for layer in message.layer:
        del layer.blobs[:]  # weights come from a file of their own
    for layers in (message.layer, message.layers):
        for index in reversed(range(len(layers))):
            if not is_included(layers[index], message.state):
                del layers[index]


def is_included(layer, state):
    """Whether Caffe takes a layer (LayerParameter or V1LayerParameter) at `state` (NetState)."""
    if layer.include:
        # both kinds of rules are an error, which Caffe shall name
        return bool(layer.exclude) or any(_meets(state, rule) for rule in layer.include)
    return not any(_meets(state, rule) for rule in layer.exclude)


def _meets(state, rule):
    return not (
        (rule.HasField("phase") and rule.phase != state.phase)
        or (rule.HasField("min_level") and state.level < rule.min_level)
        or (rule.HasField("max_level") and state.level > rule.max_level)
        or set(rule.stage) - set(state.stage)
        or set(rule.not_stage) & set(state.stage)
    )


def _check_old_input(path, message):
    """Refuse old input fields with too few numbers: Caffe would read past their end."""
    names, shapes, dims = len(message.input), len(message.input_shape), len(message.input_dim)
    wrong = shapes < names if shapes else bool(dims) and dims < 4 * names
    if names and wrong:
        raise UserError(
            f"{path}: has {names} input and {shapes} input_shape, {dims} input_dim; expected one input_shape or four "
            "input_dim for each"
        )


def _check_layers(path, message, allow_python):
    """Refuse layers that would reach outside; nothing has been built yet."""
    for name, kind, layer in kinds(message):
        if kind == "Python" and not allow_python:
            raise UserError(
                f"{path}: layer {name!r} is of type Python and would run the module {layer.python_param.module!r}; "
                "expected layers of Caffe's own, or, if you trust this file, --allow-python-layers"
            )
        if kind in READING:
            raise UserError(
                f"{path}: layer {name!r} is of type {kind}, which reads files that the net names; {EXPECTED}"
            )
        if kind in WRITING:
            raise UserError(f"{path}: layer {name!r} is of type {kind}, which writes a file; {EXPECTED}")
        if mentions(layer, ("mean_file", "meanfile")):
            raise UserError(f"{path}: layer {name!r} reads a mean file that the net names; {EXPECTED}")


def kinds(message):
    """Name, type and message of every layer, in whatever form: yields (str, str, message)."""
    for layer in message.layer:
        yield layer.name, layer.type, layer
    for layer in message.layers:
        if layer.HasField("layer"):
            yield layer.layer.name, layer.layer.type, layer
        else:
            yield layer.name, type(layer).LayerType.Name(layer.type), layer


def mentions(message, names):
    """Whether a message or one inside it sets one of the fields `names`."""
    for field, value in message.ListFields():
        if field.name in names:
            return True
        if field.message_type is not None:
            parts = [value] if hasattr(value, "ListFields") else value
            if any(mentions(part, names) for part in parts):
                return True
    return False


def _upgraded(path, message, sizes):
    """The net as Caffe builds it, from a process of its own."""
    command = parent.command(PROBE, json.dumps([list(size) for size in sizes]))
    try:
        content = message.SerializeToString()
        done = subprocess.run(command, input=content, capture_output=True, timeout=SECONDS, env=_environment())
    except EncodeError as error:
        raise UserError(f"{path}: not a net that Caffe can read ({short(str(error))}); {EXPECTED}") from None
    except subprocess.TimeoutExpired:
        raise UserError(
            f"{path}: Caffe has not finished building and running this net after {SECONDS} s; expected a smaller one"
        ) from None
    if done.returncode == 0:
        return _caffe_pb2().NetParameter.FromString(done.stdout)
    log = done.stderr.decode("utf-8", "replace")
    unknown = re.search(r"^F.*\bUnknown layer type: (\S*)", log, re.MULTILINE)
    if unknown:
        names = [name for name, kind, _ in kinds(message) if kind == unknown[1]]
        where = f"layer {short(names[0])!r}" if names else "a layer"
        raise UserError(f"{path}: {where} is of type {unknown[1]!r}, expected one of Caffe 1.0's own types; correct it")
    raise UserError(f"{path}: {reason(done.returncode, log)}")


def _environment():
    return parent.environment(GLOG_minloglevel="0", GLOG_logtostderr="1", GLOG_v="0")


def reason(status, log):
    """Why the probe ended with `status` (int): one line (str) made from its log, and what to do.

    Parameters
    ----------
    status : int
        As subprocess gives it: negative for a signal.
    log : str
        Caffe's log at level 0 and the probe's own lines.
    """
    lines = log.splitlines()
    own = [line for line in lines if line.startswith("probe: ") and not line.startswith("probe: at ")]
    if own:
        return f"{own[-1].removeprefix('probe: ')}; give each a name of its own"
    place = _place(lines)
    fatal = last_words.fatal(log)
    memory = f"Caffe runs out of memory at {place}; expected a net and sizes that fit into what is free here"
    if last_words.lacked_memory(status, log):
        return memory
    advice = "give sizes that this net takes, or correct the file" if "input " in place else "correct the file"
    if fatal:
        said = short(fatal.removeprefix("Check failed: "))
        said = "an array without values: some size is 0" if said == "data_" else said
        return f"Caffe refuses {place} ({said}); {advice}"
    if status < 0:
        return f"Caffe crashes at {place} ({signal.Signals(-status).name}): see its kernel, stride and group; {advice}"
    raised = [line for line in lines if re.match(r"\w*(Error|Exception)\b", line)]
    said = short((raised or [line for line in reversed(lines) if line.strip()] or [f"status {status}"])[0])
    return f"Caffe cannot build or run this net ({said}); {advice}"


def _place(lines):
    """Where the probe was: the last layer that Caffe began to build or the probe to run."""
    place = "the net"
    for line in lines:
        if line.startswith("probe: at "):
            place = line.removeprefix("probe: at ")
        elif "] Creating Layer " in line:
            place = f"layer {line.split('] Creating Layer ', 1)[1]!r}"
    return place


def short(text, most=240):
    """`text` (str) in one line of at most `most` characters, long lists of what is known left out."""
    text = " ".join(re.sub(r" \(known types: .*", "", text, flags=re.DOTALL).split())
    return text if len(text) <= most else f"{text[:most].rstrip()} ..."


def _tidy(upgraded, written):
    """Take back what building adds (Split layers, phases), drop the rules, and make the names of all layers differ."""
    names = {name for name, _, _ in kinds(written)}
    kept, source, taken = [], {}, set()
    for layer in upgraded.layer:
        if layer.type == "Split" and layer.name not in names:
            source.update(dict.fromkeys(layer.top, layer.bottom[0]))
            continue
        for field in ("phase", "include", "exclude"):  # the state is not in what comes back, and has done its work
            layer.ClearField(field)
        layer.bottom[:] = [source.get(bottom, bottom) for bottom in layer.bottom]
        name, number = layer.name, 2
        while layer.name in taken:  # only of layers without weights, see tools/nets/net_probe.py
            layer.name, number = f"{name}_{number}", number + 1
        taken.add(layer.name)
        kept.append(type(layer).FromString(layer.SerializeToString()))
    del upgraded.layer[:]
    upgraded.layer.extend(kept)


def _check_input(path, message):
    """Refuse a net without an image as its (first) input."""
    inputs = [layer for layer in message.layer if layer.type == "Input"]
    if not inputs:
        raise UserError(f"{path}: has no input; {EXPECTED}")
    shapes = [list(shape.dim) for layer in inputs for shape in layer.input_param.shape]
    if not shapes or len(shapes[0]) != 4 or min(shapes[0]) < 1:
        found = f"of shape {shapes[0]}" if shapes else "without a shape"
        raise UserError(
            f"{path}: input {inputs[0].top[0]!r} is {found}; expected four numbers from 1 on: batch, channels, height, "
            "width"
        )
