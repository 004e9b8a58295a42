// One convolution of fixed sizes, computed by oneDNN: forward and both gradients, on plain Caffe arrays.
#pragma once

#include <memory>

namespace idn::onednn {

// Sizes in Caffe's terms; arrays are (images, channels, height, width), weights (out, in / groups, height, width).
struct Geometry {
  int images, groups;
  int in_channels, in_height, in_width;
  int out_channels, out_height, out_width;
  int kernel_height, kernel_width, stride_height, stride_width;
  int pad_height, pad_width, dilation_height, dilation_width;

  bool operator==(const Geometry& other) const;
};

class Convolution {
 public:
  explicit Convolution(const Geometry& geometry);
  ~Convolution();

  const Geometry& geometry() const;
  // Threads it was made for: oneDNN divides the work when it makes its kernels.
  int threads() const;

  // False where oneDNN has only its slow reference code for these sizes; the caller takes Caffe's own then.
  bool has_forward();
  bool has_forward_relu(float slope);
  bool has_backward_data();
  bool has_backward_weights();

  // out = in * weights + bias; `bias` may be null.
  void forward(const float* in, const float* weights, const float* bias, float* out);
  // The same, then max(x, 0) + slope * min(x, 0); each slope has a kernel of its own.
  void forward_relu(const float* in, const float* weights, const float* bias, float slope, float* out);
  // in_gradient = out_gradient through the weights
  void backward_data(const float* out_gradient, const float* weights, float* in_gradient);
  // Adds to the gradients of weights and, unless null, bias.
  void backward_weights(const float* in, const float* out_gradient, float* weight_gradient, float* bias_gradient);
  // Both; out_gradient is brought into the kernels' layout once where they share it.
  void backward(const float* in, const float* out_gradient, const float* weights, float* in_gradient,
                float* weight_gradient, float* bias_gradient);

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace idn::onednn
