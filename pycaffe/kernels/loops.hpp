// The loops of kernels.hpp for one instruction set. Included once by each of avx2.cpp and avx512.cpp, which define
// before it, in the unnamed namespace: the vector `Vec` with `kLanes` floats and the functions used here, and kRows,
// the rows of kVectors vectors that registers hold. Nothing of the standard library is called: the linker could take
// such a function, compiled for this instruction set, for the whole program.
#pragma once

#include "correlation_loops.hpp"
#include "element_loops.hpp"
#include "kernels.hpp"
#include "pointwise_loops.hpp"
#include "product_loops.hpp"
#include "tile_loops.hpp"
#include "weight_loops.hpp"

namespace idn::kernels {

namespace {

constexpr Kernels these(const char* name) {
  return {name,
          kLanes,
          transform_weights,
          finish_gradient,
          transform_input,
          transform_gradient,
          multiply_and_finish,
          inner_products,
          interleave,
          all_finite,
          pointwise,
          correlate};
}

}  // namespace

}  // namespace idn::kernels
