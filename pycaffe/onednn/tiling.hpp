// How an output is cut into tiles of 4x4 values, numbered row by row and image by image, and where the tiles of a
// vector lie in memory.
#pragma once

#include "../kernels/kernels.hpp"

namespace idn::onednn {

// An array of images as tiles see it: they begin `pad` values before it; images are `image_stride` values apart.
struct Area {
  int height, width, pad_height, pad_width;
  long image_stride;
};

class Tiling {
 public:
  Tiling(int images, int height, int width);

  long tiles() const { return images_ * per_image_; }
  long rows() const { return rows_; }  // of an image
  long columns() const { return columns_; }

  // Of tiles first .. first + lanes, each `size` rows high (6 of the input, 4 of the output); those behind the last
  // tile have no values.
  kernels::Place place(const Area& area, long first, int lanes, int size) const;

 private:
  const long images_, rows_, columns_, per_image_;
};

}  // namespace idn::onednn
