// The streams, and the handles of cuBLAS, cuRAND and cuDNN, that Caffe's layers and threads make.
//
// On a machine without a GPU they are null: upstream makes them whatever the mode is, and would end the process, while
// the cuDNN layers must be made there as well, to run on the CPU.
//
// With a GPU all of them work in the thread's own stream. Upstream gives every group of a convolution a stream of its
// own; with one for all, a pass is one line of kernels that a CUDA graph can hold, and the groups of these nets are too
// small to gain from running side by side.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cudnn.h>
#include <curand.h>

namespace idn::cuda {

// As cudaStreamCreate, cublasCreate, curandCreateGenerator and curandSetPseudoRandomGeneratorSeed.
cudaError_t create_stream(cudaStream_t* stream);
cublasStatus_t create_blas(cublasHandle_t* handle);
curandStatus_t create_random(curandGenerator_t* generator, curandRngType_t type);
curandStatus_t seed_random(curandGenerator_t generator, unsigned long long seed);

// As cudnnCreate, cudnnDestroy and cudnnSetStream, the latter for the thread's own stream whichever is asked for.
// create_dnn throws OutOfMemory where cuDNN fails on a full GPU, of which its status says nothing.
cudnnStatus_t create_dnn(cudnnHandle_t* handle);
cudnnStatus_t destroy_dnn(cudnnHandle_t handle);
cudnnStatus_t set_dnn_stream(cudnnHandle_t handle, cudaStream_t asked);

}  // namespace idn::cuda
