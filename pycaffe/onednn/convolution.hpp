// One convolution of fixed sizes: forward and both gradients, on plain Caffe arrays. Who computes it is decided when
// it is made: our own kernels where they are fastest, oneDNN elsewhere.
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
  // Never null; whether it can do something is for the has_...() to say.
  static std::unique_ptr<Convolution> make(const Geometry& geometry);

  virtual ~Convolution() = default;
  Convolution(const Convolution&) = delete;
  Convolution& operator=(const Convolution&) = delete;

  const Geometry& geometry() const { return geometry_; }
  // Threads it was made for: oneDNN divides the work when it makes its kernels.
  int threads() const { return threads_; }

  // False where there is only slow code for these sizes; the caller takes Caffe's own then.
  virtual bool has_forward() = 0;
  virtual bool has_forward_relu(float slope) = 0;
  virtual bool has_backward_data() = 0;
  virtual bool has_backward_weights() = 0;

  // out = in * weights + bias; `bias` may be null.
  virtual void forward(const float* in, const float* weights, const float* bias, float* out) = 0;
  // The same, then max(x, 0) + slope * min(x, 0).
  virtual void forward_relu(const float* in, const float* weights, const float* bias, float slope, float* out) = 0;
  // in_gradient = out_gradient through the weights
  virtual void backward_data(const float* out_gradient, const float* weights, float* in_gradient) = 0;
  // Adds to the gradients of weights and, unless null, bias.
  virtual void backward_weights(const float* in, const float* out_gradient, float* weight_gradient,
                                float* bias_gradient) = 0;
  // Both, where that is less work than one after the other.
  virtual void backward(const float* in, const float* out_gradient, const float* weights, float* in_gradient,
                        float* weight_gradient, float* bias_gradient) {
    backward_weights(in, out_gradient, weight_gradient, bias_gradient);
    backward_data(out_gradient, weights, in_gradient);
  }

 protected:
  explicit Convolution(const Geometry& geometry);

 private:
  const Geometry geometry_;
  const int threads_;
};

// Whether one pass of a convolution, forward or (`transposed`) the gradient of its input, reads and writes Caffe's
// arrays as they are: where oneDNN computes, there are copies of both.
bool needs_no_copies(const Geometry& geometry, bool transposed);

}  // namespace idn::onednn

// The same for Python: `numbers` are the members of Geometry in their order.
extern "C" int caffe_onednn_needs_no_copies(const int* numbers, int transposed);
