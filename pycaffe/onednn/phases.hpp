// Upsampling by a transposed convolution: with stride s, each of the s x s phases of the large image is an ordinary
// convolution of the small one, so that all of them together are one convolution with s x s times as many outputs.
// The transposed convolution is the gradient of the convolution that the class is named after; the rest is oneDNN's.
#pragma once

#include "../kernels/kernels.hpp"
#include "dnnl_convolution.hpp"
#include "kept_weights.hpp"
#include "lines.hpp"
#include "phase_axis.hpp"

namespace idn::onednn {

class PhasedConvolution : public DnnlBesideOwnUpsampling {
 public:
  explicit PhasedConvolution(const Geometry& geometry);

  // Whether it is for these sizes, and this processor has the instructions.
  static bool serves(const Geometry& geometry);

  void backward_data(const float* out_gradient, const float* weights, float* in_gradient) override;

 private:
  const float* packed(const float* weights);
  // False if a result is not finite.
  bool run_row(long row, const float* weights, const float* lines, float* results, float* out) const;
  void scatter(long row, int first, int rows, const float* results, float* out) const;

  int phases() const { return vertical_.stride * horizontal_.stride; }
  int rows() const { return geometry().in_channels * phases(); }
  int rows_at_once() const;
  long pixels() const { return horizontal_.blocks(); }

  const kernels::Kernels& kernels_;
  const PhaseAxis vertical_, horizontal_;
  const Lines lines_;
  KeptWeights kept_;
};

}  // namespace idn::onednn
