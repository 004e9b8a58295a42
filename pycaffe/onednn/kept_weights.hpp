// Weights in the form that a kernel wants, kept until the weights change. Layers that share their weights, as
// recursions and nets of Net.share_with do, share this form as well.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace idn::onednn {

// First number of a form.
enum Kind { kWinogradForward, kWinogradBackward, kPointwiseForward, kPointwiseBackward, kPhases, kUpsampling, kOneMap };

class KeptWeights {
 public:
  // What the values are, besides whose: a number for the kind of kernel, and the sizes that they depend on.
  using Form = std::vector<int>;

  explicit KeptWeights(const Form& form);

  // The `size` values that make(values) fills from `count` weights: at the first call, and when a weight has changed
  // since. Anybody may write to Caffe's arrays at any time, so they are compared with a copy.
  const float* get(const float* weights, std::size_t count, std::size_t size, const std::function<void(float*)>& make);

 private:
  struct Kept {
    std::mutex mutex;
    std::vector<float> of, values;
  };

  static std::shared_ptr<Kept> kept_for(const float* weights, const Form& form);

  const Form form_;
  const float* weights_ = nullptr;
  std::shared_ptr<Kept> kept_;
};

}  // namespace idn::onednn
