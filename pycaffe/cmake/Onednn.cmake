# libcaffe_onednn.so: Caffe's busiest CPU layers on oneDNN and OpenMP (pycaffe/onednn/), beside libcaffe.so.
# It puts itself into Caffe's registries when it is loaded, so whatever uses Caffe only has to link it.
option(CAFFE_ONEDNN "Build the fast CPU layers (CAFFE_CPU_ENGINE=onednn)" ON)
if(NOT CAFFE_ONEDNN)
  return()
endif()

find_path(ONEDNN_INCLUDE_DIR dnnl.hpp)
find_library(ONEDNN_LIBRARY NAMES dnnl)
if(NOT ONEDNN_INCLUDE_DIR OR NOT ONEDNN_LIBRARY)
  message(FATAL_ERROR "oneDNN: header dnnl.hpp or library dnnl not found; install it: apt-get install libdnnl-dev, "
    "or build without it: CMAKE_ARGS=-DCAFFE_ONEDNN=OFF")
endif()
message(STATUS "oneDNN: ${ONEDNN_LIBRARY}")
find_package(OpenMP REQUIRED COMPONENTS CXX)  # oneDNN's own threads: one pool for both

file(GLOB onednn_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/onednn/*.cpp"
  "${CMAKE_CURRENT_SOURCE_DIR}/kernels/*.cpp")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  # the only files that need more than the oldest x86-64; dispatch.cpp asks the processor before they are called
  set_source_files_properties(kernels/avx2.cpp PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma")
  set_source_files_properties(kernels/avx512.cpp PROPERTIES COMPILE_OPTIONS
    "-mavx512f;-mavx512vl;-mavx512bw;-mavx512dq;-mfma")
endif()
add_library(caffe_onednn SHARED ${onednn_sources})
target_include_directories(caffe_onednn SYSTEM PRIVATE "${ONEDNN_INCLUDE_DIR}")
# upstream's headers include Python's (Python layers), but nothing of libpython is used here
target_include_directories(caffe_onednn PRIVATE ${Python_INCLUDE_DIRS})
target_link_libraries(caffe_onednn PRIVATE caffe "${ONEDNN_LIBRARY}" OpenMP::OpenMP_CXX)
set_target_properties(caffe_onednn PROPERTIES INSTALL_RPATH "$ORIGIN")
install(TARGETS caffe_onednn LIBRARY DESTINATION caffe)

# nobody calls it by name: the linker must not drop it as unused
foreach(user IN ITEMS _caffe _program)
  target_link_options(${user} PRIVATE -Wl,--no-as-needed)
  target_link_libraries(${user} PRIVATE caffe_onednn)
endforeach()
