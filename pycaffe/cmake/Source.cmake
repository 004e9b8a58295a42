# Sets CAFFE_SOURCE_DIR: the pinned source, verified and unpacked in the build folder by caffe_source.py.
find_package(Python 3.9 REQUIRED COMPONENTS Interpreter)
set(CAFFE_SOURCE_DIR "${CMAKE_BINARY_DIR}/upstream")
execute_process(
  COMMAND "${Python_EXECUTABLE}" "${CMAKE_CURRENT_SOURCE_DIR}/caffe_source.py" --unpack "${CAFFE_SOURCE_DIR}"
  OUTPUT_QUIET
  ERROR_VARIABLE said
  RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "${said}")
endif()
string(STRIP "${said}" said)
message(STATUS "${said}")
