"""The methods that the benchmark knows: which net, what goes in and what comes out, how it was tested.

A method is one entry in METHODS; the benchmark, its tables and its errors take everything from there. Where its
weights come from is in data_prep/weights.json.
"""

from dataclasses import dataclass
from typing import Callable, Optional

import matlab_compat as matlab
from tools.common.errors import UserError
from tools.methods import evaluation


@dataclass(frozen=True)
class Method:
    """One way to enlarge an image.

    Attributes
    ----------
    name : str
        As the paper's tables have it; other configurations of a method follow a dash: "DRRN-B1U9".
    finish : callable (net's output or None, Sample) -> ndarray, (m H, m W), float32
        The result of about 0..1 from the net's output.
    network, variant : str or None
        Generator in prototxt/ and its variant; None for a method without a net.
    take : callable (Sample) -> ndarray, float32
        What the net is given.
    output : str
        The blob that is read.
    net_scales : dict of int to int
        Factor of the net where it is not the factor asked for.
    protocol : str
        How the authors tested it, see tools/methods/protocols.py.
    tile : (int, int) or None
        Side and overlap of the tiles for a net that takes the enlarged image, see tools/nets/tiles.py; None: no tiles.
    stock_side : int or None
        Side of the tiles where Caffe's own CPU layers compute (CAFFE_CPU_ENGINE=blas): these keep a column buffer a
        convolution and need several times the memory. None: the same side.
    printed : bool
        The paper's tables have it.
    """

    name: str
    finish: Callable
    network: Optional[str] = None
    variant: Optional[str] = None
    take: Optional[Callable] = None
    output: str = "sum"
    net_scales: tuple = ()
    protocol: str = "idn"
    tile: Optional[tuple] = None
    stock_side: Optional[int] = None
    printed: bool = True

    @property
    def enlarges_first(self):
        """Whether the net takes the interpolated image, which is as large as the result."""
        return self.take is _base

    @property
    def starts_late(self):
        """Whether the net's output begins at pixel m - 1 of the result, as that of a transposed convolution does."""
        return self.finish in (_placed, evaluation.add_base)

    @property
    def adds_base(self):
        """Whether the net's output is the residual that the bicubic enlargement is added to."""
        return self.finish is evaluation.add_base

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

    def build(self, scale):
        """The deploy net (NetParameter) for a factor."""
        # here, because the generators import Caffe, which re-rendering tables must not need
        from prototxt.registry import NETWORKS

        return NETWORKS[self.network].net("deploy", dict(self.net_scales).get(scale, scale), self.variant)

    def load(self, scale, path=None, engine="caffe"):
        """The net with the weights of `path`, of any kind in weight_files, or random ones for None.

        A caffe.Net, or the same net in another of engines.ENGINES; evaluation.forward takes both.
        """
        from tools.nets import engines

        message = self.build(scale)
        return engines.convert(self._load(message, path), message, engine)

    def _load(self, message, path):
        from tools.nets import matconvnet, runtime, weight_files

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


def _base(sample):
    return sample.base


def _lr(sample):
    return sample.lr


def _as_it_is(output, sample):
    if output.shape != sample.base.shape:
        raise UserError(
            f"{sample.name}: the net's output is {output.shape[1]}x{output.shape[0]} pixels, expected "
            f"{sample.base.shape[1]}x{sample.base.shape[0]} at x{sample.scale}; take the deploy net of this scale"
        )
    return output


def _resized(output, sample):
    """LapSRN's way to x3: the x4 result made smaller."""
    if output.shape == sample.base.shape:
        return output
    return matlab.imresize(output, output_shape=sample.base.shape)


def _placed(output, sample):
    """An output of m (n - 1) + 1 pixels from index m - 1 on, as the databases of `make data` are cut."""
    skip = sample.scale - 1
    result = sample.base.copy()
    result[skip:, skip:] = output
    return result


METHODS = {
    method.name: method
    for method in (
        Method("Bicubic", finish=lambda _, sample: sample.base),
        # radius 20: the tiles change nothing but time and memory
        Method("VDSR", _as_it_is, "vdsr", take=_base, protocol="clamp", tile=(500, 20), stock_side=256),
        Method("DRCN", _as_it_is, "drcn", None, _base, "ensemble", protocol="clamp", tile=(256, 20), stock_side=96),
        Method(
            "LapSRN",
            _resized,
            "lapsrn",
            take=_lr,
            output="level1_output",
            net_scales=((3, 4),),
            protocol="rgb",
        ),
        # tile and overlap of the released test scripts
        Method("DRRN", _as_it_is, "drrn", "b1u25", _base, "HR_recovery", tile=(150, 16)),
        Method("MemNet", _as_it_is, "memnet", "m6r6_released", _base, "HR_recovery", tile=(150, 16)),
        Method("IDN", evaluation.add_base, "idn", take=_lr, output="upsample"),
        # the other published configurations; DRRN above is B1U25, MemNet M6R6 as released
        Method("DRRN-B1U9", _as_it_is, "drrn", "b1u9", _base, "HR_recovery", tile=(150, 16), printed=False),
        Method("MemNet-M6R6", _as_it_is, "memnet", "m6r6", _base, "HR_recovery", tile=(150, 16), printed=False),
        Method("MemNet-M10R10", _as_it_is, "memnet", "m10r10", _base, "HR_recovery", tile=(150, 16), printed=False),
        Method("SRCNN", _as_it_is, "srcnn", "955", _base, "conv3", printed=False),
        Method("SRCNN-9-1-5", _as_it_is, "srcnn", "915", _base, "conv3", printed=False),
        Method("FSRCNN", _placed, "fsrcnn", take=_lr, output="conv8", printed=False),
        Method("ESPCN", _as_it_is, "espcn", take=_lr, output="shuffle", printed=False),
        # radius 30: as with VDSR
        Method("RED30", _as_it_is, "red30", take=_base, tile=(256, 30), stock_side=128, printed=False),
    )
}
