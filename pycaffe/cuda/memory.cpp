#include "memory.hpp"

#include <cstddef>
#include <cstring>
#include <string>

namespace idn::cuda {

namespace {

// what cuDNN takes for a handle, with its kernels and workspace, generously
constexpr std::size_t kStartOfLibrary = std::size_t{256} << 20;

// Memory of the current GPU, in bytes, and the words for it.
struct Memory {
  int device = 0;
  std::size_t available = 0, total = 0;

  std::string full() const { return "out of memory on GPU " + std::to_string(device) + ": "; }
  std::string free() const {
    return std::to_string(available >> 20) + " of " + std::to_string(total >> 20) + " MB are free";
  }
};

Memory current_memory() {
  Memory memory;
  cudaGetDevice(&memory.device);
  cudaMemGetInfo(&memory.available, &memory.total);
  return memory;
}

}  // namespace

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
  const Memory memory = current_memory();
  throw OutOfMemory(memory.full() + std::to_string((size >> 20) + 1) + " MB more are needed, " + memory.free());
}

void throw_if_full(const char* library) {
  const Memory memory = current_memory();
  if (memory.available < kStartOfLibrary) {
    throw OutOfMemory(memory.full() + library + " cannot start, " + memory.free());
  }
}

cudaError_t copy(void* to, const void* from, std::size_t size, cudaMemcpyKind kind) {
  return capturing() ? cudaMemcpyAsync(to, from, size, kind, cudaStreamPerThread) : cudaMemcpy(to, from, size, kind);
}

cudaError_t fill(void* to, int value, std::size_t size) {
  return cudaMemsetAsync(to, value, size, cudaStreamPerThread);
}

}  // namespace idn::cuda
