// The Python module caffe_build._graph.
#include <boost/python.hpp>
#include <vector>

#include "graph.hpp"

namespace bp = boost::python;

namespace {

bp::list step(idn::cuda::GraphSolver* solver, int iterations) {
  bp::list losses;
  for (const float loss : solver->step(iterations)) {
    losses.append(loss);
  }
  return losses;
}

}  // namespace

BOOST_PYTHON_MODULE(_graph) {
  bp::class_<idn::cuda::GraphNet, boost::noncopyable>("GraphNet", bp::init<boost::shared_ptr<idn::cuda::Net>>())
      .def("forward", &idn::cuda::GraphNet::forward);
  bp::class_<idn::cuda::GraphSolver, boost::noncopyable>("GraphSolver",
                                                         bp::init<boost::shared_ptr<idn::cuda::Solver>>())
      .def("step", &step);
}
