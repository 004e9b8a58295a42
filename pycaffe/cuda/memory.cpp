#include "memory.hpp"

#include <cstddef>
#include <cstring>
#include <string>

namespace idn::cuda {

bool capturing() {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  return cudaStreamIsCapturing(cudaStreamPerThread, &status) == cudaSuccess && status != cudaStreamCaptureStatusNone;
}

cudaError_t allocate(void** pointer, std::size_t size, const char* what) {
  const cudaError_t status = cudaMalloc(pointer, size);
  if (status == cudaSuccess) {
    return status;
  }
  cudaGetLastError();  // taken back: the next check after a kernel would find it
  if (status != cudaErrorMemoryAllocation || std::strstr(what, "workspaceData")) {
    return status;
  }
  std::size_t available = 0, total = 0;
  int device = 0;
  cudaGetDevice(&device);
  cudaMemGetInfo(&available, &total);
  throw OutOfMemory("out of memory on GPU " + std::to_string(device) + ": " + std::to_string((size >> 20) + 1) +
                           " MB more are needed, " + std::to_string(available >> 20) + " of " +
                           std::to_string(total >> 20) + " MB are free");
}

cudaError_t copy(void* to, const void* from, std::size_t size, cudaMemcpyKind kind) {
  return capturing() ? cudaMemcpyAsync(to, from, size, kind, cudaStreamPerThread) : cudaMemcpy(to, from, size, kind);
}

cudaError_t fill(void* to, int value, std::size_t size) {
  return cudaMemsetAsync(to, value, size, cudaStreamPerThread);
}

}  // namespace idn::cuda
