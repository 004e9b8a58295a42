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

find_package(Python REQUIRED COMPONENTS Interpreter Development.Module Development.Embed NumPy)
message(STATUS "Python ${Python_VERSION}: ${Python_EXECUTABLE}, NumPy ${Python_NumPy_VERSION}")
set(py "${Python_VERSION_MAJOR}${Python_VERSION_MINOR}")

caffe_require("Boost" boost/version.hpp "boost_thread;boost_filesystem"
  "libboost-dev libboost-thread-dev libboost-filesystem-dev")
# Debian: boost_python311; older Ubuntu: boost_python-py38
caffe_require("Boost.Python for Python ${Python_VERSION_MAJOR}.${Python_VERSION_MINOR}" boost/python.hpp
  "boost_python${py}|boost_python-py${py}"
  "libboost-python-dev (it is built for the distribution's own Python only: use /usr/bin/python3)")
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
