#include "descriptors.hpp"

#include <cstddef>

namespace idn::cuda {

namespace {

struct Tensor {
  cudnnDataType_t type;
  int dims[4], strides[4];

  explicit Tensor(cudnnTensorDescriptor_t desc) {
    cudnnGetTensor4dDescriptor(desc, &type, dims, dims + 1, dims + 2, dims + 3, strides, strides + 1, strides + 2,
                               strides + 3);
  }
};

struct Filter {
  cudnnDataType_t type;
  int dims[4];

  explicit Filter(cudnnFilterDescriptor_t desc) {
    cudnnTensorFormat_t format;
    cudnnGetFilter4dDescriptor(desc, &type, &format, dims, dims + 1, dims + 2, dims + 3);
  }
};

std::size_t width(cudnnDataType_t type) { return type == CUDNN_DATA_DOUBLE ? sizeof(double) : sizeof(float); }

}  // namespace

void describe(cudnnTensorDescriptor_t desc, Key* key) {
  const Tensor tensor(desc);
  key->push_back(tensor.type);
  key->insert(key->end(), tensor.dims, tensor.dims + 4);
  key->insert(key->end(), tensor.strides, tensor.strides + 4);
}

void describe(cudnnFilterDescriptor_t desc, Key* key) {
  const Filter filter(desc);
  key->push_back(filter.type);
  key->insert(key->end(), filter.dims, filter.dims + 4);
}

void describe(cudnnConvolutionDescriptor_t desc, Key* key) {
  cudnnConvolutionMode_t mode;
  cudnnDataType_t type;
  int values[6];  // pads, strides, dilations
  cudnnGetConvolution2dDescriptor(desc, values, values + 1, values + 2, values + 3, values + 4, values + 5, &mode,
                                  &type);
  key->push_back(type);
  key->insert(key->end(), values, values + 6);
}

std::size_t bytes_of(cudnnTensorDescriptor_t desc) {
  const Tensor tensor(desc);
  std::size_t last = 0;
  for (int i = 0; i < 4; ++i) {
    last += static_cast<std::size_t>(tensor.dims[i] - 1) * tensor.strides[i];
  }
  return (last + 1) * width(tensor.type);
}

std::size_t bytes_of(cudnnFilterDescriptor_t desc) {
  const Filter filter(desc);
  std::size_t count = 1;
  for (const int dim : filter.dims) {
    count *= dim;
  }
  return count * width(filter.type);
}

bool is_double(cudnnTensorDescriptor_t desc) { return Tensor(desc).type == CUDNN_DATA_DOUBLE; }

bool is_double(cudnnFilterDescriptor_t desc) { return Filter(desc).type == CUDNN_DATA_DOUBLE; }

}  // namespace idn::cuda
