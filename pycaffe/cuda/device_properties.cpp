#include "device_properties.hpp"

#if CUDART_VERSION >= 13000

namespace idn::cuda {

cudaError_t get_device_properties(DeviceProperties* properties, int device) {
  cudaError_t status = cudaGetDeviceProperties(properties, device);
  if (status == cudaSuccess) {
    status = cudaDeviceGetAttribute(&properties->clockRate, cudaDevAttrClockRate, device);
  }
  if (status == cudaSuccess) {
    status = cudaDeviceGetAttribute(&properties->deviceOverlap, cudaDevAttrGpuOverlap, device);
  }
  if (status == cudaSuccess) {
    status = cudaDeviceGetAttribute(&properties->kernelExecTimeoutEnabled, cudaDevAttrKernelExecTimeout, device);
  }
  return status;
}

}  // namespace idn::cuda

#endif
