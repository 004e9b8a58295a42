// The Python module caffe_build._deploy: what nets that are only run forward can have besides Caffe's own, memory that
// their blobs share and passes without Python's lock.
#include <boost/python.hpp>
#include <set>
#include <string>

#include "shared_net.hpp"
#include "unlocked.hpp"

namespace bp = boost::python;

namespace {

using idn::deploy::Net;

void share(boost::shared_ptr<Net>& net, const bp::object& keep) {
  std::set<std::string> names;
  for (bp::ssize_t i = 0; i < bp::len(keep); ++i) {
    names.insert(bp::extract<std::string>(keep[i]));
  }
  idn::deploy::share(net, names);
}

bp::list passing_blobs(const Net& net) {
  bp::list names;
  for (const std::string& name : idn::deploy::passing_blobs(net)) {
    names.append(name);
  }
  return names;
}

bp::tuple sizes(Net* net) {
  const idn::deploy::Sizes found = idn::deploy::sizes(net);
  return bp::make_tuple(found.apart, found.shared);
}

}  // namespace

BOOST_PYTHON_MODULE(_deploy) {
  bp::def("share", &share);
  bp::def("is_shared", &idn::deploy::is_shared);
  bp::def("passing_blobs", &passing_blobs);
  bp::def("sizes", &sizes);
  bp::def("forward", &idn::deploy::forward_unlocked);
}
