#include "phase_axis.hpp"

namespace idn::onednn {

namespace {

int floor_division(int a, int b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

}  // namespace

PhaseAxis::PhaseAxis(int stride, int pad, int kernel, int small, int large)
    : stride(stride),
      pad(pad),
      kernel(kernel),
      first(floor_division(pad - kernel, stride) + 1),  // the first phase reaches back furthest
      taps(floor_division(stride - 1 + pad, stride) - first + 1),
      small(small),
      large(large) {}

int PhaseAxis::kernel_tap(int phase, int tap) const {
  const int at = phase + pad - stride * (first + tap);
  return at >= 0 && at < kernel ? at : -1;
}

}  // namespace idn::onednn
