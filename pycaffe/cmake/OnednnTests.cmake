# The fast CPU layers in upstream's test program: nets and solvers that its tests make from text then hold them,
# and onednn/test/ checks them one by one. Only where the installed wheel has them.
get_filename_component(folder "${CAFFE_TEST_LIBRARY}" DIRECTORY)
if(EXISTS "${folder}/libcaffe_onednn.so")
  file(GLOB onednn_tests CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/onednn/test/*.cpp")
  target_sources(caffe_tests PRIVATE ${onednn_tests})
  target_link_libraries(caffe_tests PRIVATE "${folder}/libcaffe_onednn.so")
endif()
