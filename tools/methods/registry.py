"""The methods that the benchmark knows: which net, what goes in and what comes out, how it was tested.

A method is one entry in METHODS; the benchmark, its tables and its errors take everything from there. Where its
weights come from is in data_prep/weights.json.
"""

from dataclasses import dataclass, replace
from typing import Optional

import numpy as np

import matlab_compat as matlab
from data_prep.geometry import SCALES
from data_prep.sampling import FSRCNN_LATE
from prototxt.registry import NETWORKS
from tools.common.errors import UserError
from tools.methods import evaluation, trained
from tools.nets import engines, matconvnet, runtime, weight_files

INPUTS = ("lr", "bicubic")
OUTPUTS = ("image", "residual", "late image")


@dataclass(frozen=True)
class Method:
    """One way to enlarge an image by m.

    Attributes
    ----------
    name : str
        As the paper's tables have it; other configurations of a method follow a dash: "DRRN-B1U9".
    network, variant : str or None
        Generator in prototxt/ and its variant; None for bicubic, the method without a net.
    input : {"lr", "bicubic"}
        What the net is given: the small image, or its bicubic enlargement, which is as large as the result.
    output : {"image", "residual", "late image"}
        What the net gives: the result; or m (n - 1) + 1 pixels for n, as a transposed convolution does: the residual
        that the bicubic enlargement is added to, or the image itself.
    late : tuple of (int, int)
        Factor and pixel of the result on which the first of such an output lies, as the net was trained; where a factor
        is not named it is m - 1.
    blob : str
        The net's blob that holds it.
    net_scales : tuple of (int, int)
        Factor asked for and factor of the net, where they differ: the net's image is then made smaller.
    protocol : str
        How the authors tested it, see tools/methods/protocols.py.
    tile : (int, int) or None
        Side and overlap of the tiles for a net that takes the enlarged image, see tools/nets/tiles.py; None: no tiles.
    stock_side : int or None
        Side of the tiles where Caffe's own CPU layers compute (CAFFE_CPU_ENGINE=blas): these keep a column buffer for
        each convolution and need several times the memory. None: the same side.
    printed : bool
        The paper's tables have it.
    scales : tuple of int
        The factors that it is offered for.
    border : int
        Pixels of the net's input that are repeated outwards on every side before it runs, and cut off its result: for
        networks that were trained without padding, and never saw the zeros that a deployed net sees at its border.
    options : tuple of (str, object)
        Of the net's body, other than the generator's: those of a variant that was trained here, see `for_weights`.

    Raises
    ------
    ValueError
        `input` or `output` is none of these.
    """

    name: str
    network: Optional[str] = None
    variant: Optional[str] = None
    input: str = "lr"
    output: str = "image"
    late: tuple = ()
    blob: str = "sum"
    net_scales: tuple = ()
    protocol: str = "idn"
    tile: Optional[tuple] = None
    stock_side: Optional[int] = None
    printed: bool = True
    scales: tuple = tuple(SCALES)
    border: int = 0
    options: tuple = ()

    def __post_init__(self):
        for name, value, known in (("input", self.input, INPUTS), ("output", self.output, OUTPUTS)):
            if value not in known:
                raise ValueError(f"method {self.name}: {name} is {value!r}, expected one of {', '.join(known)}")

    @property
    def enlarges_first(self):
        """Whether the net takes the interpolated image, which is as large as the result."""
        return self.input == "bicubic"

    @property
    def starts_late(self):
        """Whether the net gives m (n - 1) + 1 pixels for n, so that some at the border of the result are left out."""
        return self.output != "image"

    def first_late(self, scale):
        """Pixel (int) of the result on which the net's first one lies."""
        return dict(self.late).get(scale, scale - 1) if self.starts_late else 0

    @property
    def adds_base(self):
        """Whether the net's output is the residual that the bicubic enlargement is added to."""
        return self.output == "residual"

    def take(self, sample):
        """What the net is given (ndarray, float32) of an evaluation.Sample."""
        taken = sample.base if self.enlarges_first else sample.lr
        return np.pad(taken, self.border, mode="edge") if self.border else taken

    def first_pixel(self, scale, lead):
        """Row and column (int) of the net's output that lies on pixel 0 of the result.

        `lead` (int) pixels were put before those of the net's input.
        """
        if self.enlarges_first:
            return lead
        return scale * lead - self.first_late(scale)

    def finish(self, output, sample):
        """The result of a net's output.

        Parameters
        ----------
        output : ndarray, float32, or None
            What the net gave for `take(sample)`; None without a net.
        sample : evaluation.Sample

        Returns
        -------
        ndarray, (m H, m W), float32
            About 0..1.

        Raises
        ------
        UserError
            The output has another size: the net is made for another scale.
        """
        shape = sample.base.shape
        if self.network is None:
            return sample.base
        if self.adds_base:
            return evaluation.add_base(output, sample)
        if self.border:
            return self._without_border(output, sample)
        if self.starts_late:
            height, width = (side - (sample.scale - 1) for side in shape)
            evaluation.check_output(output, (height, width), sample)
            result, first = sample.base.copy(), self.first_late(sample.scale)
            result[first : first + height, first : first + width] = output
            return result
        if self.net_scale(sample.scale) != sample.scale:
            return matlab.imresize(output, output_shape=shape)
        evaluation.check_output(output, shape, sample)
        return output

    def _without_border(self, output, sample):
        scale, sides = sample.scale, [side + 2 * self.border for side in sample.lr.shape]
        if self.enlarges_first:
            sides = [side + 2 * self.border for side in sample.base.shape]
        elif self.starts_late:
            sides = [scale * (side - 1) + 1 for side in sides]
        else:
            sides = [scale * side for side in sides]
        evaluation.check_output(output, sides, sample)
        first, (height, width) = self.first_pixel(scale, self.border), sample.base.shape
        return output[first : first + height, first : first + width]

    def check_scale(self, scale):
        """Raise UserError unless the method is offered for this factor."""
        if scale not in self.scales:
            offered = " and ".join(f"x{one}" for one in self.scales)
            raise UserError(f"{self.name}: is offered for {offered} only, got x{scale}; choose another method or scale")

    def net_scale(self, scale):
        """Factor (int) of the net for a factor that is asked for."""
        return dict(self.net_scales).get(scale, scale)

    def tiling(self, side=None, stock=False):
        """How to run the net in tiles.

        Parameters
        ----------
        side : int, optional
            Of the tiles, instead of the method's own.
        stock : bool
            Whether Caffe's own CPU layers compute.

        Returns
        -------
        (int, int) or None
            Side and overlap; None for a net that always takes the whole image.
        """
        if self.tile is None:
            return None
        own, overlap = self.tile
        return side or (stock and self.stock_side) or own, overlap

    def build(self, scale, input_shape=None):
        """The deploy net (NetParameter) for a factor, and for an input (height, width) other than the generated net's.

        Raises UserError for a factor that it is not offered for.
        """
        self.check_scale(scale)
        network, net_scale = NETWORKS[self.network], self.net_scale(scale)
        return network.net("deploy", net_scale, self.variant, input_shape=input_shape, **dict(self.options))

    def for_weights(self, path):
        """This method (Method) as the record beside weights (Path) has it, if there is one.

        It says which options the net has and where its output lies.
        """
        found, options = self, trained.options(path)
        if options:
            found = replace(found, options=tuple(sorted(options.items())))
        if self.late and trained.record(path):
            found = replace(found, late=trained.late(path))
        return found

    def load(self, scale, path=None, engine="caffe"):
        """The net with the weights of `path`, of any kind in weight_files, or random ones for None.

        A caffe.Net, or the same net in another of engines.ENGINES; evaluation.forward takes both.
        """
        message = self.build(scale)
        return engines.convert(self.load_net(message, path), message, engine)

    def load_net(self, message, path=None):
        """As `load`, in Caffe, for a net (NetParameter) that `build` gave."""
        if path is None:
            return _random(runtime.build_net(message), message)
        if weight_files.kind(path) != weight_files.MAT:
            return runtime.build_net(message, path)
        net = runtime.build_net(message)
        matconvnet.load_mat(net, path, self.network)
        return net


