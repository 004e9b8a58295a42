#include "unlocked.hpp"

#include <Python.h>

#include <cstddef>
#include <string>

#include "shared_net.hpp"

namespace idn::deploy {

namespace {

// Python's lock is given back as long as this lives, also when an exception ends it.
class WithoutLock {
 public:
  WithoutLock() : state_(PyEval_SaveThread()) {}
  ~WithoutLock() { PyEval_RestoreThread(state_); }

 private:
  PyThreadState* const state_;
};

bool python_takes_part(const Net& net) {
  const std::size_t ours = is_shared(net) ? 1 : 0;
  if (net.before_forward().size() > ours || !net.after_forward().empty()) {
    return true;
  }
  for (const auto& layer : net.layers()) {
    if (std::string(layer->type()) == "Python") {
      return true;
    }
  }
  return false;
}

}  // namespace

void forward_unlocked(Net* net) {
  if (python_takes_part(*net)) {
    net->Forward();
    return;
  }
  const WithoutLock unlocked;
  net->Forward();
}

}  // namespace idn::deploy
