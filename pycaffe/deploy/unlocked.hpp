// A forward pass that lets other threads of Python run meanwhile.
#pragma once

#include "caffe/net.hpp"

namespace idn::deploy {

// All layers of `net`, in the calling thread. Python's lock is given back for the pass unless Python takes part in it:
// by a Python layer, or by functions that are called before or after each layer.
void forward_unlocked(caffe::Net<float>* net);

}  // namespace idn::deploy
