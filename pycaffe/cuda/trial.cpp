#include "trial.hpp"

#include <cuda_runtime.h>

#include <cstddef>
#include <functional>

namespace idn::cuda {

namespace {

const int kRuns = 6;
const int kRounds = 3;  // the first warms up

bool record(const std::function<cudnnStatus_t()>& work, cudaGraph_t* graph, cudaGraphExec_t* exec) {
  bool ok = cudaStreamBeginCapture(cudaStreamPerThread, cudaStreamCaptureModeThreadLocal) == cudaSuccess;
  for (int i = 0; ok && i < kRuns; ++i) {
    ok = work() == CUDNN_STATUS_SUCCESS;
  }
  ok = cudaStreamEndCapture(cudaStreamPerThread, graph) == cudaSuccess && ok;
  return ok && cudaGraphInstantiate(exec, *graph, 0) == cudaSuccess;
}

// Less than 0 when it fails.
float launch(cudaGraphExec_t exec, cudaEvent_t begin, cudaEvent_t end) {
  float milliseconds = -1;
  cudaEventRecord(begin, cudaStreamPerThread);
  const bool launched = cudaGraphLaunch(exec, cudaStreamPerThread) == cudaSuccess;
  cudaEventRecord(end, cudaStreamPerThread);
  const bool ok = launched && cudaEventSynchronize(end) == cudaSuccess &&
                  cudaEventElapsedTime(&milliseconds, begin, end) == cudaSuccess;
  return ok ? milliseconds : -1;
}

}  // namespace

Scratch::Scratch(std::size_t size) {
  if (size == 0) {
    return;
  }
  if (cudaMalloc(&pointer_, size) != cudaSuccess) {
    cudaGetLastError();
    pointer_ = nullptr;
    return;
  }
  cudaMemsetAsync(pointer_, 0, size, cudaStreamPerThread);
}

Scratch::~Scratch() { cudaFree(pointer_); }

float time_of(const std::function<cudnnStatus_t()>& work) {
  if (work() != CUDNN_STATUS_SUCCESS || cudaStreamSynchronize(cudaStreamPerThread) != cudaSuccess) {
    return -1;
  }
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  cudaEvent_t begin, end;
  bool ok = record(work, &graph, &exec);
  cudaEventCreate(&begin);
  cudaEventCreate(&end);
  float best = -1;
  for (int round = 0; ok && round < kRounds; ++round) {
    const float milliseconds = launch(exec, begin, end);
    ok = milliseconds >= 0;
    if (ok && round > 0 && (best < 0 || milliseconds < best)) {
      best = milliseconds;
    }
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  if (exec) {
    cudaGraphExecDestroy(exec);
  }
  if (graph) {
    cudaGraphDestroy(graph);
  }
  cudaGetLastError();
  return best;
}

}  // namespace idn::cuda
