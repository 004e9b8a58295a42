// Puts this folder's layers into Caffe's registries, beside upstream's. CMakeLists.txt lists these files behind
// upstream's, so that upstream's layers are in the registries when this file's turn comes.
#include "caffe/layer_factory.hpp"
#include "data_sources.hpp"
#include "l1_loss.hpp"
#include "opencv_layers.hpp"

namespace idn::layers {

using caffe::Layer;
using caffe::LayerParameter;
using caffe::LayerRegistry;

namespace {

template <typename Dtype, template <typename> class Type>
caffe::shared_ptr<Layer<Dtype>> make(const LayerParameter& param) {
  return caffe::shared_ptr<Layer<Dtype>>(new Type<Dtype>(param));
}

// Upstream's maker with a look at the layer's parameters before.
template <typename Dtype, void (*check)(const LayerParameter&)>
struct Checked {
  static typename LayerRegistry<Dtype>::Creator upstream;

  static caffe::shared_ptr<Layer<Dtype>> create(const LayerParameter& param) {
    check(param);
    return upstream(param);
  }

  static void install(const char* type) {
    typename LayerRegistry<Dtype>::Creator& entry = LayerRegistry<Dtype>::Registry().at(type);
    upstream = entry;
    entry = create;
  }
};

template <typename Dtype, void (*check)(const LayerParameter&)>
typename LayerRegistry<Dtype>::Creator Checked<Dtype, check>::upstream = nullptr;

template <typename Dtype>
bool install() {
  LayerRegistry<Dtype>::AddCreator("L1Loss", make<Dtype, L1Loss>);
  LayerRegistry<Dtype>::AddCreator("ImageData", make<Dtype, NeedsOpenCV>);
  LayerRegistry<Dtype>::AddCreator("WindowData", make<Dtype, NeedsOpenCV>);
  Checked<Dtype, check_hdf5_source>::install("HDF5Data");
  Checked<Dtype, check_database>::install("Data");
  return true;
}

const bool installed = install<float>() && install<double>();

}  // namespace

}  // namespace idn::layers
