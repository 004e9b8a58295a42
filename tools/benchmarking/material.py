"""What the rows of a benchmark share: images are decoded once and nets built once, as far as memory allows.

The check before a benchmark reads every image and builds every net, so that a bad one is told at once. What it has
made waits here for the rows that need it.
"""

from data_prep import images
from tools.methods import weight_check
from tools.nets import engines

# bytes: Set5, Set14 and BSD100 fit, a hundred images of a megapixel do not, and those beyond are decoded for every row
PICTURES = 64 << 20
# bytes of weights; a net that has not run holds little else
NETS = 16 << 20


class Material:
    """Decoded images and checked nets.

    Parameters
    ----------
    pictures, nets : int
        Bytes of pixels, and of weights, that may wait. One net may in any case.
    """

    def __init__(self, pictures=PICTURES, nets=NETS):
        self._most_pixels, self._most_weights = pictures, nets
        self._pixels, self._nets = {}, {}

    def inspect(self, path):
        """Read an image file (Path) from end to end; gives its ImageInfo, raises DataError."""
        info, pixels = images.examine(path)
        self._keep(info, pixels)
        return info

    def image(self, info):
        """Pixels (ndarray, uint8) of an image as images.read_image gives them; not to be changed.

        Raises
        ------
        DataError
            The file had to be read again and is another one by now.
        """
        pixels = self._pixels.get(info.path)
        if pixels is None:
            pixels = images.read_pixels(info)
            self._keep(info, pixels)
        return pixels

    def _keep(self, info, pixels):
        if pixels.nbytes + sum(one.nbytes for one in list(self._pixels.values())) <= self._most_pixels:
            self._pixels[info.path] = pixels

    def forget(self, infos):
        """Make room: no further row needs these images (iterable of ImageInfo)."""
        for info in infos:
            self._pixels.pop(info.path, None)

    def check_net(self, method, scale, path):
        """Build a method's net with the weights of `path`; raises UserError if they do not fit.

        What has been checked is not checked again, such as the net that VDSR has for all scales.

        Parameters
        ----------
        method : Method
        scale : int
        path : Path
        """
        message = method.build(scale)
        key = _key(message, path)
        if key in self._nets:
            return
        net = weight_check.checked_net(method, scale, path, message)
        waiting = sum(size for _, size in self._nets.values())
        size = sum(4 * blob.count for blobs in net.params.values() for blob in blobs)
        if waiting and waiting + size > self._most_weights:
            net, size = None, 0
        self._nets[key] = net, size

    def net(self, method, scale, path, engine="caffe"):
        """The net of a row, for tiles.forward; never one that has run before.

        Parameters are those of Method.load.
        """
        message = method.build(scale)
        key = _key(message, path)
        net, _ = self._nets.pop(key, (None, 0))
        return engines.convert(net, message, engine) if net else method.load(scale, path, engine)


def _key(message, path):
    return message.SerializeToString(), path
