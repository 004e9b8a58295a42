// The Python module caffe_build._graph: CUDA graphs, and the type that a full GPU's exception has in Python.
#include <boost/python.hpp>
#include <vector>

#include "graph.hpp"
#include "memory.hpp"

namespace bp = boost::python;

namespace {

bp::list step(idn::cuda::GraphSolver* solver, int iterations) {
  bp::list losses;
  for (const float loss : solver->step(iterations)) {
    losses.append(loss);
  }
  return losses;
}

void raise_memory_error(const idn::cuda::OutOfMemory& error) { PyErr_SetString(PyExc_MemoryError, error.what()); }

}  // namespace

BOOST_PYTHON_MODULE(_graph) {
  bp::register_exception_translator<idn::cuda::OutOfMemory>(&raise_memory_error);
  bp::class_<idn::cuda::GraphNet, boost::noncopyable>("GraphNet", bp::init<boost::shared_ptr<idn::cuda::Net>>())
      .def("forward", &idn::cuda::GraphNet::forward);
  bp::class_<idn::cuda::GraphSolver, boost::noncopyable>("GraphSolver",
                                                         bp::init<boost::shared_ptr<idn::cuda::Solver>>())
      .def("step", &step);
}
