// The Python module caffe_build._graph.
#include <boost/python.hpp>

#include "graph.h"

namespace bp = boost::python;

namespace {

bp::list step(idn::GraphSolver* solver, int iterations) {
  bp::list losses;
  const std::vector<float> found = solver->step(iterations);
  for (size_t i = 0; i < found.size(); ++i) losses.append(found[i]);
  return losses;
}

}  // namespace

BOOST_PYTHON_MODULE(_graph) {
  bp::class_<idn::GraphNet, boost::noncopyable>("GraphNet", bp::init<boost::shared_ptr<idn::Net> >())
      .def("forward", &idn::GraphNet::forward);
  bp::class_<idn::GraphSolver, boost::noncopyable>("GraphSolver", bp::init<boost::shared_ptr<idn::Solver> >())
      .def("step", &step);
}
