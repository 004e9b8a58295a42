// The Python module caffe_build._program: upstream's `caffe` program inside the interpreter that runs it. A program of
// its own would need a libpython for its Python layers, which many interpreters do not have as a library.
#include <boost/python.hpp>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

namespace bp = boost::python;

// upstream's tools/caffe.cpp; C++ lets nobody call main by its own name
extern "C" int upstream_program(int argc, char** argv) __asm__("main");

namespace {

int run(const bp::list& arguments) {
  std::vector<std::string> texts;
  for (bp::ssize_t i = 0; i < bp::len(arguments); ++i) {
    texts.push_back(bp::extract<std::string>(arguments[i]));
  }
  std::vector<char*> pointers;
  for (std::string& text : texts) {
    pointers.push_back(&text[0]);
  }
  pointers.push_back(nullptr);
  try {
    return upstream_program(static_cast<int>(texts.size()), pointers.data());
  } catch (const std::exception& error) {  // upstream catches those of Python layers
    std::fprintf(stderr, "caffe: %s\n", error.what());
    return 2;
  }
}

}  // namespace

BOOST_PYTHON_MODULE(_program) {
  bp::def("run", &run, "Run the program with these arguments, its name first; gives its exit status.");
}
