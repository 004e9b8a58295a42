// Upsampling between many maps by a transposed convolution whose phases have at most three taps each way: they are 3x3
// convolutions of the small image, with stride x stride times as many outputs, and Winograd computes them. The rest is
// oneDNN's.
#pragma once

#include "../kernels/kernels.hpp"
#include "dnnl_convolution.hpp"
#include "kept_weights.hpp"
#include "phase_axis.hpp"
#include "winograd_pass.hpp"

namespace idn::onednn {

class Upsampling : public DnnlBesideOwnUpsampling {
 public:
  explicit Upsampling(const Geometry& geometry);

  // Whether it is for these sizes, and this processor has the instructions.
  static bool serves(const Geometry& geometry);

  void backward_data(const float* out_gradient, const float* weights, float* in_gradient) override;

 private:
  const float* transformed(const float* weights);
  void spread(const WinogradPass::Finished& finished, float* out) const;
  void spread_run(const float* values, long line_length, long image, long row, long column, int tiles, int channel,
                  int count, float* out) const;

  const kernels::Kernels& kernels_;
  const PhaseAxis vertical_, horizontal_;
  const WinogradPass pass_;
  KeptWeights kept_;
};

}  // namespace idn::onednn
