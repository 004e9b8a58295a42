// Makes Caffe's files, which stay as they are, call this folder's functions where CUDA 12 and 13 or cuDNN 8 and 9 are
// no longer what they were in 2018: each name that upstream writes becomes a macro. compat/caffe_compat.hpp brings it
// in front of every file of Caffe's. The functions themselves are compiled without it and call NVIDIA's; why each is
// there, the header says that declares it.
//
// No macro begins with "::": NVIDIA's headers write some of these names with it.
#pragma once

#include "bias_gradient.hpp"
#include "memory.hpp"

#define cudnnConvolutionBackwardBias(...) idn::cuda::bias_gradient(__VA_ARGS__)
#undef cudaMemcpy  // with a stream of each thread's own, both are aliases
#define cudaMemcpy(to, from, size, kind) idn::cuda::copy(to, from, size, kind)
#undef cudaMemset
#define cudaMemset(to, value, size) idn::cuda::fill(to, value, size)

#ifndef __CUDACC__  // the .cu files need nothing more

#include "convolution_algorithms.hpp"
#include "convolution_options.hpp"
#include "device_properties.hpp"
#include "handles.hpp"

#if CUDART_VERSION >= 13000
#define cudaDeviceProp idn::cuda::DeviceProperties
#undef cudaGetDeviceProperties  // a versioned alias in some headers
#define cudaGetDeviceProperties(properties, device) idn::cuda::get_device_properties(properties, device)
#endif

#define cudaMalloc(pointer, size) idn::cuda::allocate(reinterpret_cast<void**>(pointer), size, #pointer)
#define cudaStreamCreate(stream) idn::cuda::create_stream(stream)
#undef cublasCreate  // cublas_v2.h has it as an alias
#define cublasCreate(handle) idn::cuda::create_blas(handle)
#define curandCreateGenerator(generator, type) idn::cuda::create_random(generator, type)
#define curandSetPseudoRandomGeneratorSeed(generator, seed) idn::cuda::seed_random(generator, seed)
#define cudnnCreate(handle) idn::cuda::create_dnn(handle)
#define cudnnDestroy(handle) idn::cuda::destroy_dnn(handle)
#define cudnnSetStream(handle, stream) idn::cuda::set_dnn_stream(handle, stream)

#define cudnnSetConvolution2dDescriptor(...) idn::cuda::set_convolution(__VA_ARGS__)
#define cudnnGetConvolutionForwardAlgorithm(handle, a, b, c, d, preference, limit, algorithm) \
  idn::cuda::choose_algorithm(handle, a, b, c, d, idn::cuda::workspace_limit(limit), algorithm)
#define cudnnGetConvolutionBackwardFilterAlgorithm(handle, a, b, c, d, preference, limit, algorithm) \
  idn::cuda::choose_algorithm(handle, a, b, c, d, idn::cuda::workspace_limit(limit), algorithm)
#define cudnnGetConvolutionBackwardDataAlgorithm(handle, a, b, c, d, preference, limit, algorithm) \
  idn::cuda::choose_algorithm(handle, a, b, c, d, idn::cuda::workspace_limit(limit), algorithm)
#define cudnnGetConvolutionForwardWorkspaceSize(...) idn::cuda::get_workspace_size(__VA_ARGS__)
#define cudnnGetConvolutionBackwardFilterWorkspaceSize(...) idn::cuda::get_workspace_size(__VA_ARGS__)
#define cudnnGetConvolutionBackwardDataWorkspaceSize(...) idn::cuda::get_workspace_size(__VA_ARGS__)

// The preferences that went with those queries. Caffe passes no other.
enum {
  CUDNN_CONVOLUTION_FWD_SPECIFY_WORKSPACE_LIMIT,
  CUDNN_CONVOLUTION_BWD_FILTER_SPECIFY_WORKSPACE_LIMIT,
  CUDNN_CONVOLUTION_BWD_DATA_SPECIFY_WORKSPACE_LIMIT
};

#endif  // __CUDACC__
