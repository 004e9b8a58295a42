# caffe.proto, by the protoc that is here: C++ code for libcaffe, and caffe_pb2 for Python.
# protoc's own Python output is tied to a range of the protobuf package (too old a protoc is refused by today's
# package, too new a protoc by yesterday's), so only the descriptor comes from protoc and write_pb2.py wraps it
# in the module that works with all of them. write_pyi.py writes the types of the same messages.
set(CAFFE_PROTO_DIR "${CMAKE_BINARY_DIR}/proto")
set(CAFFE_PROTO_SOURCE "${CAFFE_PROTO_DIR}/caffe/proto/caffe.pb.cc")
set(CAFFE_PROTO_PYTHON "${CAFFE_PROTO_DIR}/caffe_pb2.py")
set(CAFFE_PROTO_STUB "${CAFFE_PROTO_DIR}/caffe_pb2.pyi")
set(proto_root "${CAFFE_SOURCE_DIR}/src")
file(MAKE_DIRECTORY "${CAFFE_PROTO_DIR}")

add_custom_command(
  OUTPUT "${CAFFE_PROTO_SOURCE}" "${CAFFE_PROTO_DIR}/caffe/proto/caffe.pb.h" "${CAFFE_PROTO_PYTHON}"
         "${CAFFE_PROTO_STUB}"
  COMMAND protobuf::protoc "--proto_path=${proto_root}" "--cpp_out=${CAFFE_PROTO_DIR}"
          "--descriptor_set_out=${CAFFE_PROTO_DIR}/caffe.desc" caffe/proto/caffe.proto
  COMMAND "${Python_EXECUTABLE}" "${CMAKE_CURRENT_SOURCE_DIR}/write_pb2.py"
          "${CAFFE_PROTO_DIR}/caffe.desc" "${CAFFE_PROTO_PYTHON}"
  COMMAND "${Python_EXECUTABLE}" "${CMAKE_CURRENT_SOURCE_DIR}/write_pyi.py"
          "${CAFFE_PROTO_DIR}/caffe.desc" "${CAFFE_PROTO_STUB}"
  DEPENDS "${proto_root}/caffe/proto/caffe.proto" "${CMAKE_CURRENT_SOURCE_DIR}/write_pb2.py"
          "${CMAKE_CURRENT_SOURCE_DIR}/write_pyi.py"
  VERBATIM)
