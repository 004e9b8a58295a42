// 1x1 convolutions with stride 1: products of matrices on plain arrays, each image's pixels side by side.
#pragma once

#include "../kernels/kernels.hpp"
#include "convolution.hpp"
#include "kept_weights.hpp"

namespace idn::onednn {

class Pointwise : public Convolution {
 public:
  explicit Pointwise(const Geometry& geometry);

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
  // `rows` outputs of `channels` inputs, group by group; weight (row, channel) lies at the two steps.
  const float* packed(const float* weights, int channels, int rows, long row_step, long channel_step,
                      KeptWeights& kept) const;
  void run(const float* in, int channels, const float* weights, int rows, const float* bias, bool activate, float slope,
           float* out) const;

  const kernels::Kernels& kernels_;
  const int in_channels_, out_channels_;  // of a group
  const long pixels_;
  KeptWeights for_forward_, for_backward_;
};

}  // namespace idn::onednn
