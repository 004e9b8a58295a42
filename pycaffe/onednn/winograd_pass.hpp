// One direction of a 3x3 convolution with stride 1 by Winograd's F(4x4, 3x3): tiles in, tiles out, on plain arrays.
#pragma once

#include <functional>

#include "../kernels/kernels.hpp"
#include "tiling.hpp"

namespace idn::onednn {

// From the arrays that are read to those that are written.
struct Direction {
  int images, groups;
  int in_channels, in_height, in_width;
  int out_channels, out_height, out_width;
  int pad_height, pad_width;
};

// Values between two frequencies. A multiple of a page would put all 36 into the same few lines of the cache.
long frequency_stride(long values);

class WinogradPass {
 public:
  // Tiles that are ready, instead of an array that they go to.
  struct Finished {
    long first;           // number of the first tile
    int tiles;            // those behind the last one of `tiling` have no meaning
    int channel, count;   // first output channel, and how many
    const float* values;  // values[((channel * 4 + y) * tiles + tile) * 4 + x]
  };
  using Receiver = std::function<void(const Finished&)>;

  // Needs kernels::best().
  explicit WinogradPass(const Direction& direction);

  const Direction& direction() const { return direction_; }
  const Tiling& tiling() const { return tiling_; }
  int channels() const { return direction_.in_channels / direction_.groups; }  // of a group
  int rows() const { return direction_.out_channels / direction_.groups; }

  // Floats of the transformed weights.
  long size_of_weights() const { return direction_.groups * size_of_group(); }
  // Weight (row, channel, tap) of a group lies at in[row * row_stride + channel * channel_stride + tap], taps backward
  // if `flipped`.
  void transform(const float* in, long row_stride, long channel_stride, bool flipped, float* out) const;

  // Both give false if a result is not finite: the transforms spread NaN and infinity over their tiles.
  // out = in * weights + bias (may be null), then max(x, 0) + slope * min(x, 0) if `activate`.
  bool run(const float* in, const float* weights, const float* bias, bool activate, float slope, float* out) const;
  // The same without bias, block of channels by block, from several threads at once.
  bool run(const float* in, const float* weights, const Receiver& receive) const;

 private:
  struct To;

  long size_of_group() const;
  bool run_to(const float* in, const float* weights, const To& to) const;
  bool run_vectors(const float* in, const float* weights, const To& to, long begin, long end) const;

  const kernels::Kernels& kernels_;
  const Direction direction_;
  const Tiling tiling_;
};

}  // namespace idn::onednn
