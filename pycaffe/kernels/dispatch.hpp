// Which instruction set's kernels this process uses.
#pragma once

#include "kernels.hpp"

namespace idn::kernels {

// The best set that processor and oneDNN's limit (ONEDNN_MAX_CPU_ISA) allow; null where none does.
const Kernels* best();

}  // namespace idn::kernels
