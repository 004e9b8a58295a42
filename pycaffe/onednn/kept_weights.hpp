// Weights in the form that a kernel wants, kept until the weights change.
#pragma once

#include <cstddef>
#include <cstring>
#include <vector>

namespace idn::onednn {

class KeptWeights {
 public:
  // The `size` values that make(values) fills from `count` weights: at the first call, and when a weight has changed
  // since. Anybody may write to Caffe's arrays at any time, so they are compared with a copy.
  template <typename Make>
  const float* get(const float* weights, std::size_t count, std::size_t size, const Make& make) {
    if (of_.size() != count || std::memcmp(of_.data(), weights, count * sizeof(float)) != 0) {
      of_.assign(weights, weights + count);
      values_.resize(size);
      make(values_.data());
    }
    return values_.data();
  }

 private:
  std::vector<float> of_, values_;
};

}  // namespace idn::onednn
