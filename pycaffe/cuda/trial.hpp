// Trials of cuDNN's algorithms on the GPU: memory to run them on, and their time.
#pragma once

#include <cudnn.h>

#include <cstddef>
#include <functional>

namespace idn::cuda {

// Memory of a trial, zeros, freed at its end; null where the GPU has no more.
class Scratch {
 public:
  explicit Scratch(std::size_t size);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  void* get() const { return pointer_; }

 private:
  void* pointer_ = nullptr;
};

// Milliseconds of a few runs within a CUDA graph, as the pass will run, without the time of the launches; less than 0
// when they fail.
float time_of(const std::function<cudnnStatus_t()>& work);

}  // namespace idn::cuda
