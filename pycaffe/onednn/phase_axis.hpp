// One axis of an upsampling: which small pixels reach which large ones, and through which tap of the kernel.
#pragma once

namespace idn::onednn {

// Small pixels q + first ... q + first + taps - 1 reach large pixels s * q ... s * q + s - 1, the s phases of q.
struct PhaseAxis {
  int stride, pad, kernel, first, taps, small, large;

  PhaseAxis(int stride, int pad, int kernel, int small, int large);

  // Tap of the large kernel that takes small pixel q + first + tap to phase `phase`; -1 if there is none.
  int kernel_tap(int phase, int tap) const;
  int blocks() const { return (large + stride - 1) / stride; }
};

}  // namespace idn::onednn
