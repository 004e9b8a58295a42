"""What is wrong with an answer: each function gives a list of faults, empty when the answer is right.

Right is what was asked for with status 0 and no noise, or one line on standard error that names the thing, with
status 2. All else is a fault: a traceback, an abort, a library's own lines, temporary files and processes left.
"""

import json
import re
import signal

# what libraries and interpreters say, and a user's mistake must not bring up
NOISE = re.compile(
    r"Traceback \(most recent call last\)|Exception ignored|\*\*\* (Check|SIG|Aborted)|terminate called|core dumped"
    r"|^[FEW]\d{4,8} \d\d:\d\d|^\s+File \"|libpng|LIBTIFF|TIFF(Read|Fetch|Open|Fill|Client|Scanline|Append)\w*:"
    r"|tempfile\.tif|_TIFF|imread_|grfmt|\[ ?(WARN|ERROR|INFO):\d|OpenCV\(|cv::|Warning: |Warning:$|Corrupt JPEG"
    r"|Premature end|opj_|libjpeg|HDF5-DIAG|#\d{3}: |protobuf (ERROR|WARNING)|\[libprotobuf|OMP: |OpenBLAS|libgomp"
    r"|BrokenPipeError|Segmentation fault|malloc\(\)|free\(\)",
    re.M,
)
ABORTS = {134: "SIGABRT", 139: "SIGSEGV", 135: "SIGBUS", 136: "SIGFPE", 137: "SIGKILL"}


def broken(run):
    """Faults that no answer may have."""
    faults = []
    if run.late:
        faults.append(f"did not end in {run.seconds:.0f} s")
    elif run.status < 0:
        faults.append(f"ended by {signal.Signals(-run.status).name}")
    elif run.status in ABORTS:
        faults.append(f"ended with status {run.status} ({ABORTS[run.status]})")
    faults += [f"noise: {said}" for said in noise(run.err) + noise(run.out)]
    faults += [f"still running: {line}" for line in run.children]
    faults += [f"left behind: {name}" for name in run.left]
    return faults


def noise(text):
    """The last line (list of str, at most one) that a library or the interpreter wrote, where there is any."""
    lines = [line for line in text.splitlines() if line.strip()]
    if "Traceback (most recent call last)" in text:
        errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Interrupt|Exit|Warning)\b", line)]
        return [f"a traceback: {_short((errors or lines)[-1])}"]
    found = [line for line in lines if NOISE.search(line)]
    return [_short(found[0])] if found else []


def refused(run, *names, status=2):
    """It had to say no: one line on standard error with one of the `names` (where any are given), and the status."""
    faults = broken(run)
    if run.status != status and not run.late:
        faults.append(f"status {run.status}, expected {status}" + (": " + _short(run.lines[-1]) if run.lines else ""))
    if len(run.lines) != 1:
        faults.append(f"{len(run.lines)} lines on standard error, expected one")
    elif names and not any(name in run.err for name in names):
        faults.append(f"the line names none of {', '.join(names)}: {_short(run.err)}")
    return faults


def done(run, quiet=False):
    """It had to do what was asked for; `quiet`: and to say nothing on standard error."""
    faults = broken(run)
    if run.status != 0 and not run.late:
        faults.append(f"status {run.status}, expected 0: {_short(run.lines[-1]) if run.lines else 'nothing said'}")
    if quiet and run.lines:
        faults.append(f"said {_short(run.lines[0])}")
    return faults


def done_or_refused(run, *names):
    """Either is right."""
    return refused(run, *names) if run.status == 2 else done(run)


def done_kept_or_refused(run, *names):
    """Either is right, and so is one line with status 1: an output that exists is kept."""
    return refused(run, *names, status=1) if run.status == 1 else done_or_refused(run, *names)


def within(run, mb):
    """It had to stay within so many MB."""
    return [f"took {run.peak_mb} MB, expected at most {mb}"] if run.peak_mb > mb else []


def strict_json(path):
    """A JSON file had to be there and readable by strict readers."""

    def refuse(word):
        raise ValueError(word)

    try:
        json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    except FileNotFoundError:
        return [f"{path.name} is missing"]
    except (ValueError, UnicodeDecodeError) as error:
        return [f"{path.name} is not strict JSON: {error}"]
    return []


def _short(text, longest=160):
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[:longest]}..."
