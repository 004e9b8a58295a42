// 3x3 convolutions with stride 1 by Winograd's F(4x4, 3x3): a quarter of the products, on plain arrays.
#pragma once

#include <memory>

#include "convolution.hpp"
#include "kept_weights.hpp"
#include "winograd_pass.hpp"

namespace idn::onednn {

class Winograd : public Convolution {
 public:
  explicit Winograd(const Geometry& geometry);

  // Whether it is for these sizes, and this processor has the instructions.
  static bool serves(const Geometry& geometry);

  bool has_forward() override { return true; }
  bool has_forward_relu(float) override { return true; }
  bool has_backward_data() override { return true; }
  bool has_backward_weights() override { return true; }

  void forward(const float* in, const float* weights, const float* bias, float* out) override;
  void forward_relu(const float* in, const float* weights, const float* bias, float slope, float* out) override;
  void backward_data(const float* out_gradient, const float* weights, float* in_gradient) override;
  void backward_weights(const float* in, const float* out_gradient, float* weight_gradient,
                        float* bias_gradient) override;

 private:
  const float* transformed(const float* weights, bool backward);
  bool sum_products(const float* in, const float* out_gradient, float* sums, double* bias_sums);
  // Made at first use: what computes where NaN or infinity must go exactly where upstream lets them go.
  Convolution& direct();

  const kernels::Kernels& kernels_;
  const WinogradPass forward_, backward_;
  KeptWeights for_forward_, for_backward_;
  std::unique_ptr<Convolution> direct_;
};

}  // namespace idn::onednn
