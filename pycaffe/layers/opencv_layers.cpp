#include "opencv_layers.hpp"

#include <stdexcept>
#include <vector>

namespace idn::layers {

template <typename Dtype>
void NeedsOpenCV<Dtype>::LayerSetUp(const std::vector<caffe::Blob<Dtype>*>& bottom,
                                    const std::vector<caffe::Blob<Dtype>*>& top) {
  throw std::runtime_error("layer " + this->layer_param_.name() + ": type " + type_ +
                           " reads pictures by OpenCV, which this build of Caffe leaves out; put their pixels into an "
                           "LMDB (type Data) or an HDF5 file (type HDF5Data), or read them in a Python layer");
}

template class NeedsOpenCV<float>;
template class NeedsOpenCV<double>;

}  // namespace idn::layers
