// Lines of an image of several channels with zeros around them, as many as a kernel is high, one behind the other in a
// ring: what Kernels::correlate reads.
#pragma once

#include <vector>

namespace idn::onednn {

// Along one axis: output q is a sum over pixels q + first ... q + first + taps - 1 of the image's `size`.
struct Reach {
  int first, taps, size;
};

class Lines {
 public:
  // `pixels`: outputs in a row
  Lines(int channels, const Reach& vertical, const Reach& horizontal, long pixels);

  // Values of all lines; of results of one row, whole vectors as the kernels write them.
  long size() const { return channels_ * channel_stride(); }
  long results() const;

  long channel_stride() const { return channel_; }
  // Where the lines for row `row` of the outputs begin.
  std::vector<long> offsets(long row) const;
  // Puts the lines of `image` that row `row` of the outputs needs there: the last one, or all of them.
  void fill(const float* image, long row, bool all, float* lines) const;

 private:
  void fill_line(const float* image, long line, float* lines) const;

  const int channels_;
  const Reach vertical_, horizontal_;
  const long pixels_;
  const long width_;    // of a line with its borders, and room for whole vectors
  const long channel_;  // values between two channels
};

}  // namespace idn::onednn
