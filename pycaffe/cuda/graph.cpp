#include "graph.hpp"

#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "adam.hpp"

namespace idn::cuda {

using caffe::Blob;
using caffe::Caffe;
using caffe::Layer;

namespace {

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) {
    return;
  }
  cudaGetLastError();
  throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(status));
}

void need_gpu_mode() {
  if (Caffe::mode() != Caffe::GPU) {
    throw std::runtime_error("CUDA graphs need set_mode_gpu() before");
  }
}

// Whatever the host has written goes to the GPU; a recorded pass would not notice.
void upload(const std::vector<Blob<float>*>& blobs) {
  for (Blob<float>* blob : blobs) {
    if (blob->count()) {
      blob->gpu_data();
    }
  }
}

void upload_params(Net* net) {
  for (const auto& param : net->params()) {
    param->gpu_data();
  }
}

// Caffe in CPU mode as long as this lives, also when an exception ends it.
class OnCpu {
 public:
  OnCpu() { Caffe::set_mode(Caffe::CPU); }
  ~OnCpu() { Caffe::set_mode(Caffe::GPU); }
};

}  // namespace

Layout::Layout(Net* net) {
  for (const auto& blob : net->blobs()) {
    if (!blob->count()) {
      continue;
    }
    values_.push_back(reinterpret_cast<std::size_t>(blob->gpu_data()));
    values_.insert(values_.end(), blob->shape().begin(), blob->shape().end());
  }
  for (const auto& param : net->params()) {
    values_.push_back(reinterpret_cast<std::size_t>(param->gpu_data()));
  }
}

void Graph::reset() {
  if (exec_) {
    cudaGraphExecDestroy(exec_);
  }
  exec_ = nullptr;
}

void Graph::record(const std::function<void()>& work) {
  reset();
  cudaGraph_t graph = nullptr;
  check(cudaStreamBeginCapture(cudaStreamPerThread, cudaStreamCaptureModeThreadLocal), "CUDA graph, begin");
  try {
    work();
  } catch (...) {  // the GPU's memory is full: a stream that is left recording refuses all that comes after
    if (cudaStreamEndCapture(cudaStreamPerThread, &graph) == cudaSuccess && graph) {
      cudaGraphDestroy(graph);
    }
    cudaGetLastError();
    throw;
  }
  check(cudaStreamEndCapture(cudaStreamPerThread, &graph), "CUDA graph, end");
  const cudaError_t status = cudaGraphInstantiate(&exec_, graph, 0);
  cudaGraphDestroy(graph);
  check(status, "CUDA graph, instantiate");
}

void Graph::launch() const { check(cudaGraphLaunch(exec_, cudaStreamPerThread), "CUDA graph, launch"); }

GraphNet::GraphNet(boost::shared_ptr<Net> net) : net_(net) {
  need_gpu_mode();
  for (std::size_t i = 0; i < net->layers().size(); ++i) {
    if (net->bottom_vecs()[i].empty() && std::string(net->layers()[i]->type()) != "Input") {
      throw std::runtime_error("CUDA graphs of a net need Input layers, not " + std::string(net->layers()[i]->type()));
    }
  }
}

void GraphNet::forward() {
  need_gpu_mode();
  if (graph_.empty() || !(Layout(net_.get()) == layout_)) {
    // once as it is: shapes, memory, algorithms, constants on the GPU; then the same again for the record
    graph_.reset();
    net_->Forward();
    graph_.record([this] { net_->Forward(); });
    layout_ = Layout(net_.get());
  }
  upload(net_->input_blobs());
  upload_params(net_.get());
  graph_.launch();
  for (Blob<float>* blob : net_->output_blobs()) {
    blob->mutable_gpu_data();
  }
}

GraphSolver::GraphSolver(boost::shared_ptr<Solver> solver) : solver_(solver), net_(solver->net().get()) {
  need_gpu_mode();
  const std::vector<boost::shared_ptr<Layer<float>>>& layers = net_->layers();
  first_ = 0;
  while (first_ < static_cast<int>(layers.size()) && net_->bottom_vecs()[first_].empty()) {
    ++first_;
  }
  loss_ = first_;
  while (loss_ < static_cast<int>(layers.size())) {
    bool is_loss = false;
    for (std::size_t t = 0; t < net_->top_vecs()[loss_].size(); ++t) {
      is_loss |= layers[loss_]->loss(t) != 0;
    }
    if (is_loss) {
      break;
    }
    ++loss_;
  }
  if (first_ == 0 || loss_ == static_cast<int>(layers.size())) {
    throw std::runtime_error("CUDA graphs of a solver need a net that begins with data layers and ends in a loss");
  }
  for (int i = 0; i < first_; ++i) {  // pinned memory, which only the GPU mode gives
    for (Blob<float>* top : net_->top_vecs()[i]) {
      top->mutable_cpu_data();
    }
  }
  if (solver_->param().iter_size() != 1) {
    throw std::runtime_error("CUDA graphs of a solver need iter_size 1");
  }
}

// The data layers copy row by row; to the host's memory that is cheap, and each blob goes to the GPU in one piece.
void GraphSolver::load_data() {
  {
    const OnCpu mode;
    for (int i = 0; i < first_; ++i) {
      net_->layers()[i]->Forward(net_->bottom_vecs()[i], net_->top_vecs()[i]);
    }
  }
  for (int i = 0; i < first_; ++i) {
    upload(net_->top_vecs()[i]);
  }
}

void GraphSolver::record() {
  const int last = static_cast<int>(net_->layers().size()) - 1;
  forward_.record([this] { net_->ForwardFromTo(first_, loss_ - 1); });
  backward_.record([this, last] {
    net_->ClearParamDiffs();
    net_->BackwardFromTo(last, first_);
  });
  layout_ = Layout(net_);
}

float GraphSolver::forward_backward() {
  const int last = static_cast<int>(net_->layers().size()) - 1;
  load_data();
  if (forward_.empty() || !(Layout(net_) == layout_)) {
    net_->ClearParamDiffs();
    const float loss = net_->ForwardFromTo(first_, last);
    net_->BackwardFromTo(last, first_);
    record();
    return loss;
  }
  forward_.launch();
  const float loss = net_->ForwardFromTo(loss_, last);
  backward_.launch();
  return loss;
}

std::vector<float> GraphSolver::step(int iterations) {
  need_gpu_mode();
  std::vector<float> losses;
  upload_params(net_);
  for (int i = 0; i < iterations; ++i) {
    losses.push_back(forward_backward());
    if (!adam_update(solver_.get())) {
      solver_->ApplyUpdate();
    }
  }
  return losses;
}

}  // namespace idn::cuda
