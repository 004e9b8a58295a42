// A convolution computed by oneDNN, in its own layouts; plain arrays are copied into them and back.
#pragma once

#include <memory>

#include "convolution.hpp"

namespace idn::onednn {

class DnnlConvolution : public Convolution {
 public:
  explicit DnnlConvolution(const Geometry& geometry);
  ~DnnlConvolution() override;

  // False where oneDNN has only its slow reference code.
  bool has_forward() override;
  // oneDNN's ReLU without a slope makes 0 of NaN, upstream's keeps it, so that a diverged net shows: never then.
  bool has_forward_relu(float slope) override;
  bool has_backward_data() override;
  bool has_backward_weights() override;

  void forward(const float* in, const float* weights, const float* bias, float* out) override;
  // Each slope has a kernel of its own.
  void forward_relu(const float* in, const float* weights, const float* bias, float slope, float* out) override;
  void backward_data(const float* out_gradient, const float* weights, float* in_gradient) override;
  void backward_weights(const float* in, const float* out_gradient, float* weight_gradient,
                        float* bias_gradient) override;
  // out_gradient is brought into the kernels' layout once where they share it.
  void backward(const float* in, const float* out_gradient, const float* weights, float* in_gradient,
                float* weight_gradient, float* bias_gradient) override;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

// The rest of a transposed convolution whose forward pass, the gradient of the input, is a kernel of our own.
class DnnlBesideOwnUpsampling : public DnnlConvolution {
 public:
  using DnnlConvolution::DnnlConvolution;

  bool has_backward_data() override { return true; }
  void backward(const float* in, const float* out_gradient, const float* weights, float* in_gradient,
                float* weight_gradient, float* bias_gradient) override {
    Convolution::backward(in, out_gradient, weights, in_gradient, weight_gradient, bias_gradient);
  }
};

}  // namespace idn::onednn