def _random(net, message):
    """Give BatchNorm layers unit statistics: with Caffe's zeros every one multiplies by 316, until overflow."""
    for layer in message.layer:
        if layer.type == "BatchNorm":
            mean, variance, weight = net.params[layer.name]
            mean.data[...], variance.data[...], weight.data[...] = 0, 1, 1
    return net


METHODS = {
    method.name: method
    for method in (
        Method("Bicubic"),
        # radius 20: the tiles change nothing but time and memory
        Method("VDSR", "vdsr", input="bicubic", protocol="clamp", tile=(500, 20), stock_side=256),
        Method(
            "DRCN", "drcn", input="bicubic", blob="ensemble", protocol="clamp", tile=(256, 20), stock_side=96
        ),
        # x3 as its authors came to it: through the x4 net
        Method("LapSRN", "lapsrn", blob="level1_output", net_scales=((3, 4),), protocol="rgb"),
        # tile and overlap of the released test scripts
        Method("DRRN", "drrn", "b1u25", "bicubic", blob="HR_recovery", tile=(150, 16)),
        Method("MemNet", "memnet", "m6r6_released", "bicubic", blob="HR_recovery", tile=(150, 16)),
        Method("IDN", "idn", output="residual", blob="upsample"),
        # IDN's net with the second x4 file of the release, trained on MSCOCO: in no table of the paper
        Method("IDN-MSCOCO", "idn", output="residual", blob="upsample", printed=False, scales=(4,)),
        # the other published configurations; DRRN above is B1U25, MemNet M6R6 as released
        Method("DRRN-B1U9", "drrn", "b1u9", "bicubic", blob="HR_recovery", tile=(150, 16), printed=False),
        Method("MemNet-M6R6", "memnet", "m6r6", "bicubic", blob="HR_recovery", tile=(150, 16), printed=False),
        Method("MemNet-M10R10", "memnet", "m10r10", "bicubic", blob="HR_recovery", tile=(150, 16), printed=False),
        # trained without padding; SRCNN's and FSRCNN's test scripts repeat the border pixels, as far as layers reach
        Method("SRCNN", "srcnn", "955", "bicubic", blob="conv3", border=8, printed=False),
        Method("SRCNN-9-1-5", "srcnn", "915", "bicubic", blob="conv3", border=6, printed=False),
        Method(
            "FSRCNN", "fsrcnn", output="late image", late=tuple(FSRCNN_LATE.items()), blob="conv8", border=8,
            printed=False,
        ),
        Method("ESPCN", "espcn", blob="shuffle", border=4, printed=False),
        # radius 30: as with VDSR
        Method("RED30", "red30", input="bicubic", tile=(256, 30), stock_side=128, printed=False),
    )
}


def nets():
    """Names of the methods with a net, each net once: IDN-MSCOCO has IDN's and differs by its weights alone."""
    first = {}
    for name, method in METHODS.items():
        if method.network:
            first.setdefault((method.network, method.variant), name)
    return list(first.values())
