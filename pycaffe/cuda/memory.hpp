// Caffe's memory on the GPU. Upstream's calls end the process when the memory is full, and cannot be part of a CUDA
// graph; these can, and throw.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <stdexcept>

namespace idn::cuda {

// A GPU's memory is full. What it says is for the user; to Python it is a MemoryError (module.cpp).
class OutOfMemory : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Whether this thread's stream is recording a CUDA graph.
bool capturing();

// As cudaMalloc, but OutOfMemory when the memory is full: upstream's CUDA_CHECK would end the process, the
// exception reaches Python. Where upstream goes on without the memory (a workspace of cuDNN's), it gets the status.
// `what` is the pointer's name in upstream's code.
cudaError_t allocate(void** pointer, std::size_t size, const char* what);

// OutOfMemory when the current GPU has next to no memory left. For calls of NVIDIA's libraries that have failed: a full
// GPU makes cuDNN say no more than "internal error".
void throw_if_full(const char* library);

// As cudaMemcpy and cudaMemset, in this thread's stream; a copy does not wait for its end while a graph is recorded.
cudaError_t copy(void* to, const void* from, std::size_t size, cudaMemcpyKind kind);
cudaError_t fill(void* to, int value, std::size_t size);

}  // namespace idn::cuda
