#include "convolution_algorithms.hpp"

#include <cuda_runtime.h>

#include <cstddef>
#include <map>
#include <vector>

#include "convolution_options.hpp"
#include "descriptors.hpp"
#include "memory.hpp"
#include "trial.hpp"

namespace idn::cuda {

namespace {

// One direction of a convolution: which functions of cuDNN answer for it. All take their arguments in one order: two
// arrays that are read (a, b), the convolution (c), the array that is written (d).
struct Forward {
  using Algorithm = cudnnConvolutionFwdAlgo_t;
  using Candidate = cudnnConvolutionFwdAlgoPerf_t;
  static constexpr Algorithm kNoWorkspace = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM;
  static constexpr auto kList = &cudnnGetConvolutionForwardAlgorithm_v7;
  static constexpr auto kSize = &cudnnGetConvolutionForwardWorkspaceSize;
  static constexpr auto kRun = &cudnnConvolutionForward;
};

struct BackwardFilter {
  using Algorithm = cudnnConvolutionBwdFilterAlgo_t;
  using Candidate = cudnnConvolutionBwdFilterAlgoPerf_t;
  static constexpr Algorithm kNoWorkspace = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0;
  static constexpr auto kList = &cudnnGetConvolutionBackwardFilterAlgorithm_v7;
  static constexpr auto kSize = &cudnnGetConvolutionBackwardFilterWorkspaceSize;
  static constexpr auto kRun = &cudnnConvolutionBackwardFilter;
};

struct BackwardData {
  using Algorithm = cudnnConvolutionBwdDataAlgo_t;
  using Candidate = cudnnConvolutionBwdDataAlgoPerf_t;
  static constexpr Algorithm kNoWorkspace = CUDNN_CONVOLUTION_BWD_DATA_ALGO_0;
  static constexpr auto kList = &cudnnGetConvolutionBackwardDataAlgorithm_v7;
  static constexpr auto kSize = &cudnnGetConvolutionBackwardDataWorkspaceSize;
  static constexpr auto kRun = &cudnnConvolutionBackwardData;
};

template <typename A, typename B, typename C, typename D>
Key key_of(A a, B b, C c, D d) {
  int device = 0;
  cudaGetDevice(&device);
  Key key;
  key.reserve(40);
  key.push_back(device);
  describe(a, &key);
  describe(b, &key);
  describe(c, &key);
  describe(d, &key);
  return key;
}

// What cuDNN offers and the options allow, its own guess at the fastest first.
template <typename Direction, typename A, typename B, typename C, typename D>
std::vector<typename Direction::Candidate> candidates(cudnnHandle_t handle, A a, B b, C c, D d, std::size_t limit) {
  const int kMost = 8;
  typename Direction::Candidate offered[kMost];
  int count = 0;
  if (Direction::kList(handle, a, b, c, d, kMost, &count, offered) != CUDNN_STATUS_SUCCESS) {
    count = 0;
  }
  std::vector<typename Direction::Candidate> found;
  for (int i = 0; i < count; ++i) {
    const bool works = offered[i].status == CUDNN_STATUS_SUCCESS && offered[i].memory <= limit;
    const bool repeats = !deterministic() || offered[i].determinism == CUDNN_DETERMINISTIC;
    // a float convolution by tensor cores is TF32, whatever the descriptor asked for
    const bool precise = tf32() || offered[i].mathType == CUDNN_FMA_MATH || offered[i].mathType == CUDNN_DEFAULT_MATH;
    if (works && repeats && precise) {
      found.push_back(offered[i]);
    }
  }
  return found;
}

// The fastest by trial; the first where the GPU has no memory for trials.
template <typename Direction, typename A, typename B, typename C, typename D>
typename Direction::Algorithm fastest(cudnnHandle_t handle, A a, B b, C c, D d,
                                      const std::vector<typename Direction::Candidate>& list) {
  const Scratch first(bytes_of(a)), second(bytes_of(b)), result(bytes_of(d));
  if (!first.get() || !second.get() || !result.get()) {
    return list.front().algo;
  }
  const double one_double = 1, zero_double = 0;
  const float one_float = 1, zero_float = 0;
  const void* one = is_double(a) ? static_cast<const void*>(&one_double) : &one_float;
  const void* zero = is_double(a) ? static_cast<const void*>(&zero_double) : &zero_float;
  typename Direction::Algorithm best = Direction::kNoWorkspace;
  float least = -1;
  for (const typename Direction::Candidate& candidate : list) {
    const Scratch workspace(candidate.memory);
    const float milliseconds = time_of([&] {
      return Direction::kRun(handle, one, a, first.get(), b, second.get(), c, candidate.algo, workspace.get(),
                             candidate.memory, zero, d, result.get());
    });
    if (milliseconds >= 0 && (least < 0 || milliseconds < least)) {
      least = milliseconds;
      best = candidate.algo;
    }
  }
  return best;
}

template <typename Direction, typename A, typename B, typename C, typename D>
cudnnStatus_t choose(cudnnHandle_t handle, A a, B b, C c, D d, std::size_t limit,
                     typename Direction::Algorithm* chosen) {
  *chosen = Direction::kNoWorkspace;
  if (!handle) {
    return CUDNN_STATUS_SUCCESS;
  }
  static thread_local std::map<Key, typename Direction::Algorithm> known;
  const Key key = key_of(a, b, c, d);
  const auto hit = known.find(key);
  if (hit != known.end()) {
    *chosen = hit->second;
    return CUDNN_STATUS_SUCCESS;
  }
  const auto list = candidates<Direction>(handle, a, b, c, d, limit);
  if (!list.empty()) {
    const bool timed = autotune() && !capturing();
    *chosen = timed ? fastest<Direction>(handle, a, b, c, d, list) : list.front().algo;
  }
  known[key] = *chosen;
  return CUDNN_STATUS_SUCCESS;
}

template <typename Direction, typename A, typename B, typename C, typename D>
cudnnStatus_t size_of(cudnnHandle_t handle, A a, B b, C c, D d, typename Direction::Algorithm algorithm,
                      std::size_t* size) {
  *size = 0;
  if (!handle) {
    return CUDNN_STATUS_SUCCESS;
  }
  static thread_local std::map<Key, std::size_t> known;
  Key key = key_of(a, b, c, d);
  key.push_back(algorithm);
  const auto hit = known.find(key);
  if (hit != known.end()) {
    *size = hit->second;
    return CUDNN_STATUS_SUCCESS;
  }
  const cudnnStatus_t status = Direction::kSize(handle, a, b, c, d, algorithm, size);
  if (status == CUDNN_STATUS_SUCCESS) {
    known[key] = *size;
  }
  return status;
}

}  // namespace

cudnnStatus_t choose_algorithm(cudnnHandle_t handle, cudnnTensorDescriptor_t in, cudnnFilterDescriptor_t weights,
                               cudnnConvolutionDescriptor_t convolution, cudnnTensorDescriptor_t out, std::size_t limit,
                               cudnnConvolutionFwdAlgo_t* chosen) {
  return choose<Forward>(handle, in, weights, convolution, out, limit, chosen);
}

cudnnStatus_t choose_algorithm(cudnnHandle_t handle, cudnnTensorDescriptor_t in, cudnnTensorDescriptor_t out_gradient,
                               cudnnConvolutionDescriptor_t convolution, cudnnFilterDescriptor_t weight_gradient,
                               std::size_t limit, cudnnConvolutionBwdFilterAlgo_t* chosen) {
  return choose<BackwardFilter>(handle, in, out_gradient, convolution, weight_gradient, limit, chosen);
}

cudnnStatus_t choose_algorithm(cudnnHandle_t handle, cudnnFilterDescriptor_t weights,
                               cudnnTensorDescriptor_t out_gradient, cudnnConvolutionDescriptor_t convolution,
                               cudnnTensorDescriptor_t in_gradient, std::size_t limit,
                               cudnnConvolutionBwdDataAlgo_t* chosen) {
  return choose<BackwardData>(handle, weights, out_gradient, convolution, in_gradient, limit, chosen);
}

cudnnStatus_t get_workspace_size(cudnnHandle_t handle, cudnnTensorDescriptor_t in, cudnnFilterDescriptor_t weights,
                                 cudnnConvolutionDescriptor_t convolution, cudnnTensorDescriptor_t out,
                                 cudnnConvolutionFwdAlgo_t algorithm, std::size_t* size) {
  return size_of<Forward>(handle, in, weights, convolution, out, algorithm, size);
}

cudnnStatus_t get_workspace_size(cudnnHandle_t handle, cudnnTensorDescriptor_t in, cudnnTensorDescriptor_t out_gradient,
                                 cudnnConvolutionDescriptor_t convolution, cudnnFilterDescriptor_t weight_gradient,
                                 cudnnConvolutionBwdFilterAlgo_t algorithm, std::size_t* size) {
  return size_of<BackwardFilter>(handle, in, out_gradient, convolution, weight_gradient, algorithm, size);
}

cudnnStatus_t get_workspace_size(cudnnHandle_t handle, cudnnFilterDescriptor_t weights,
                                 cudnnTensorDescriptor_t out_gradient, cudnnConvolutionDescriptor_t convolution,
                                 cudnnTensorDescriptor_t in_gradient, cudnnConvolutionBwdDataAlgo_t algorithm,
                                 std::size_t* size) {
  return size_of<BackwardData>(handle, weights, out_gradient, convolution, in_gradient, algorithm, size);
}

}  // namespace idn::cuda
