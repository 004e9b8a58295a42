// Adam on all parameters by one kernel. Upstream launches three for each parameter, most of them of 64 values.
#pragma once

#include "caffe/solver.hpp"

namespace idn::cuda {

// One update of all parameters; false, and nothing done, when this solver's options are others than it knows.
bool adam_update(caffe::Solver<float>* solver);

}  // namespace idn::cuda
