// BatchNorm with stored statistics and Scale, in parallel: upstream's arithmetic, value by value, to the last bit.
// Upstream keeps copies of a blob's size for a backward pass, two in a BatchNorm and one in a Scale that works in
// place. Here they are not made where that pass does not need them: none in a BatchNorm, and in a Scale only for its
// gradient.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "caffe/layers/batch_norm_layer.hpp"
#include "caffe/layers/scale_layer.hpp"
#include "layers.hpp"
#include "runtime.hpp"

namespace idn::onednn {

using caffe::Blob;
using caffe::LayerParameter;
using std::vector;

namespace {

template <typename Dtype>
class FastBatchNorm : public caffe::BatchNormLayer<Dtype> {
 public:
  explicit FastBatchNorm(const LayerParameter& param) : caffe::BatchNormLayer<Dtype>(param) {}

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top) override {
    if (!this->use_global_stats_) {
      caffe::BatchNormLayer<Dtype>::Forward_cpu(bottom, top);
      return;
    }
    const vector<Dtype> means = stored(0), deviations = this->deviations();
    const Dtype* in = bottom[0]->cpu_data();
    Dtype* out = top[0]->mutable_cpu_data();
    run([&] {
      for_planes(planes(*bottom[0]), pixels(*bottom[0]), [&](long plane, long begin, long end) {
        const Dtype mean = means[plane % this->channels_], deviation = deviations[plane % this->channels_];
        for (long i = begin; i < end; ++i) {
          out[i] = (in[i] - mean) / deviation;
        }
      });
    });
  }

  void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override {
    if (!this->use_global_stats_) {
      caffe::BatchNormLayer<Dtype>::Backward_cpu(top, propagate_down, bottom);
      return;
    }
    const vector<Dtype> deviations = this->deviations();
    const Dtype* top_gradient = top[0]->cpu_diff();
    Dtype* gradient = bottom[0]->mutable_cpu_diff();
    run([&] {
      for_planes(planes(*bottom[0]), pixels(*bottom[0]), [&](long plane, long begin, long end) {
        const Dtype deviation = deviations[plane % this->channels_];
        for (long i = begin; i < end; ++i) {
          gradient[i] = top_gradient[i] / deviation;
        }
      });
    });
  }

 private:
  long planes(const Blob<Dtype>& blob) const { return static_cast<long>(blob.shape(0)) * this->channels_; }
  long pixels(const Blob<Dtype>& blob) const { return blob.count() / planes(blob); }

  // The means (0) or variances (1) that training has left, which are sums with their weight.
  vector<Dtype> stored(int which) const {
    const Dtype weight = this->blobs_[2]->cpu_data()[0];
    const Dtype factor = weight == 0 ? 0 : 1 / weight;
    const Dtype* sums = this->blobs_[which]->cpu_data();
    vector<Dtype> values(this->channels_);
    for (int i = 0; i < this->channels_; ++i) {
      values[i] = factor * sums[i];
    }
    return values;
  }

  vector<Dtype> deviations() const {
    vector<Dtype> values = stored(1);
    for (Dtype& value : values) {
      value += this->eps_;
      value = std::sqrt(value);
    }
    return values;
  }
};

template <typename Dtype>
class FastScale : public caffe::ScaleLayer<Dtype> {
 public:
  explicit FastScale(const LayerParameter& param) : caffe::ScaleLayer<Dtype>(param) {}

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top) override {
    const bool in_place = bottom[0] == top[0];
    if (bottom.size() > 1 || bottom[0]->count() == 0) {  // of two blobs upstream takes care
      caffe::ScaleLayer<Dtype>::Forward_cpu(bottom, top);
      return;
    }
    const Dtype* factors = this->blobs_[0]->cpu_data();
    const Dtype* biases = this->bias_layer_ ? this->blobs_[this->bias_param_id_]->cpu_data() : nullptr;
    const Dtype* in = bottom[0]->cpu_data();
    Dtype* out = top[0]->mutable_cpu_data();
    // in place, the gradient of the factors needs the values before
    Dtype* kept = in_place && this->param_propagate_down_[0] ? this->temp_.mutable_cpu_data() : nullptr;
    run([&] {
      for_planes(static_cast<long>(this->outer_dim_) * this->scale_dim_, this->inner_dim_,
                 [&](long plane, long begin, long end) {
                   const Dtype factor = factors[plane % this->scale_dim_];
                   if (kept) {
                     std::copy(in + begin, in + end, kept + begin);
                   }
                   for (long i = begin; i < end; ++i) {
                     out[i] = factor * in[i];
                   }
                   const Dtype bias = biases ? biases[plane % this->scale_dim_] : 0;
                   for (long i = begin; biases && i < end; ++i) {
                     out[i] += bias;
                   }
                 });
    });
  }
};

}  // namespace

template <typename Dtype>
caffe::Layer<Dtype>* new_batch_norm(const LayerParameter& param) {
  return new FastBatchNorm<Dtype>(param);
}

template <typename Dtype>
caffe::Layer<Dtype>* new_scale(const LayerParameter& param) {
  return new FastScale<Dtype>(param);
}

IDN_INSTANTIATE_LAYER(new_batch_norm);
IDN_INSTANTIATE_LAYER(new_scale);

}  // namespace idn::onednn
