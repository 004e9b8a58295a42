// CUDA graphs of Caffe's own passes: the kernels that the layers launch are recorded once and then issued as a whole,
// because for small images and small batches the launches, one by one, take several times as long as the kernels.
#pragma once

#include <cuda_runtime.h>

#include <boost/shared_ptr.hpp>
#include <cstddef>
#include <functional>
#include <vector>

#include "caffe/net.hpp"
#include "caffe/solver.hpp"

namespace idn::cuda {

using Net = caffe::Net<float>;
using Solver = caffe::Solver<float>;

// What a recorded pass has in its kernels' arguments: the addresses and shapes of a net's blobs.
class Layout {
 public:
  Layout() = default;
  explicit Layout(Net* net);
  bool operator==(const Layout& other) const { return values_ == other.values_; }

 private:
  std::vector<std::size_t> values_;
};

// A recorded piece of work in Caffe's stream.
class Graph {
 public:
  Graph() = default;
  ~Graph() { reset(); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  void record(const std::function<void()>& work);
  void launch() const;
  void reset();
  bool empty() const { return exec_ == nullptr; }

 private:
  cudaGraphExec_t exec_ = nullptr;
};

// Forward passes of a net that takes its images by input blobs; std::runtime_error for another net, and outside of the
// GPU mode.
class GraphNet {
 public:
  explicit GraphNet(boost::shared_ptr<Net> net);
  void forward();

 private:
  boost::shared_ptr<Net> net_;
  Layout layout_;
  Graph graph_;
};

// Training iterations of a solver, as Solver::Step makes them on one GPU; std::runtime_error for a solver that it
// cannot run, and outside of the GPU mode.
class GraphSolver {
 public:
  explicit GraphSolver(boost::shared_ptr<Solver> solver);
  std::vector<float> step(int iterations);

 private:
  void load_data();
  void record();
  float forward_backward();

  boost::shared_ptr<Solver> solver_;
  Net* net_;
  int first_;  // the layers before this one read data
  int loss_;   // from this layer on there are losses, whose values go to the host
  Layout layout_;
  Graph forward_, backward_;
};

}  // namespace idn::cuda
