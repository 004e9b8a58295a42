// BatchNorm with stored statistics, and Scale, in one parallel pass each: upstream replicates each channel's number to
// every pixel by products of matrices, into two more arrays as large as its input.
#include <algorithm>
#include <cmath>
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

// Calls body(channel, offset) for each of `planes` planes of `pixels` values, in parallel.
template <typename Body>
void each_plane(long planes, long pixels, long channels, const Body& body) {
  parallel_for(
      planes,
      [&](long begin, long end) {
        for (long plane = begin; plane < end; ++plane) {
          body(plane % channels, plane * pixels);
        }
      },
      std::max(1L, 8192 / std::max(1L, pixels)));
}

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
    read_statistics();
    const Dtype* mean = this->mean_.cpu_data();
    const Dtype* deviation = this->variance_.cpu_data();
    const Dtype* in = bottom[0]->cpu_data();
    Dtype* out = top[0]->mutable_cpu_data();
    run([&] {
      each(*bottom[0], [=](long channel, long begin, long pixels) {
        const Dtype shift = mean[channel], divisor = deviation[channel];
        for (long i = begin; i < begin + pixels; ++i) {
          out[i] = (in[i] - shift) / divisor;
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
    const Dtype* deviation = this->variance_.cpu_data();
    const Dtype* top_gradient = top[0]->cpu_diff();
    Dtype* gradient = bottom[0]->mutable_cpu_diff();
    run([&] {
      each(*bottom[0], [=](long channel, long begin, long pixels) {
        const Dtype divisor = deviation[channel];
        for (long i = begin; i < begin + pixels; ++i) {
          gradient[i] = top_gradient[i] / divisor;
        }
      });
    });
  }

 private:
  // The stored sums as upstream reads them: mean_, and in variance_ the standard deviation.
  void read_statistics() {
    const Dtype weight = this->blobs_[2]->cpu_data()[0];
    const Dtype factor = weight == 0 ? 0 : 1 / weight;
    const Dtype* means = this->blobs_[0]->cpu_data();
    const Dtype* variances = this->blobs_[1]->cpu_data();
    Dtype* mean = this->mean_.mutable_cpu_data();
    Dtype* deviation = this->variance_.mutable_cpu_data();
    for (int channel = 0; channel < this->channels_; ++channel) {
      mean[channel] = factor * means[channel];
      deviation[channel] = std::sqrt(factor * variances[channel] + this->eps_);
    }
  }

  template <typename Body>
  void each(const Blob<Dtype>& blob, const Body& body) const {
    const long planes = static_cast<long>(blob.shape(0)) * this->channels_;
    if (planes == 0) {
      return;
    }
    const long pixels = blob.count() / planes;
    each_plane(planes, pixels, this->channels_, [&](long channel, long begin) { body(channel, begin, pixels); });
  }
};

template <typename Dtype>
class FastScale : public caffe::ScaleLayer<Dtype> {
 public:
  explicit FastScale(const LayerParameter& param) : caffe::ScaleLayer<Dtype>(param) {}

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top) override {
    const Dtype* factors = (bottom.size() > 1 ? bottom[1] : this->blobs_[0].get())->cpu_data();
    const Dtype* shifts = this->bias_layer_ ? this->bias_layer_->blobs()[0]->cpu_data() : nullptr;
    const Dtype* in = bottom[0]->cpu_data();
    Dtype* out = top[0]->mutable_cpu_data();
    // the backward pass wants what was there
    Dtype* kept = bottom[0] == top[0] ? this->temp_.mutable_cpu_data() : nullptr;
    const long pixels = this->inner_dim_;
    run([&] {
      each_plane(static_cast<long>(this->outer_dim_) * this->scale_dim_, pixels, this->scale_dim_,
                 [=](long channel, long begin) {
                   const Dtype factor = factors[channel], shift = shifts ? shifts[channel] : Dtype(0);
                   for (long i = begin; i < begin + pixels; ++i) {
                     const Dtype value = in[i];
                     if (kept) {
                       kept[i] = value;
                     }
                     out[i] = shifts ? factor * value + shift : factor * value;
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

template caffe::Layer<float>* new_batch_norm<float>(const LayerParameter&);
template caffe::Layer<double>* new_batch_norm<double>(const LayerParameter&);
template caffe::Layer<float>* new_scale<float>(const LayerParameter&);
template caffe::Layer<double>* new_scale<double>(const LayerParameter&);

}  // namespace idn::onednn
