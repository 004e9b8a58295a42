// What every fast layer shares: threads, working memory, and survival of fork().
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>

namespace idn::onednn {

// Threads that a parallel loop may use: OMP_NUM_THREADS, else the cores of the process's affinity mask.
int threads();

// Whether this thread's OpenMP team was lost in a fork: the next parallel loop would wait for it for ever.
bool team_is_lost();

// Runs `work` on a thread whose OpenMP team is alive, and waits for it.
void run_elsewhere(const std::function<void()>& work);

// Every layer does its work inside run(): at once, or in a forked child on a fresh thread.
template <typename Work>
void run(Work&& work) {
  if (team_is_lost()) {
    run_elsewhere(std::ref(work));
  } else {
    work();
  }
}

// Working memory of the calling thread, one block a purpose; it only grows, and is freed with the thread.
enum Purpose {
  kSource,
  kResult,
  kWeights,
  kResultOfWeights,
  kResultOfBias,
  kScratchpad,
  kTransformed,
  kProducts,
  kPurposes
};
void* working_memory(Purpose purpose, std::size_t bytes);

inline long round_up(long value, long step) { return (value + step - 1) / step * step; }

// Calls body(begin, end) for parts of 0..count, in parallel when each part gets enough to do.
template <typename Body>
void parallel_for(long count, const Body& body, long least = 8192) {
  const int parts = static_cast<int>(std::max(1L, std::min<long>(threads(), count / least)));
  if (parts == 1) {
    body(0L, count);
    return;
  }
#pragma omp parallel for num_threads(parts) schedule(static)
  for (int part = 0; part < parts; ++part) {
    body(count * part / parts, count * (part + 1) / parts);
  }
}

// Calls body(plane, begin, end) for parts of `planes` planes of `pixels` values that lie one behind the other.
template <typename Body>
void for_planes(long planes, long pixels, const Body& body) {
  parallel_for(planes * pixels, [&](long begin, long end) {
    while (begin < end) {
      const long plane = begin / pixels, stop = std::min(end, (plane + 1) * pixels);
      body(plane, begin, stop);
      begin = stop;
    }
  });
}

}  // namespace idn::onednn

// For Python: threads that parallel loops of the calling thread may use from now on; gives how many it were.
extern "C" int caffe_onednn_set_threads(int number);
