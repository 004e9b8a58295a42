#include "handles.hpp"

#include "memory.hpp"

namespace idn::cuda {

namespace {

bool has_device() {
  static const bool found = [] {
    int count = 0;
    const bool ok = cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
    if (!ok) {
      cudaGetLastError();  // leave no error behind for the next check
    }
    return ok;
  }();
  return found;
}

}  // namespace

cudaError_t create_stream(cudaStream_t* stream) {
  *stream = nullptr;
  return has_device() ? cudaStreamCreate(stream) : cudaSuccess;
}

cublasStatus_t create_blas(cublasHandle_t* handle) {
  *handle = nullptr;
  if (!has_device()) {
    return CUBLAS_STATUS_SUCCESS;
  }
  const cublasStatus_t status = cublasCreate(handle);
  return status == CUBLAS_STATUS_SUCCESS ? cublasSetStream(*handle, cudaStreamPerThread) : status;
}

curandStatus_t create_random(curandGenerator_t* generator, curandRngType_t type) {
  *generator = nullptr;
  if (!has_device()) {
    return CURAND_STATUS_SUCCESS;
  }
  const curandStatus_t status = curandCreateGenerator(generator, type);
  return status == CURAND_STATUS_SUCCESS ? curandSetStream(*generator, cudaStreamPerThread) : status;
}

curandStatus_t seed_random(curandGenerator_t generator, unsigned long long seed) {
  return generator ? curandSetPseudoRandomGeneratorSeed(generator, seed) : CURAND_STATUS_SUCCESS;
}

cudnnStatus_t create_dnn(cudnnHandle_t* handle) {
  *handle = nullptr;
  if (!has_device()) {
    return CUDNN_STATUS_SUCCESS;
  }
  const cudnnStatus_t status = cudnnCreate(handle);
  if (status != CUDNN_STATUS_SUCCESS) {
    throw_if_full("cuDNN");
    return status;
  }
  return cudnnSetStream(*handle, cudaStreamPerThread);
}

cudnnStatus_t destroy_dnn(cudnnHandle_t handle) { return handle ? cudnnDestroy(handle) : CUDNN_STATUS_SUCCESS; }

cudnnStatus_t set_dnn_stream(cudnnHandle_t handle, cudaStream_t) {
  return handle ? cudnnSetStream(handle, cudaStreamPerThread) : CUDNN_STATUS_SUCCESS;
}

}  // namespace idn::cuda
