#include "l1_loss.hpp"

#include <vector>

#include "caffe/util/math_functions.hpp"

namespace idn::layers {

using caffe::Blob;
using std::vector;

template <typename Dtype>
void L1Loss<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top) {
  caffe::LossLayer<Dtype>::Reshape(bottom, top);
  CHECK_EQ(bottom[0]->count(1), bottom[1]->count(1))
      << "L1Loss: bottoms of shapes " << bottom[0]->shape_string() << " and " << bottom[1]->shape_string();
  difference_.ReshapeLike(*bottom[0]);
}

template <typename Dtype>
void L1Loss<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top) {
  const int count = bottom[0]->count();
  Dtype* difference = difference_.mutable_cpu_data();
  caffe::caffe_sub(count, bottom[0]->cpu_data(), bottom[1]->cpu_data(), difference);
  top[0]->mutable_cpu_data()[0] = caffe::caffe_cpu_asum(count, difference) / bottom[0]->shape(0);
}

template <typename Dtype>
void L1Loss<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                                 const vector<Blob<Dtype>*>& bottom) {
  for (int k = 0; k < 2; ++k) {
    if (!propagate_down[k]) {
      continue;
    }
    const int count = bottom[k]->count();
    Dtype* gradient = bottom[k]->mutable_cpu_diff();
    caffe::caffe_cpu_sign(count, difference_.cpu_data(), gradient);
    caffe::caffe_scal(count, slope(*top[0], *bottom[k], k), gradient);
  }
}

template <typename Dtype>
Dtype L1Loss<Dtype>::slope(const Blob<Dtype>& top, const Blob<Dtype>& bottom, int index) {
  return (index == 0 ? 1 : -1) * top.cpu_diff()[0] / bottom.shape(0);
}

#ifdef CPU_ONLY
STUB_GPU(L1Loss);
#endif

template class L1Loss<float>;
template class L1Loss<double>;

}  // namespace idn::layers
