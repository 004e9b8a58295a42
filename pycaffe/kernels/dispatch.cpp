#include "dispatch.hpp"

#include <dnnl.hpp>

namespace idn::kernels {

namespace {

bool allowed(dnnl::cpu_isa set) {
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & static_cast<unsigned>(set)) ==
         static_cast<unsigned>(set);
}

const Kernels* choose() {
  if (allowed(dnnl::cpu_isa::avx512_core) && avx512()) {
    return avx512();
  }
  return allowed(dnnl::cpu_isa::avx2) ? avx2() : nullptr;
}

}  // namespace

const Kernels* best() {
  static const Kernels* chosen = choose();
  return chosen;
}

}  // namespace idn::kernels
