# Sets CAFFE_SOURCE_DIR: the pinned source, verified and unpacked in the build folder by caffe_source.py. Of pin.json
# also CAFFE_COMMIT, CAFFE_SOURCE_SHA256, and CAFFE_VERSION, which is upstream's own number: 1.0.0.
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

file(READ "${CMAKE_CURRENT_SOURCE_DIR}/pin.json" pin)
string(JSON CAFFE_COMMIT GET "${pin}" commit)
string(JSON CAFFE_SOURCE_SHA256 GET "${pin}" content_sha256)
string(JSON version GET "${pin}" version)
string(REGEX MATCH "^[0-9.]+" CAFFE_VERSION "${version}")
