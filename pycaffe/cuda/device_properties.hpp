// CUDA 13 dropped three members of cudaDeviceProp that Caffe's common.cpp and tools/caffe.cpp print; they are
// attributes of the device now.
#pragma once

#include <cuda_runtime.h>

#if CUDART_VERSION >= 13000

namespace idn::cuda {

struct DeviceProperties : cudaDeviceProp {
  int clockRate, deviceOverlap, kernelExecTimeoutEnabled;  // upstream's names
};

// As cudaGetDeviceProperties.
cudaError_t get_device_properties(DeviceProperties* properties, int device);

}  // namespace idn::cuda

#endif
