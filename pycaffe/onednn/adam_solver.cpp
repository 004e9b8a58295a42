// Adam's update in one parallel pass: upstream goes seven times over each array, with one core, and takes the root
// with pow().
#include <cmath>
#include <typeinfo>
#include <vector>

#include "caffe/sgd_solvers.hpp"
#include "layers.hpp"
#include "runtime.hpp"

namespace idn::onednn {

namespace {

template <typename Dtype>
class FastAdam : public caffe::AdamSolver<Dtype> {
 public:
  explicit FastAdam(const caffe::SolverParameter& param) : caffe::AdamSolver<Dtype>(param) {}

 protected:
  void ComputeUpdateValue(int param_id, Dtype rate) override {
    if (caffe::Caffe::mode() != caffe::Caffe::CPU) {
      caffe::AdamSolver<Dtype>::ComputeUpdateValue(param_id, rate);
      return;
    }
    const std::vector<caffe::Blob<Dtype>*>& params = this->net_->learnable_params();
    const Dtype beta1 = this->param_.momentum(), beta2 = this->param_.momentum2(), delta = this->param_.delta();
    const int t = this->iter_ + 1;
    const Dtype correction = std::sqrt(Dtype(1) - std::pow(beta2, t)) / (Dtype(1) - std::pow(beta1, t));
    const Dtype step = rate * this->net_->params_lr()[param_id] * correction;
    Dtype* gradient = params[param_id]->mutable_cpu_diff();
    Dtype* m = this->history_[param_id]->mutable_cpu_data();
    Dtype* v = this->history_[param_id + params.size()]->mutable_cpu_data();
    run([&] {
      parallel_for(params[param_id]->count(), [=](long begin, long end) {
        for (long i = begin; i < end; ++i) {
          const Dtype g = gradient[i];
          m[i] = beta1 * m[i] + (Dtype(1) - beta1) * g;
          v[i] = beta2 * v[i] + (Dtype(1) - beta2) * (g * g);
          gradient[i] = step * (m[i] / (std::sqrt(v[i]) + delta));
        }
      });
    });
  }
};

}  // namespace

template <typename Dtype>
caffe::Solver<Dtype>* new_adam(const caffe::SolverParameter& param) {
  return new FastAdam<Dtype>(param);
}

const std::type_info& adam_type() { return typeid(FastAdam<float>); }

template caffe::Solver<float>* new_adam<float>(const caffe::SolverParameter&);
template caffe::Solver<double>* new_adam<double>(const caffe::SolverParameter&);

}  // namespace idn::onednn
