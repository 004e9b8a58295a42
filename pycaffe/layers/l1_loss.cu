#include "l1_loss.hpp"

#include <vector>

#include "caffe/util/math_functions.hpp"

namespace idn::layers {

using caffe::Blob;
using std::vector;

namespace {

template <typename Dtype>
__global__ void scaled_signs(int count, Dtype scale, const Dtype* from, Dtype* to) {
  CUDA_KERNEL_LOOP(i, count) { to[i] = scale * ((from[i] > 0) - (from[i] < 0)); }
}

}  // namespace

template <typename Dtype>
void L1Loss<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top) {
  const int count = bottom[0]->count();
  Dtype* difference = difference_.mutable_gpu_data();
  caffe::caffe_gpu_sub(count, bottom[0]->gpu_data(), bottom[1]->gpu_data(), difference);
  Dtype sum;
  caffe::caffe_gpu_asum(count, difference, &sum);
  top[0]->mutable_cpu_data()[0] = sum / bottom[0]->shape(0);
}

template <typename Dtype>
void L1Loss<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                                 const vector<Blob<Dtype>*>& bottom) {
  for (int k = 0; k < 2; ++k) {
    if (!propagate_down[k]) {
      continue;
    }
    const int count = bottom[k]->count();
    scaled_signs<Dtype><<<caffe::CAFFE_GET_BLOCKS(count), caffe::CAFFE_CUDA_NUM_THREADS>>>(
        count, slope(*top[0], *bottom[k], k), difference_.gpu_data(), bottom[k]->mutable_gpu_diff());
    CUDA_POST_KERNEL_CHECK;
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(L1Loss);

}  // namespace idn::layers
