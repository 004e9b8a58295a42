#include "convolution_options.hpp"

#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace idn::cuda {

namespace {

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value && *value && std::strcmp(value, "0") != 0;
}

}  // namespace

bool tf32() {
  static const bool on = is_set("CAFFE_CUDNN_TF32");
  return on;
}

bool deterministic() {
  static const bool on = is_set("CAFFE_CUDNN_DETERMINISTIC");
  return on;
}

bool autotune() {
  static const bool on = is_set("CAFFE_CUDNN_BENCHMARK");
  return on && !deterministic();
}

std::size_t workspace_limit(std::size_t asked) {
  static const char* given = std::getenv("CAFFE_CUDNN_WORKSPACE_MB");
  if (given && *given) {
    return static_cast<std::size_t>(std::atol(given)) << 20;
  }
  return autotune() ? std::size_t{64} << 20 : asked;
}

cudnnStatus_t set_convolution(cudnnConvolutionDescriptor_t desc, int pad_height, int pad_width, int stride_height,
                              int stride_width, int dilation_height, int dilation_width, cudnnConvolutionMode_t mode,
                              cudnnDataType_t type) {
  const cudnnStatus_t status = cudnnSetConvolution2dDescriptor(desc, pad_height, pad_width, stride_height, stride_width,
                                                               dilation_height, dilation_width, mode, type);
  if (status != CUDNN_STATUS_SUCCESS) {
    return status;
  }
  return cudnnSetConvolutionMathType(desc, tf32() ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH);
}

}  // namespace idn::cuda
