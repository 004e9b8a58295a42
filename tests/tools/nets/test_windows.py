"""Window by window equals the whole image, on real Caffe; the windows themselves; the memory they are said to take."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prototxt.idn import idn
from prototxt.receptive import receptive_field
from tools.common.errors import UserError
from tools.methods.registry import METHODS
from tools.nets import forward_memory, runtime, windows

NETS = {"IDN": 3, "LapSRN": 2, "VDSR": 2, "FSRCNN": 2, "ESPCN": 3, "SRCNN": 2}


@pytest.fixture(scope="module", params=NETS)
def tiled(request):
    runtime.use_device()
    method = METHODS[request.param]
    message = method.build(NETS[request.param])
    net = method.load(NETS[request.param])
    fields = receptive_field(message, method.blob)
    return windows.Tiled(net, method.blob, fields, windows.fewest(net, message))


@pytest.mark.parametrize("shape", [(80, 100), (5, 1500), (1, 1)])
def test_windows_give_the_whole_to_the_last_bit(tiled, shape, same_bits_everywhere):
    image = np.random.default_rng(2).random(shape, np.float32)
    whole = runtime.forward(tiled.net, image, tiled.output)
    assert whole.shape == tiled.outputs(shape) and (shape == (1, 1) or whole.std() > 0)
    least = [min(n, windows.least(field)) for n, field in zip(shape, tiled.fields)]
    smallest = max(tiled.fewest, least[0] * least[1])
    for pixels in (smallest + 10 * max(least), shape[0] * shape[1]):
        found = tiled.plan(shape, windows.Room(pixels, 1))
        taken = found[0].size * found[1].size
        assert min(tiled.fewest, image.size) <= taken <= pixels
        bands = list(tiled.bands(lambda a, b: image[a:b], found))
        result = np.concatenate([band for _, band in bands])
        assert [top for top, _ in bands] == np.cumsum([0, *[len(band) for _, band in bands[:-1]]]).tolist()
        if same_bits_everywhere:
            assert np.array_equal(result, whole)
        else:  # measured: 2.5e-6, of VDSR's 20 layers with random weights
            assert np.abs(result - whole).max() <= 1e-5 * max(1, np.abs(whole).max())


def test_a_large_image_is_really_cut(tiled):
    found = tiled.plan((300, 400), windows.Room(100 * 100, 1))
    assert len(found[0].windows) * len(found[1].windows) >= 12


def test_less_overlap_than_the_field_would_be_wrong():
    """The test above can fail: with a field one pixel too small the result is another."""
    message = idn(3)
    net = METHODS["IDN"].load(3)
    rows, columns = receptive_field(message, "upsample")
    smaller = [type(field)(field.step, field.first + 1, field.last - 1) for field in (rows, columns)]
    image = np.random.default_rng(2).random((83, 90), np.float32)
    whole = runtime.forward(net, image, "upsample")
    tiled = windows.Tiled(net, "upsample", smaller)
    found = tiled.plan(image.shape, windows.Room(70 * 70, 1))
    result = np.concatenate([band for _, band in tiled.bands(lambda a, b: image[a:b], found)])
    assert result.shape == whole.shape and not np.array_equal(result, whole)


FIELDS = {scale: receptive_field(idn(scale), "upsample")[0] for scale in (2, 3, 4)}


@given(st.sampled_from([2, 3, 4]), st.integers(1, 3000), st.integers(58, 400))
def test_windows_cover_every_pixel_once_and_stay_inside(scale, length, size):
    field = FIELDS[scale]
    size = max(size, windows.least(field))
    total = scale * (length - 1) + 1
    axis = windows.cut(length, size, field, total)
    done = 0
    for begin, start, stop in axis.windows:
        assert start == done < stop and 0 <= begin <= length - axis.size
        done = stop
        first, last = field.inputs(start)[0], field.inputs(stop - 1)[1]
        assert first >= begin or begin == 0
        assert last < begin + axis.size or begin + axis.size == length
    assert done == total
    if length > 2 * size:  # no window could begin later
        assert all(field.inputs(start)[0] == begin for begin, start, _ in axis.windows[1:-1])


@given(st.integers(1, 900), st.integers(1, 900), st.floats(1e4, 1e6), st.floats(0, 500))
def test_windows_keep_to_their_room(height, width, size, a_row):
    """A row of windows takes no more than there is; with ten times that of the smallest one, some are found."""
    field, room = FIELDS[3], windows.Room(size, 1.5, a_row, besides=1000)
    found = windows.plan((height, width), (field, field), room, (3 * height - 2, 3 * width - 2))
    if found is None:
        rows, columns = (min(n, windows.least(field)) for n in (height, width))
        assert 10 * (1.5 * rows * columns + a_row * rows + 1000) > size
    else:
        assert 1.5 * found[0].size * found[1].size + a_row * found[0].size + 1000 <= size


def test_fewest_pixels_by_hand():
    """IDN's smallest product: 8 maps from 12 x 9 values in each group of layer 2 (32 from 48 maps in 4 groups)."""
    message = idn(3)
    assert windows.fewest(runtime.build_net(message), message) == -(-1_000_000 // (8 * 108)) + 1


def test_what_cannot_be_cut_is_refused():
    field = FIELDS[3]
    least = windows.least(field)
    for pixels, fewest, possible in ((least * least - 1, 1, False), (4999, 5000, False), (5100, 5000, True)):
        found = windows.plan((500, 500), (field, field), windows.Room(pixels, 1), (1498, 1498), fewest)
        assert (found is not None) == possible
    with pytest.raises(ValueError, match=f"windows: {least - 1} pixels are too few, expected at least {least}"):
        windows.cut(500, least - 1, field, 1498)
    message = idn(3)
    fields = [type(field)(field.step * 6, field.first, field.last)] * 2
    with pytest.raises(UserError, match="this net makes images smaller"):
        windows.Tiled(runtime.build_net(message), "upsample", fields)


MEASURE = """
import sys
import numpy as np
from tools.methods.registry import evaluation
from tools.common import memory
from tools.nets import deploying
from tools.nets import forward_memory as net_memory
from tools.methods.registry import METHODS
method = METHODS[sys.argv[1]]
message, net = method.build(2), method.load(2)
if sys.argv[2] == "shared":
    deploying.share_memory(net, method.blob)
pixel, constant = net_memory.forward_bytes(net, message)
side = int(((250e6 if sys.argv[2] == "shared" else 400e6) / pixel) ** 0.5)
able = memory.reset_peak()
before = memory.peak_mb()
evaluation.forward(net, np.zeros((side, side), np.float32), method.blob)
print(able, memory.peak_mb() - before, (pixel * side**2 + constant) / 2**20)
"""


@pytest.mark.parametrize("memory", ["shared", "apart"])
@pytest.mark.parametrize("name", ["IDN", "DRRN", "ESPCN"])
def test_memory_is_what_the_blobs_say(root, name, memory):
    """The derived memory of a forward against what a process of its own really grows by, with the engine at hand."""
    run = [sys.executable, "-c", MEASURE, name, memory]
    able, grown, derived = subprocess.run(run, capture_output=True, text=True, check=True, cwd=root).stdout.split()
    if able != "True":
        pytest.skip("this system does not tell the peak of memory of a part of a process")
    assert 100 < int(grown) < 1.05 * float(derived)


def test_onednn_needs_no_columns():
    message, net = idn(3), METHODS["IDN"].load(3)
    stock, fast = (forward_memory.forward_bytes(net, message, onednn) for onednn in (False, True))
    # maps of all blobs of IDN, and of the columns by hand: 9 x 64 for conv2 and so on, 289 for the transposed one
    assert stock == (pytest.approx(57807, rel=1e-3), 0)
    assert 2 * fast[0] < stock[0] and fast[1] > 0


def test_the_benchmark_s_tiles_overlap_by_what_is_derived():
    """METHODS and docs/methods.md say so; DRRN and MemNet overlap by their scripts' 16 of 52 and 74 pixels."""
    radius = {
        name: receptive_field(METHODS[name].build(3), METHODS[name].blob)[0].radius
        for name in ("VDSR", "DRCN", "RED30", "DRRN", "MemNet")
    }
    assert {name: METHODS[name].tile[1] for name in ("VDSR", "DRCN", "RED30")} == {
        name: radius[name] for name in ("VDSR", "DRCN", "RED30")
    }
    assert (radius["DRRN"], radius["MemNet"]) == (52, 74)
