// The layer type L1Loss of IDN's release and of NVIDIA's Caffe, which stock Caffe lacks ("Unknown layer type: L1Loss").
//
// Two bottoms a and b of equal shape; top[0] = sum |a - b| / N with N the first axis of a, the batch size, and not the
// number of values. That is what both of those layers divide by: the release's l1_loss_layer.cpp and NVIDIA/caffe's
// (pull request 334) take bottom[0]->num(), as EuclideanLoss does. The gradient is loss_weight * sign(a - b) / N to a
// and its negative to b, 0 where both are equal.
//
// The stock layers Eltwise (coeff 1, -1) and Reduction (ASUM, coeff 1 / N), which the generators in prototxt/ write,
// give the same: gradients to the bit where N is a power of two, since 1 / N is rounded otherwise.
#pragma once

#include <vector>

#include "caffe/layers/loss_layer.hpp"

namespace idn::layers {

template <typename Dtype>
class L1Loss : public caffe::LossLayer<Dtype> {
 public:
  explicit L1Loss(const caffe::LayerParameter& param) : caffe::LossLayer<Dtype>(param) {}

  void Reshape(const std::vector<caffe::Blob<Dtype>*>& bottom, const std::vector<caffe::Blob<Dtype>*>& top) override;
  const char* type() const override { return "L1Loss"; }
  // both bottoms, unlike most losses
  bool AllowForceBackward(const int bottom_index) const override { return true; }

 protected:
  void Forward_cpu(const std::vector<caffe::Blob<Dtype>*>& bottom,
                   const std::vector<caffe::Blob<Dtype>*>& top) override;
  void Backward_cpu(const std::vector<caffe::Blob<Dtype>*>& top, const std::vector<bool>& propagate_down,
                    const std::vector<caffe::Blob<Dtype>*>& bottom) override;
  void Forward_gpu(const std::vector<caffe::Blob<Dtype>*>& bottom,
                   const std::vector<caffe::Blob<Dtype>*>& top) override;
  void Backward_gpu(const std::vector<caffe::Blob<Dtype>*>& top, const std::vector<bool>& propagate_down,
                    const std::vector<caffe::Blob<Dtype>*>& bottom) override;

 private:
  // What a difference of 1 in bottom `index` weighs in the gradient.
  static Dtype slope(const caffe::Blob<Dtype>& top, const caffe::Blob<Dtype>& bottom, int index);

  caffe::Blob<Dtype> difference_;
};

}  // namespace idn::layers
