#include "lines.hpp"

#include <algorithm>
#include <vector>

#include "../kernels/kernels.hpp"
#include "runtime.hpp"

namespace idn::onednn {

namespace {

using kernels::kMostLanes;

// What the kernels read and write at once, of any instruction set.
constexpr long kRoom = kernels::kVectors * kMostLanes;

}  // namespace

Lines::Lines(int channels, const Reach& vertical, const Reach& horizontal, long pixels)
    : channels_(channels),
      vertical_(vertical),
      horizontal_(horizontal),
      pixels_(pixels),
      width_(round_up(pixels, kRoom) + round_up(horizontal.taps, kMostLanes)),
      channel_(vertical.taps * width_ + kMostLanes) {}

long Lines::results() const { return round_up(pixels_, kRoom); }

std::vector<long> Lines::offsets(long row) const {
  std::vector<long> offsets(vertical_.taps);
  for (int tap = 0; tap < vertical_.taps; ++tap) {
    offsets[tap] = (row + tap) % vertical_.taps * width_;
  }
  return offsets;
}

void Lines::fill(const float* image, long row, bool all, float* lines) const {
  for (int tap = all ? 0 : vertical_.taps - 1; tap < vertical_.taps; ++tap) {
    fill_line(image, row + vertical_.first + tap, lines);
  }
}

// Line `line` of every channel to its place in the ring.
void Lines::fill_line(const float* image, long line, float* lines) const {
  const long slot = ((line - vertical_.first) % vertical_.taps + vertical_.taps) % vertical_.taps;
  // column 0 of the line is pixel `first`
  const long begin = std::max(0, -horizontal_.first), skipped = std::max(0, horizontal_.first);
  const long count = std::max(0L, std::min(horizontal_.size - skipped, width_ - begin));
  for (int channel = 0; channel < channels_; ++channel) {
    float* to = lines + channel * channel_ + slot * width_;
    if (line < 0 || line >= vertical_.size) {
      std::fill_n(to, width_, 0.f);
      continue;
    }
    const float* from = image + (static_cast<long>(channel) * vertical_.size + line) * horizontal_.size + skipped;
    std::fill_n(to, begin, 0.f);
    std::copy_n(from, count, to + begin);
    std::fill(to + begin + count, to + width_, 0.f);
  }
}

}  // namespace idn::onednn
