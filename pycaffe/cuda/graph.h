// CUDA graphs of Caffe's own passes: the kernels that the layers launch are recorded once and then issued as a whole,
// because for small images and small batches the launches, one by one, take several times as long as the kernels.
#ifndef IDN_CAFFE_CUDA_GRAPH_H_
#define IDN_CAFFE_CUDA_GRAPH_H_

#include <functional>
#include <vector>

#include "caffe/caffe.hpp"
#include "caffe/sgd_solvers.hpp"

namespace idn {

typedef caffe::Net<float> Net;
typedef caffe::Solver<float> Solver;

// What a recorded pass has in its kernels' arguments: the addresses and shapes of a net's blobs.
class Layout {
 public:
  Layout() {}
  explicit Layout(Net* net);
  bool operator==(const Layout& other) const { return values_ == other.values_; }

 private:
  std::vector<size_t> values_;
};

// A recorded piece of work in Caffe's stream.
class Graph {
 public:
  Graph() : exec_(NULL) {}
  ~Graph() { reset(); }
  void record(const std::function<void()>& work);
  void launch() const;
  void reset();
  bool empty() const { return exec_ == NULL; }

 private:
  Graph(const Graph&);
  void operator=(const Graph&);
  cudaGraphExec_t exec_;
};

// Forward passes of a net that takes its images by input blobs.
class GraphNet {
 public:
  explicit GraphNet(boost::shared_ptr<Net> net);
  void forward();

 private:
  boost::shared_ptr<Net> net_;
  Layout layout_;
  Graph graph_;
};

// Training iterations of a solver, as Solver::Step makes them on one GPU.
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

// One Adam update of all parameters in one kernel; false when this solver's options are others than it knows.
bool adam_update(Solver* solver);

}  // namespace idn

#endif  // IDN_CAFFE_CUDA_GRAPH_H_
