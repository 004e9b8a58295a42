# Finds what Caffe links and gathers it in the target caffe_dependencies. Plain searches for headers and
# libraries rather than each project's package files: those exist in some releases of a distribution and not in
# others, while the names of headers and libraries have stayed. Every miss names the package that holds it.
add_library(caffe_dependencies INTERFACE)

function(caffe_require what header libraries packages)
  cmake_parse_arguments(PARSE_ARGV 4 arg "" "" "SUFFIXES")
  string(MAKE_C_IDENTIFIER "${what}" id)
  find_path(${id}_INCLUDE_DIR "${header}" PATH_SUFFIXES ${arg_SUFFIXES})
  if(NOT ${id}_INCLUDE_DIR)
    message(FATAL_ERROR "${what}: header ${header} not found; install it: apt-get install ${packages}")
  endif()
  target_include_directories(caffe_dependencies SYSTEM INTERFACE "${${id}_INCLUDE_DIR}")
  foreach(alternatives IN LISTS libraries)
    string(REPLACE "|" ";" names "${alternatives}")
    string(MAKE_C_IDENTIFIER "${id}_${alternatives}" lib)
    find_library(${lib}_LIBRARY NAMES ${names} PATH_SUFFIXES ${arg_SUFFIXES})
    if(NOT ${lib}_LIBRARY)
      message(FATAL_ERROR "${what}: library ${alternatives} not found; install it: apt-get install ${packages}")
    endif()
    message(STATUS "${what}: ${${lib}_LIBRARY}")
    target_link_libraries(caffe_dependencies INTERFACE "${${lib}_LIBRARY}")
  endforeach()
endfunction()

set(python_parts Interpreter Development.Module NumPy)
if(CAFFE_BUILD_TESTS)  # a program of its own, with an interpreter inside
  list(APPEND python_parts Development.Embed)
endif()
find_package(Python REQUIRED COMPONENTS ${python_parts})
message(STATUS "Python ${Python_VERSION}: ${Python_EXECUTABLE}, NumPy ${Python_NumPy_VERSION}")

# what everything that includes Boost's headers is compiled with; the compiled parts are in cmake/Boost.cmake
set(CAFFE_BOOST_DEFINITIONS
  BOOST_ALL_NO_LIB
  BOOST_ALLOW_DEPRECATED_HEADERS  # one note a file otherwise
  BOOST_BIND_GLOBAL_PLACEHOLDERS  # upstream uses _1, _2 from the global namespace
  BOOST_PYTHON_STATIC_LIB)
target_include_directories(caffe_dependencies SYSTEM INTERFACE "${CAFFE_BOOST_DIR}")
target_compile_definitions(caffe_dependencies INTERFACE ${CAFFE_BOOST_DEFINITIONS})

caffe_require("glog" glog/logging.h "glog" "libgoogle-glog-dev")
caffe_require("gflags" gflags/gflags.h "gflags" "libgflags-dev")
caffe_require("HDF5" hdf5.h "hdf5_serial|hdf5;hdf5_serial_hl|hdf5_hl" "libhdf5-dev" SUFFIXES hdf5/serial)
caffe_require("LMDB" lmdb.h "lmdb" "liblmdb-dev")
# the alternatives system may point cblas.h at another BLAS: take OpenBLAS by its own name
caffe_require("OpenBLAS" cblas.h "openblas" "libopenblas-dev" SUFFIXES openblas openblas-pthread)

find_package(Protobuf CONFIG QUIET)  # protobuf 22 and later need their own package file, for abseil
if(NOT TARGET protobuf::libprotobuf)
  find_package(Protobuf MODULE)
endif()
if(NOT TARGET protobuf::libprotobuf OR NOT TARGET protobuf::protoc)
  message(FATAL_ERROR "protobuf: not found; install it: apt-get install libprotobuf-dev protobuf-compiler")
endif()
find_package(Threads REQUIRED)
target_link_libraries(caffe_dependencies INTERFACE protobuf::libprotobuf Threads::Threads)
