// ImageData and WindowData, which upstream compiles only with OpenCV. Here the two types exist and say that they need
// it, where stock Caffe without OpenCV calls them unknown and ends the process.
#pragma once

#include <string>
#include <vector>

#include "caffe/layer.hpp"

namespace idn::layers {

template <typename Dtype>
class NeedsOpenCV : public caffe::Layer<Dtype> {
 public:
  explicit NeedsOpenCV(const caffe::LayerParameter& param) : caffe::Layer<Dtype>(param), type_(param.type()) {}

  // Throws std::runtime_error with a text of one line.
  void LayerSetUp(const std::vector<caffe::Blob<Dtype>*>& bottom, const std::vector<caffe::Blob<Dtype>*>& top) override;
  const char* type() const override { return type_.c_str(); }

  // never reached: LayerSetUp throws
  void Reshape(const std::vector<caffe::Blob<Dtype>*>& bottom, const std::vector<caffe::Blob<Dtype>*>& top) override {}

 protected:
  void Forward_cpu(const std::vector<caffe::Blob<Dtype>*>& bottom,
                   const std::vector<caffe::Blob<Dtype>*>& top) override {}
  void Backward_cpu(const std::vector<caffe::Blob<Dtype>*>& top, const std::vector<bool>& propagate_down,
                    const std::vector<caffe::Blob<Dtype>*>& bottom) override {}

 private:
  const std::string type_;
};

}  // namespace idn::layers
