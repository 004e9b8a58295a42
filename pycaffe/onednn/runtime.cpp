#include "runtime.hpp"

#include <omp.h>
#include <pthread.h>

#include <condition_variable>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <functional>
#include <mutex>
#include <new>
#include <thread>
#include <utility>

namespace idn::onednn {

namespace {

// GNU OpenMP keeps a team of threads for each thread that ran a parallel loop. fork() copies the record of the
// team but not its threads. The child's other threads start without a record, so work is handed to one of them.
thread_local bool lost_team = false;

class Helper {
 public:
  void call(const std::function<void()>& work) {
    std::unique_lock<std::mutex> turn(turn_);
    std::unique_lock<std::mutex> lock(mutex_);
    if (!started_) {
      std::thread(&Helper::serve, this).detach();
      started_ = true;
    }
    work_ = &work;
    changed_.notify_all();
    changed_.wait(lock, [this] { return work_ == nullptr; });
    if (error_) {
      std::rethrow_exception(std::exchange(error_, nullptr));
    }
  }

 private:
  void serve() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return work_ != nullptr; });
      try {
        (*work_)();
      } catch (...) {
        error_ = std::current_exception();
      }
      work_ = nullptr;
      changed_.notify_all();
    }
  }

  std::mutex turn_;  // one caller at a time
  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<void()>* work_ = nullptr;
  std::exception_ptr error_;
  bool started_ = false;
};

Helper* helper = new Helper;  // never deleted: its thread may outlive the destructors

void after_fork_in_child() {
  lost_team = true;
  helper = new Helper;  // a child's child: the old one's thread is gone as well
}

const int registered = pthread_atfork(nullptr, nullptr, after_fork_in_child);

struct Block {
  void* data = nullptr;
  std::size_t bytes = 0;
  ~Block() { std::free(data); }
};

thread_local Block blocks[kPurposes];

}  // namespace

int threads() { return omp_get_max_threads(); }

bool team_is_lost() { return lost_team; }

void run_elsewhere(const std::function<void()>& work) { helper->call(work); }

void* working_memory(Purpose purpose, std::size_t bytes) {
  Block& block = blocks[purpose];
  if (block.bytes < bytes) {
    std::free(block.data);
    block.data = nullptr;
    block.bytes = 0;
    const std::size_t rounded = (bytes + 63) / 64 * 64;  // aligned_alloc wants a multiple of the alignment
    block.data = std::aligned_alloc(64, rounded);
    if (block.data == nullptr) {
      throw std::bad_alloc();
    }
    block.bytes = rounded;
  }
  return block.data;
}

}  // namespace idn::onednn

extern "C" int caffe_onednn_set_threads(int number) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(number);
  return before;
}
