// Makers of the fast layers and solver, for install.cpp.
#pragma once

#include <typeinfo>

#include "caffe/layer.hpp"
#include "caffe/solver.hpp"

namespace idn::onednn {

// oneDNN has no double precision: these two are for float only
caffe::Layer<float>* new_convolution(const caffe::LayerParameter& param);
caffe::Layer<float>* new_deconvolution(const caffe::LayerParameter& param);

// After the definition of a maker below.
#define IDN_INSTANTIATE_LAYER(maker)                                              \
  template caffe::Layer<float>* maker<float>(const caffe::LayerParameter& param); \
  template caffe::Layer<double>* maker<double>(const caffe::LayerParameter& param)

template <typename Dtype>
caffe::Layer<Dtype>* new_relu(const caffe::LayerParameter& param);
template <typename Dtype>
caffe::Layer<Dtype>* new_eltwise(const caffe::LayerParameter& param);
template <typename Dtype>
caffe::Layer<Dtype>* new_split(const caffe::LayerParameter& param);
template <typename Dtype>
caffe::Layer<Dtype>* new_concat(const caffe::LayerParameter& param);
template <typename Dtype>
caffe::Layer<Dtype>* new_slice(const caffe::LayerParameter& param);
template <typename Dtype>
caffe::Layer<Dtype>* new_batch_norm(const caffe::LayerParameter& param);
template <typename Dtype>
caffe::Layer<Dtype>* new_scale(const caffe::LayerParameter& param);

template <typename Dtype>
caffe::Layer<Dtype>* new_crop(const caffe::LayerParameter& param);
template <typename Dtype>
caffe::Layer<Dtype>* new_prelu(const caffe::LayerParameter& param);
template <typename Dtype>
caffe::Layer<Dtype>* new_tanh(const caffe::LayerParameter& param);

template <typename Dtype>
caffe::Solver<Dtype>* new_adam(const caffe::SolverParameter& param);
// The C++ type of what new_adam<float> makes.
const std::type_info& adam_type();

}  // namespace idn::onednn
