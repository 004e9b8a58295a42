#include "upsampling.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "../kernels/dispatch.hpp"

namespace idn::onednn {

using kernels::kTile;

namespace {

PhaseAxis vertical(const Geometry& g) {
  return PhaseAxis(g.stride_height, g.pad_height, g.kernel_height, g.out_height, g.in_height);
}

PhaseAxis horizontal(const Geometry& g) {
  return PhaseAxis(g.stride_width, g.pad_width, g.kernel_width, g.out_width, g.in_width);
}

// The small image's convolution; its outputs are all phases of the first map, then those of the second, ...
Direction direction_of(const Geometry& g) {
  const PhaseAxis y = vertical(g), x = horizontal(g);
  return {g.images,   1,          g.out_channels, g.out_height, g.out_width, g.in_channels * y.stride * x.stride,
          y.blocks(), x.blocks(), -y.first,       -x.first};
}

bool three_taps(const PhaseAxis& axis) { return axis.taps <= 3 && axis.first >= -2 && axis.first <= 0; }

// Every stride-th value of a row of the large image.
void spread_one(const float* from, long count, long stride, float* to) {
  for (long i = 0; i < count; ++i) {
    to[i * stride] = from[i];
  }
}

}  // namespace

bool Upsampling::serves(const Geometry& g) {
  const bool kind = (g.stride_height > 1 || g.stride_width > 1) && g.groups == 1 && g.dilation_height == 1 &&
                    g.dilation_width == 1 && kernels::best() != nullptr;
  if (!kind || !three_taps(vertical(g)) || !three_taps(horizontal(g))) {
    return false;
  }
  const Direction d = direction_of(g);
  // With fewer tiles the transformed weights are most of the work, as in Winograd's own convolutions. Sums over few
  // maps are cheap and, computed directly, nearly exact: an image is not worth the transforms' rounding.
  const bool large = Tiling(d.images, d.out_height, d.out_width).tiles() >= std::max(d.in_channels, d.out_channels);
  return large && d.in_channels >= 4;
}

Upsampling::Upsampling(const Geometry& g)
    : DnnlBesideOwnUpsampling(g),
      kernels_(*kernels::best()),
      vertical_(vertical(g)),
      horizontal_(horizontal(g)),
      pass_(direction_of(g)),
      kept_({kUpsampling, g.stride_height, g.stride_width, g.pad_height, g.pad_width, g.kernel_height, g.kernel_width,
             g.in_channels, g.out_channels}) {}

const float* Upsampling::transformed(const float* weights) {
  const Geometry& g = geometry();
  const long taps = static_cast<long>(g.kernel_height) * g.kernel_width;
  return kept_.get(weights, taps * g.out_channels * g.in_channels, pass_.size_of_weights(), [&](float* values) {
    const int phases = vertical_.stride * horizontal_.stride;
    std::vector<float> small(static_cast<std::size_t>(pass_.rows()) * g.out_channels * 9);
    for (long i = 0; i < static_cast<long>(small.size()); ++i) {
      const int tap = static_cast<int>(i % 9), channel = static_cast<int>(i / 9 % g.out_channels);
      const int row = static_cast<int>(i / 9 / g.out_channels), phase = row % phases;
      const int y = vertical_.kernel_tap(phase / horizontal_.stride, tap / 3);
      const int x = horizontal_.kernel_tap(phase % horizontal_.stride, tap % 3);
      const float* from = weights + (static_cast<long>(channel) * g.in_channels + row / phases) * taps;
      small[i] = y >= 0 && x >= 0 ? from[static_cast<long>(y) * g.kernel_width + x] : 0.f;
    }
    pass_.transform(small.data(), 9L * g.out_channels, 9, false, values);
  });
}

// `tiles` neighbouring tiles, from (row, column) of the blocks on, to the large image.
void Upsampling::spread_run(const float* values, long line_length, long image, long row, long column, int tiles,
                            int channel, int count, float* out) const {
  const int stride = horizontal_.stride, phases = vertical_.stride * stride;
  for (int i = 0; i < count; ++i) {
    const int map = (channel + i) / phases, phase = (channel + i) % phases;
    const bool pair = stride == 2 && phase % 2 == 0 && i + 1 < count;
    for (int y = 0; y < kTile; ++y) {
      const long line = (row + y) * vertical_.stride + phase / stride;
      const long first = column * stride + phase % stride;
      if (line >= vertical_.large || first >= horizontal_.large) {
        continue;
      }
      const float* from = values + (i * kTile + y) * line_length;
      float* to = out + ((image * geometry().in_channels + map) * vertical_.large + line) * horizontal_.large + first;
      const long wanted = std::min<long>(tiles * kTile, (horizontal_.large - first + stride - 1) / stride);
      if (pair) {
        const long both = std::min<long>(wanted, (horizontal_.large - first) / 2);
        kernels_.interleave(from, from + kTile * line_length, both, to);
        spread_one(from + both, wanted - both, 1, to + 2 * both);
      } else {
        spread_one(from, wanted, stride, to);
      }
    }
    i += pair;
  }
}

void Upsampling::spread(const WinogradPass::Finished& finished, float* out) const {
  const Tiling& tiling = pass_.tiling();
  for (long tile = finished.first; tile < std::min(finished.first + finished.tiles, tiling.tiles());) {
    const long run = std::min(
        {tiling.columns() - tile % tiling.columns(), tiling.tiles() - tile, finished.first + finished.tiles - tile});
    const long row = tile / tiling.columns();
    spread_run(finished.values + (tile - finished.first) * kTile, static_cast<long>(finished.tiles) * kTile,
               row / tiling.rows(), row % tiling.rows() * kTile, tile % tiling.columns() * kTile, static_cast<int>(run),
               finished.channel, finished.count, out);
    tile += run;
  }
}

void Upsampling::backward_data(const float* out_gradient, const float* weights, float* in_gradient) {
  const bool finite = pass_.run(out_gradient, transformed(weights),
                                [&](const WinogradPass::Finished& finished) { spread(finished, in_gradient); });
  if (!finite && DnnlConvolution::has_backward_data()) {
    // taps that only other phases have are multiplied by 0, which makes NaN of what is not finite
    DnnlConvolution::backward_data(out_gradient, weights, in_gradient);
  }
}

}  // namespace idn::onednn
