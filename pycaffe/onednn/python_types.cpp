// To Python the fast Adam is caffe.AdamSolver: Boost.Python knows classes by their exact C++ type, and would show a
// type that it has never seen as the bare caffe.Solver, without `lr`.
#include <boost/python.hpp>
#include <typeinfo>

#include "caffe/sgd_solvers.hpp"
#include "layers.hpp"

// Called by the package caffe when _caffe has registered its classes, with Python's lock held.
extern "C" void caffe_onednn_teach_python() {
  namespace converter = boost::python::converter;
  const auto& upstream = converter::registry::lookup(boost::python::type_id<caffe::AdamSolver<float>>());
  const auto& fast = converter::registry::lookup(boost::python::type_info(idn::onednn::adam_type()));
  const_cast<converter::registration&>(fast).m_class_object = upstream.m_class_object;
}
