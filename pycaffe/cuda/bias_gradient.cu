#include "bias_gradient.hpp"

namespace idn::cuda {

namespace {

const int kThreads = 512;

// One block a channel, always in the same order, so that the result has the same bits in every run.
__global__ void sum_channels(const float* from, int images, int pixels, int image_stride, int channel_stride,
                             float alpha, float beta, float* to) {
  __shared__ float partial[kThreads / 32];
  const float* channel = from + blockIdx.x * channel_stride;
  float sum = 0;
  for (int i = threadIdx.x; i < images * pixels; i += kThreads) {
    sum += channel[i / pixels * image_stride + i % pixels];
  }
  for (int lane = 16; lane; lane /= 2) {
    sum += __shfl_down_sync(0xffffffffu, sum, lane);
  }
  if (threadIdx.x % 32 == 0) {
    partial[threadIdx.x / 32] = sum;
  }
  __syncthreads();
  if (threadIdx.x >= 32) {
    return;
  }
  sum = threadIdx.x < kThreads / 32 ? partial[threadIdx.x] : 0;
  for (int lane = 16; lane; lane /= 2) {
    sum += __shfl_down_sync(0xffffffffu, sum, lane);
  }
  if (threadIdx.x == 0) {
    to[blockIdx.x] = alpha * sum + (beta == 0 ? 0 : beta * to[blockIdx.x]);
  }
}

}  // namespace

cudnnStatus_t bias_gradient(cudnnHandle_t handle, const void* alpha, cudnnTensorDescriptor_t from_desc,
                            const void* from, const void* beta, cudnnTensorDescriptor_t to_desc, void* to) {
  cudnnDataType_t type;
  int n, c, h, w, n_stride, c_stride, h_stride, w_stride;
  const cudnnStatus_t status =
      cudnnGetTensor4dDescriptor(from_desc, &type, &n, &c, &h, &w, &n_stride, &c_stride, &h_stride, &w_stride);
  if (status != CUDNN_STATUS_SUCCESS) {
    return status;
  }
  if (type != CUDNN_DATA_FLOAT || w_stride != 1 || h_stride != w) {
    return cudnnConvolutionBackwardBias(handle, alpha, from_desc, from, beta, to_desc, to);
  }
  sum_channels<<<c, kThreads, 0, cudaStreamPerThread>>>(static_cast<const float*>(from), n, h * w, n_stride, c_stride,
                                                        *static_cast<const float*>(alpha),
                                                        *static_cast<const float*>(beta), static_cast<float*>(to));
  return cudaPeekAtLastError() == cudaSuccess ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_EXECUTION_FAILED;
}

}  // namespace idn::cuda
