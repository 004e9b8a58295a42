// Puts the fast layers into Caffe's own registries when this library is loaded, upstream's makers kept beside.
// CAFFE_CPU_ENGINE=onednn (default) or blas (nothing is replaced). A layer or solver that is made in GPU mode is
// upstream's, and so is a layer that asks for an engine by itself (`engine: CAFFE`, `engine: CUDNN`).
#include <cstdio>
#include <cstdlib>
#include <string>

#include "caffe/layer_factory.hpp"
#include "caffe/solver_factory.hpp"
#include "layers.hpp"

namespace caffe_onednn {

using caffe::Caffe;
using caffe::Layer;
using caffe::LayerParameter;
using caffe::LayerRegistry;

namespace {

bool asks_for_engine(const LayerParameter& param) {
  return (param.has_convolution_param() && param.convolution_param().engine() != 0) ||
         (param.has_relu_param() && param.relu_param().engine() != 0);
}

// The layer type `Name`, whose fast maker is `make`; upstream's is called where it is the right one.
template <typename Dtype, Layer<Dtype>* (*make)(const LayerParameter&)>
struct Replacement {
  static typename LayerRegistry<Dtype>::Creator upstream;

  static caffe::shared_ptr<Layer<Dtype> > create(const LayerParameter& param) {
    if (Caffe::mode() != Caffe::CPU || asks_for_engine(param)) {
      return upstream(param);
    }
    return caffe::shared_ptr<Layer<Dtype> >(make(param));
  }

  static void install(const char* type) {
    typename LayerRegistry<Dtype>::Creator& entry = LayerRegistry<Dtype>::Registry().at(type);
    upstream = entry;
    entry = create;
  }
};

template <typename Dtype, Layer<Dtype>* (*make)(const LayerParameter&)>
typename LayerRegistry<Dtype>::Creator Replacement<Dtype, make>::upstream = nullptr;

template <typename Dtype>
void install_for_type() {
  Replacement<Dtype, new_relu<Dtype> >::install("ReLU");
  Replacement<Dtype, new_eltwise<Dtype> >::install("Eltwise");
  Replacement<Dtype, new_split<Dtype> >::install("Split");
  Replacement<Dtype, new_concat<Dtype> >::install("Concat");
  Replacement<Dtype, new_slice<Dtype> >::install("Slice");
  caffe::SolverRegistry<Dtype>::Registry().at("Adam") = new_adam<Dtype>;  // asks for the mode at every step
}

bool install() {
  const char* asked = std::getenv("CAFFE_CPU_ENGINE");
  const std::string engine = asked && *asked ? asked : "onednn";
  if (engine == "onednn") {
    Replacement<float, new_convolution>::install("Convolution");
    Replacement<float, new_deconvolution>::install("Deconvolution");
    install_for_type<float>();
    install_for_type<double>();
  } else if (engine != "blas") {
    // Python is told by an exception before it comes here; this is for the `caffe` program
    std::fprintf(stderr, "CAFFE_CPU_ENGINE=%s: expected onednn or blas\n", asked);
    std::_Exit(2);
  }
  return true;
}

const bool installed = install();

}  // namespace

}  // namespace caffe_onednn
