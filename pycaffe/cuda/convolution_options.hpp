// How cuDNN is to compute convolutions: what the user chose by environment variables, read once, when the first
// convolution is made. pycaffe has no other way to hand options down. docs/gpu.md lists them.
#pragma once

#include <cudnn.h>

#include <cstddef>

namespace idn::cuda {

bool tf32();           // CAFFE_CUDNN_TF32
bool deterministic();  // CAFFE_CUDNN_DETERMINISTIC: the same bits in every run
bool autotune();       // CAFFE_CUDNN_BENCHMARK, where determinism leaves a choice

// Bytes that an algorithm may take: CAFFE_CUDNN_WORKSPACE_MB, else the 8 MiB that upstream asks for; who lets
// algorithms be timed wants the fast ones, which take more.
std::size_t workspace_limit(std::size_t asked);

// As cudnnSetConvolution2dDescriptor. cuDNN computes float convolutions in TF32 (10 bits of mantissa) on Ampere and
// later unless told otherwise. Caffe of 2018 computed in float: so does this one, unless tf32().
cudnnStatus_t set_convolution(cudnnConvolutionDescriptor_t desc, int pad_height, int pad_width, int stride_height,
                              int stride_width, int dilation_height, int dilation_width, cudnnConvolutionMode_t mode,
                              cudnnDataType_t type);

}  // namespace idn::cuda
