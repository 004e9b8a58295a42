# Boost's compiled parts, from the same source as its headers, as the objects CAFFE_BOOST_OBJECTS that become part of
# libcaffe.so. There once and exported: _caffe.so, _graph.so and libcaffe share one registry of Python converters.
# Each library is compiled as one file: that takes a sixth of the time of its files one by one, because most of it goes
# into the headers.
file(GLOB_RECURSE python_sources CONFIGURE_DEPENDS "${CAFFE_BOOST_DIR}/libs/python/src/*.cpp")
list(FILTER python_sources EXCLUDE REGEX "/src/numpy/")
file(GLOB filesystem_sources CONFIGURE_DEPENDS "${CAFFE_BOOST_DIR}/libs/filesystem/src/*.cpp")
list(FILTER filesystem_sources EXCLUDE REGEX "/windows_")
set(thread_sources
  "${CAFFE_BOOST_DIR}/libs/thread/src/future.cpp"
  "${CAFFE_BOOST_DIR}/libs/thread/src/pthread/once.cpp"
  "${CAFFE_BOOST_DIR}/libs/thread/src/pthread/thread.cpp"
  "${CAFFE_BOOST_DIR}/libs/chrono/src/chrono.cpp")

set(CAFFE_BOOST_OBJECTS "")
foreach(part IN ITEMS python filesystem thread)
  add_library(caffe_boost_${part} OBJECT ${${part}_sources})
  set_target_properties(caffe_boost_${part} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
  target_include_directories(caffe_boost_${part} SYSTEM PRIVATE "${CAFFE_BOOST_DIR}" ${Python_INCLUDE_DIRS})
  target_include_directories(caffe_boost_${part} PRIVATE "${CAFFE_BOOST_DIR}/libs/${part}/src")
  target_compile_definitions(caffe_boost_${part} PRIVATE ${CAFFE_BOOST_DEFINITIONS})
  # -O2 for a part that runs between calls and not in loops: Caffe's own -O3 gains nothing here
  target_compile_options(caffe_boost_${part} PRIVATE -O2 -w)
  list(APPEND CAFFE_BOOST_OBJECTS $<TARGET_OBJECTS:caffe_boost_${part}>)
endforeach()
target_compile_definitions(caffe_boost_python PRIVATE BOOST_PYTHON_SOURCE)
target_compile_definitions(caffe_boost_filesystem PRIVATE
  BOOST_FILESYSTEM_SOURCE
  BOOST_FILESYSTEM_NO_CXX20_ATOMIC_REF)  # C++17
target_compile_definitions(caffe_boost_thread PRIVATE BOOST_THREAD_BUILD_LIB BOOST_CHRONO_SOURCE)
