"""Caffe's data layer for pairs that are cut from images.

The net's file says all that the layer needs (image_source), so that Caffe runs it without tools/train.py as well;
PYTHONPATH must then name the checkout.
"""

from prototxt.engine import caffe
from tools.training import image_feed, image_source


class ImagePairs(caffe.Layer):
    """The tops are the datasets that a database would have, by their names: (batch, 1, side, side)."""

    def setup(self, bottom, top):
        """Read the layer's parameter; raises DataError when the images are not those that it names."""
        source, self.batch, self.names = image_source.of_parameter(self.param_str)
        self.feed = image_feed.of(source)
        self.feed.expect(self.batch * caffe.solver_count())
        for index, name in enumerate(self.names):  # pycaffe's vector of tops can only be asked for one at a time
            side = self.feed.sides[name]
            top[index].reshape(self.batch, 1, side, side)

    def reshape(self, bottom, top):
        """The shapes never change."""

    def forward(self, bottom, top):
        """Copy the next pairs."""
        out = {name: top[index].data for index, name in enumerate(self.names)}
        self.feed.read(out, caffe.solver_rank(), caffe.solver_count())

    def backward(self, top, propagate_down, bottom):
        """Nothing is learned below the data."""
