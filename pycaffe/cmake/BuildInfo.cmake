# caffe_build/info.json: what this build was made from, for the tests and for whoever asks a cached wheel.
set(CAFFE_BUILD_INFO "${CMAKE_BINARY_DIR}/info.json")
file(READ "${CAFFE_BOOST_DIR}/boost/version.hpp" boost_version)
string(REGEX MATCH "BOOST_LIB_VERSION \"([0-9_]+)\"" boost_version "${boost_version}")
string(REPLACE "_" "." boost_version "${CMAKE_MATCH_1}")
if(CAFFE_CUDA)
  set(cuda_facts "\"variant\": \"cuda\",
  \"cuda\": \"${CAFFE_CUDA_VERSION}\",
  \"cudnn\": \"${CAFFE_CUDNN_VERSION}\",
  \"nccl\": \"${CAFFE_NCCL_VERSION}\",
  \"cuda_archs\": \"${CAFFE_CUDA_ARCHS_BUILT}\",
  \"cuda_libraries\": \"${CAFFE_CUDA_ROOT}\"")
else()
  set(cuda_facts "\"variant\": \"cpu\"")
endif()
file(WRITE "${CAFFE_BUILD_INFO}" "{
  \"commit\": \"${CAFFE_COMMIT}\",
  \"source_sha256\": \"${CAFFE_SOURCE_SHA256}\",
  ${cuda_facts},
  \"compiler\": \"${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}\",
  \"build_type\": \"${CMAKE_BUILD_TYPE}\",
  \"boost\": \"${boost_version}\",
  \"protobuf\": \"${Protobuf_VERSION}\",
  \"python\": \"${Python_VERSION}\",
  \"numpy\": \"${Python_NumPy_VERSION}\",
  \"blas\": \"OpenBLAS\"
}
")
