"""See to it that OpenCV can be loaded: it ends the process on an OPENCV_* variable that it cannot read.

It wants switches ("1", "true", "OFF") and numbers ("100", "2MB") in some forty variables, which differ from version to
version, and throws where nothing can catch it. So where such variables are set, OpenCV itself is asked, in a process of
its own. Imported by the package before anything that imports cv2.
"""

import os
import subprocess
import sys

# loads it, and runs what reads its variables late
_PROBE = """
import numpy as np
import cv2
cv2.setNumThreads(2)
image = np.zeros((64, 64, 3), np.uint8)
for kind in (".png", ".jpg", ".tif", ".bmp"):
    cv2.imdecode(cv2.imencode(kind, image[:1, :1])[1], cv2.IMREAD_UNCHANGED)  # within any limit that a variable sets
cv2.filter2D(cv2.GaussianBlur(cv2.resize(image, (32, 32)), (3, 3), 1), -1, np.ones((3, 3)))
text = b'input: "data" input_dim: 1 input_dim: 1 input_dim: 2 input_dim: 2 \
layer { name: "a" type: "AbsVal" bottom: "data" top: "a" }'
net = cv2.dnn.readNetFromCaffe(np.frombuffer(text, np.uint8))
net.setInput(np.zeros((1, 1, 2, 2), np.float32))
net.forward()
"""


class OpenCVError(RuntimeError):
    """OpenCV cannot be loaded; the text is one line for the user."""


def check(environ=os.environ):
    """Raise OpenCVError where a variable in `environ` (mapping) would end the process that loads OpenCV."""
    given = sorted(name for name in environ if name.startswith("OPENCV_"))
    if not given or _loads(environ, given):
        return
    guilty = [name for name in given if not _loads(environ, [name])] or given
    settings = ", ".join(f"{name}={environ[name]}" for name in guilty)
    raise OpenCVError(f"{settings}: OpenCV cannot read this value and would end the program; correct it, or unset it")


def _loads(environ, names):
    """Whether OpenCV works with these of the OPENCV_* variables alone."""
    kept = {name: value for name, value in environ.items() if name in names or not name.startswith("OPENCV_")}
    return subprocess.run([sys.executable, "-c", _PROBE], env=kept, capture_output=True).returncode == 0


try:
    check()
except OpenCVError as error:
    if sys.argv[:1] != ["-m"]:
        raise
    print(f"matlab_compat: {error}", file=sys.stderr)  # python -m matlab_compat, whose main() is not yet there
    sys.exit(2)
