#include "adam.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "caffe/sgd_solvers.hpp"

namespace idn::cuda {

namespace {

// iter_ is protected, and an update must count it up
struct Access : public caffe::AdamSolver<float> {
  static int caffe::Solver<float>::* iteration() { return &Access::iter_; }
};

struct Segment {
  float *data, *diff, *m, *v;
  int count;
  float rate, decay;  // multipliers of the solver's
};

const int kThreads = 256;
const int kSegments = 64;  // what fits into a kernel's arguments

struct Segments {
  Segment at[kSegments];
};

// the same steps for each value as Regularize, AdamUpdate and Net::Update make
__global__ void update(const __grid_constant__ Segments segments, float rate, float correction, float decay,
                       float beta1, float beta2, float eps) {
  const Segment& s = segments.at[blockIdx.y];
  const float local_rate = rate * s.rate * correction;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < s.count; i += blockDim.x * gridDim.x) {
    float w = s.data[i];
    float g = s.diff[i];
    if (decay * s.decay != 0) {
      g = fmaf(decay * s.decay, w, g);
    }
    const float m = s.m[i] = s.m[i] * beta1 + g * (1 - beta1);
    const float v = s.v[i] = s.v[i] * beta2 + g * g * (1 - beta2);
    g = local_rate * m / (sqrt(v) + eps);
    s.diff[i] = g;
    s.data[i] = w - g;
  }
}

}  // namespace

bool adam_update(caffe::Solver<float>* solver) {
  auto* adam = dynamic_cast<caffe::AdamSolver<float>*>(solver);
  const caffe::SolverParameter& param = solver->param();
  if (!adam || param.iter_size() != 1 || param.clip_gradients() >= 0 || param.regularization_type() != "L2") {
    return false;
  }
  caffe::Net<float>* net = solver->net().get();
  const std::vector<caffe::Blob<float>*>& params = net->learnable_params();
  const int t = solver->iter() + 1;
  const float beta1 = param.momentum(), beta2 = param.momentum2();
  const float rate = adam->GetLearningRate();
  const float correction = std::sqrt(1.0f - std::pow(beta2, t)) / (1.0f - std::pow(beta1, t));
  for (std::size_t begin = 0; begin < params.size(); begin += kSegments) {
    Segments segments;
    const int n = static_cast<int>(std::min<std::size_t>(kSegments, params.size() - begin));
    int largest = 0;
    for (int i = 0; i < n; ++i) {
      const std::size_t id = begin + i;
      Segment& s = segments.at[i];
      s.data = params[id]->mutable_gpu_data();
      s.diff = params[id]->mutable_gpu_diff();
      s.m = adam->history()[id]->mutable_gpu_data();
      s.v = adam->history()[id + params.size()]->mutable_gpu_data();
      s.count = params[id]->count();
      s.rate = net->params_lr()[id];
      s.decay = net->params_weight_decay()[id];
      largest = std::max(largest, s.count);
    }
    const dim3 grid(std::min((largest + kThreads - 1) / kThreads, 64), n);
    update<<<grid, kThreads>>>(segments, rate, correction, param.weight_decay(), beta1, beta2, param.delta());
  }
  CUDA_POST_KERNEL_CHECK;
  ++(solver->*Access::iteration());
  return true;
}

}  // namespace idn::cuda
