// The ReLU that a convolution computes for its neighbour: max(x, 0) + slope * min(x, 0), in place.
#pragma once

#include <algorithm>

#include "runtime.hpp"

namespace idn::onednn {

inline void activate(float* values, long count, float slope) {
  parallel_for(count, [=](long begin, long end) {
    for (long i = begin; i < end; ++i) {
      values[i] = std::max(values[i], 0.f) + slope * std::min(values[i], 0.f);
    }
  });
}

}  // namespace idn::onednn
