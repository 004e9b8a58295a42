// Forward pass of a convolution with one output, as at the end of most networks here: a direct sum. What transforming
// the many inputs for Winograd costs, one output does not repay. The gradients are another convolution's.
#pragma once

#include <memory>

#include "../kernels/kernels.hpp"
#include "convolution.hpp"
#include "kept_weights.hpp"
#include "lines.hpp"

namespace idn::onednn {

class OneMap : public Convolution {
 public:
  OneMap(const Geometry& geometry, std::unique_ptr<Convolution> gradients);

  // Whether it is for these sizes, and this processor has the instructions.
  static bool serves(const Geometry& geometry);

  bool has_forward() override { return true; }
  bool has_forward_relu(float) override { return true; }
  bool has_backward_data() override { return gradients_->has_backward_data(); }
  bool has_backward_weights() override { return gradients_->has_backward_weights(); }

  void forward(const float* in, const float* weights, const float* bias, float* out) override;
  void forward_relu(const float* in, const float* weights, const float* bias, float slope, float* out) override;
  void backward_data(const float* out_gradient, const float* weights, float* in_gradient) override {
    gradients_->backward_data(out_gradient, weights, in_gradient);
  }
  void backward_weights(const float* in, const float* out_gradient, float* weight_gradient,
                        float* bias_gradient) override {
    gradients_->backward_weights(in, out_gradient, weight_gradient, bias_gradient);
  }
  void backward(const float* in, const float* out_gradient, const float* weights, float* in_gradient,
                float* weight_gradient, float* bias_gradient) override {
    gradients_->backward(in, out_gradient, weights, in_gradient, weight_gradient, bias_gradient);
  }

 private:
  const float* packed(const float* weights);

  const std::unique_ptr<Convolution> gradients_;
  const kernels::Kernels& kernels_;
  const Lines lines_;
  KeptWeights kept_;
};

}  // namespace idn::onednn
