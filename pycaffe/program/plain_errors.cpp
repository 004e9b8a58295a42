// An exception that reaches the end of the `caffe` program becomes one line and exit status 2. Upstream's main catches
// those of Python layers alone, and the others would be a stack trace and SIGABRT.
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "glog/logging.h"

namespace idn::program {

namespace {

[[noreturn]] void say_and_leave() {
  using namespace google;  // GLOG_INFO is there since glog 0.7 and was a global name before
  FlushLogFiles(GLOG_INFO);
  const std::exception_ptr thrown = std::current_exception();
  if (!thrown) {
    std::abort();  // terminated for another reason
  }
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "caffe: %s\n", error.what());
  } catch (...) {
    std::fprintf(stderr, "caffe: unknown error\n");
  }
  std::_Exit(2);
}

const std::terminate_handler before = std::set_terminate(say_and_leave);

}  // namespace

}  // namespace idn::program
