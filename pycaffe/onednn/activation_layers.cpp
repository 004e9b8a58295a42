// PReLU and TanH in parallel: upstream's arithmetic, value by value, and sums in upstream's order, so that results are
// the same to the last bit.
#include <algorithm>
#include <cmath>
#include <vector>

#include "caffe/layers/prelu_layer.hpp"
#include "caffe/layers/tanh_layer.hpp"
#include "layers.hpp"
#include "runtime.hpp"

namespace idn::onednn {

using caffe::Blob;
using caffe::LayerParameter;
using std::vector;

namespace {

template <typename Dtype>
class FastPReLU : public caffe::PReLULayer<Dtype> {
 public:
  explicit FastPReLU(const LayerParameter& param) : caffe::PReLULayer<Dtype>(param) {}

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top) override {
    const Dtype* in = bottom[0]->cpu_data();
    Dtype* out = top[0]->mutable_cpu_data();
    const Dtype* slopes = this->blobs_[0]->cpu_data();
    // the backward pass wants what was there
    Dtype* kept = bottom[0] == top[0] ? this->bottom_memory_.mutable_cpu_data() : nullptr;
    run([&] {
      each(*bottom[0], [=](long slope_index, long begin, long end) {
        const Dtype slope = slopes[slope_index];
        if (kept) {
          std::copy(in + begin, in + end, kept + begin);
        }
        for (long i = begin; i < end; ++i) {
          out[i] = std::max(in[i], Dtype(0)) + slope * std::min(in[i], Dtype(0));
        }
      });
    });
  }

  void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override {
    const Dtype* in = top[0] == bottom[0] ? this->bottom_memory_.cpu_data() : bottom[0]->cpu_data();
    const Dtype* slopes = this->blobs_[0]->cpu_data();
    const Dtype* top_gradient = top[0]->cpu_diff();
    if (this->param_propagate_down_[0]) {
      Dtype* slope_gradients = this->blobs_[0]->mutable_cpu_diff();
      run([&] { add_slope_gradients(*bottom[0], in, top_gradient, slope_gradients); });
    }
    if (propagate_down[0]) {
      Dtype* gradient = bottom[0]->mutable_cpu_diff();
      run([&] {
        each(*bottom[0], [=](long slope_index, long begin, long end) {
          const Dtype slope = slopes[slope_index];
          for (long i = begin; i < end; ++i) {
            gradient[i] = top_gradient[i] * ((in[i] > 0) + slope * (in[i] <= 0));
          }
        });
      });
    }
  }

 private:
  template <typename Body>
  void each(const Blob<Dtype>& blob, const Body& body) const {
    const bool shared = this->channel_shared_;
    const long channels = blob.channels();
    for_planes(blob.shape(0) * channels, blob.count(2),
               [&](long plane, long begin, long end) { body(shared ? 0 : plane % channels, begin, end); });
  }

  // One thread per slope, in the order of memory.
  void add_slope_gradients(const Blob<Dtype>& blob, const Dtype* in, const Dtype* top_gradient,
                           Dtype* slope_gradients) const {
    const long pixels = this->channel_shared_ ? blob.count(1) : blob.count(2);
    const long slopes = this->channel_shared_ ? 1 : blob.channels(), images = blob.shape(0);
    parallel_for(
        slopes,
        [=](long begin, long end) {
          for (long slope = begin; slope < end; ++slope) {
            Dtype sum = slope_gradients[slope];
            for (long image = 0; image < images; ++image) {
              const long first = (image * slopes + slope) * pixels;
              for (long i = first; i < first + pixels; ++i) {
                sum += top_gradient[i] * in[i] * (in[i] <= 0);
              }
            }
            slope_gradients[slope] = sum;
          }
        },
        1);
  }
};

template <typename Dtype>
class FastTanH : public caffe::TanHLayer<Dtype> {
 public:
  explicit FastTanH(const LayerParameter& param) : caffe::TanHLayer<Dtype>(param) {}

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top) override {
    const Dtype* in = bottom[0]->cpu_data();
    Dtype* out = top[0]->mutable_cpu_data();
    run([&] {
      parallel_for(
          bottom[0]->count(),
          [=](long begin, long end) {
            for (long i = begin; i < end; ++i) {
              out[i] = std::tanh(in[i]);
            }
          },
          1024);
    });
  }
};

}  // namespace

template <typename Dtype>
caffe::Layer<Dtype>* new_prelu(const LayerParameter& param) {
  return new FastPReLU<Dtype>(param);
}

template <typename Dtype>
caffe::Layer<Dtype>* new_tanh(const LayerParameter& param) {
  return new FastTanH<Dtype>(param);
}

IDN_INSTANTIATE_LAYER(new_prelu);
IDN_INSTANTIATE_LAYER(new_tanh);

}  // namespace idn::onednn
