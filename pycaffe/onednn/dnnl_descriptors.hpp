// What oneDNN's releases 2 and 3 say differently: how a convolution is described.
#pragma once

#include <dnnl.hpp>

namespace idn::onednn {

// Layouts of the four arrays and the numbers that oneDNN wants beside them.
struct Description {
  dnnl::memory::desc in, weights, bias, out;
  dnnl::memory::dims strides, dilates, pads;
  bool with_bias;
};

inline void append_relu(dnnl::post_ops& operations, float slope) {
#if DNNL_VERSION_MAJOR < 3
  operations.append_eltwise(1.f, dnnl::algorithm::eltwise_relu, slope, 0.f);
#else
  operations.append_eltwise(dnnl::algorithm::eltwise_relu, slope, 0.f);
#endif
}

inline dnnl::convolution_forward::primitive_desc describe_forward(const dnnl::engine& engine,
                                                                  const dnnl::primitive_attr& attributes,
                                                                  const Description& d) {
  const auto kind = dnnl::prop_kind::forward_training;
  const auto way = dnnl::algorithm::convolution_direct;
  const dnnl::memory::desc bias = d.with_bias ? d.bias : dnnl::memory::desc();
#if DNNL_VERSION_MAJOR < 3
  return {
      dnnl::convolution_forward::desc(kind, way, d.in, d.weights, bias, d.out, d.strides, d.dilates, d.pads, d.pads),
      attributes, engine};
#else
  return {engine, kind, way, d.in, d.weights, bias, d.out, d.strides, d.dilates, d.pads, d.pads, attributes};
#endif
}

inline dnnl::convolution_backward_data::primitive_desc describe_backward_data(
    const dnnl::engine& engine, const dnnl::primitive_attr& attributes, const Description& d,
    const dnnl::convolution_forward::primitive_desc& forward) {
  const auto way = dnnl::algorithm::convolution_direct;
#if DNNL_VERSION_MAJOR < 3
  return {dnnl::convolution_backward_data::desc(way, d.in, d.weights, d.out, d.strides, d.dilates, d.pads, d.pads),
          attributes, engine, forward};
#else
  return {engine, way, d.in, d.weights, d.out, d.strides, d.dilates, d.pads, d.pads, forward, attributes};
#endif
}

inline dnnl::convolution_backward_weights::primitive_desc describe_backward_weights(
    const dnnl::engine& engine, const dnnl::primitive_attr& attributes, const Description& d,
    const dnnl::convolution_forward::primitive_desc& forward) {
  const auto way = dnnl::algorithm::convolution_direct;
  const dnnl::memory::desc bias = d.with_bias ? d.bias : dnnl::memory::desc();
#if DNNL_VERSION_MAJOR < 3
  return {
      dnnl::convolution_backward_weights::desc(way, d.in, d.weights, bias, d.out, d.strides, d.dilates, d.pads, d.pads),
      attributes, engine, forward};
#else
  return {engine, way, d.in, d.weights, bias, d.out, d.strides, d.dilates, d.pads, d.pads, forward, attributes};
#endif
}

}  // namespace idn::onednn
