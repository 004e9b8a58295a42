// What cuDNN's descriptors say: as numbers, to tell one convolution from another, and the memory they stand for.
#pragma once

#include <cudnn.h>

#include <cstddef>
#include <vector>

namespace idn::cuda {

using Key = std::vector<int>;

// Appends all that a descriptor says.
void describe(cudnnTensorDescriptor_t desc, Key* key);
void describe(cudnnFilterDescriptor_t desc, Key* key);
void describe(cudnnConvolutionDescriptor_t desc, Key* key);

// Bytes from the first to the last value.
std::size_t bytes_of(cudnnTensorDescriptor_t desc);
std::size_t bytes_of(cudnnFilterDescriptor_t desc);

bool is_double(cudnnTensorDescriptor_t desc);
bool is_double(cudnnFilterDescriptor_t desc);

}  // namespace idn::cuda
