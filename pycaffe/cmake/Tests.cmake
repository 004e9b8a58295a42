# Upstream's C++ tests (its own gtest is in the source), linked with a libcaffe that is already installed, so
# that what is tested is what users run. Built by run_upstream_tests.py in a cache folder; never part of the wheel.
if(NOT EXISTS "${CAFFE_TEST_LIBRARY}")
  message(FATAL_ERROR "CAFFE_TEST_LIBRARY=${CAFFE_TEST_LIBRARY}: no such file; give the libcaffe.so of the wheel")
endif()

file(GLOB test_sources CONFIGURE_DEPENDS
  "${CAFFE_SOURCE_DIR}/src/caffe/test/*.cpp" "${CMAKE_CURRENT_SOURCE_DIR}/layers/test/*.cpp")
# guarded by USE_OPENCV, but they need its names only; run_upstream_tests.py has the same list
foreach(name IN ITEMS test_data_layer test_data_transformer)
  set_source_files_properties("${CAFFE_SOURCE_DIR}/src/caffe/test/${name}.cpp" PROPERTIES
    COMPILE_DEFINITIONS USE_OPENCV INCLUDE_DIRECTORIES "${CMAKE_CURRENT_SOURCE_DIR}/opencv_names")
endforeach()
# test_im2col_kernel.cu stays out: it launches libcaffe's kernels by name, and since CUDA 13 nvcc keeps the names of
# kernel templates to the file that defines them.
add_custom_target(caffe_proto DEPENDS "${CAFFE_PROTO_SOURCE}")
add_executable(caffe_tests ${test_sources} "${CAFFE_SOURCE_DIR}/src/gtest/gtest-all.cpp")
add_dependencies(caffe_tests caffe_proto)
target_compile_definitions(caffe_tests PRIVATE GTEST_USE_OWN_TR1_TUPLE=1)
target_link_libraries(caffe_tests PRIVATE "${CAFFE_TEST_LIBRARY}" caffe_flags Python::Python)
target_link_options(caffe_tests PRIVATE -Wl,--no-as-needed)  # as for the `caffe` program
include(OnednnTests)
