# Sets CAFFE_SOURCE_DIR and CAFFE_BOOST_DIR: the pinned sources, verified and unpacked in the build folder by
# caffe_source.py and boost_source.py. Of pin.json also CAFFE_COMMIT, CAFFE_SOURCE_SHA256, and CAFFE_VERSION, which is
# upstream's own number: 1.0.0.
find_package(Python REQUIRED COMPONENTS Interpreter)

execute_process(
  COMMAND "${Python_EXECUTABLE}" "${CMAKE_CURRENT_SOURCE_DIR}/interpreter.py" --headers
  ERROR_VARIABLE said
  RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "${said}")
endif()

function(caffe_unpack_source program folder)
  execute_process(
    COMMAND "${Python_EXECUTABLE}" "${CMAKE_CURRENT_SOURCE_DIR}/${program}" --unpack "${folder}"
    OUTPUT_QUIET
    ERROR_VARIABLE said
    RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "${said}")
  endif()
  string(STRIP "${said}" said)
  message(STATUS "${said}")
endfunction()

set(CAFFE_SOURCE_DIR "${CMAKE_BINARY_DIR}/upstream")
set(CAFFE_BOOST_DIR "${CMAKE_BINARY_DIR}/boost")
caffe_unpack_source(caffe_source.py "${CAFFE_SOURCE_DIR}")
caffe_unpack_source(boost_source.py "${CAFFE_BOOST_DIR}")

file(READ "${CMAKE_CURRENT_SOURCE_DIR}/pin.json" pin)
string(JSON CAFFE_COMMIT GET "${pin}" commit)
string(JSON CAFFE_SOURCE_SHA256 GET "${pin}" content_sha256)
string(JSON version GET "${pin}" version)
string(REGEX MATCH "^[0-9.]+" CAFFE_VERSION "${version}")
