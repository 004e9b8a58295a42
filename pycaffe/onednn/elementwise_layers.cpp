// ReLU, Eltwise (sums) and Split in parallel: upstream's arithmetic, value by value, which one core does alone
// there. Results are the same to the last bit.
#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include "caffe/layers/eltwise_layer.hpp"
#include "caffe/layers/relu_layer.hpp"
#include "caffe/layers/split_layer.hpp"
#include "fusion.hpp"
#include "layers.hpp"
#include "runtime.hpp"

namespace idn::onednn {

using caffe::Blob;
using caffe::LayerParameter;
using std::vector;

namespace {

template <typename Dtype>
class FastReLU : public caffe::ReLULayer<Dtype> {
 public:
  explicit FastReLU(const LayerParameter& param) : caffe::ReLULayer<Dtype>(param), number_(layers_made()) {}

  void LayerSetUp(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top) override {
    caffe::ReLULayer<Dtype>::LayerSetUp(bottom, top);
    if (bottom[0] == top[0]) {
      fusion_ = take_fusion(number_, bottom[0]);
    }
    if (fusion_) {
      fusion_->slope = this->layer_param_.relu_param().negative_slope();
      fusion_->paired = true;
    }
  }

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top) override {
    if (fusion_ && fusion_->applied) {
      fusion_->applied = false;  // a second call would activate a second time, as upstream's does
      return;
    }
    const Dtype slope = this->layer_param_.relu_param().negative_slope();
    const Dtype* in = bottom[0]->cpu_data();
    Dtype* out = top[0]->mutable_cpu_data();
    run([&] {
      parallel_for(bottom[0]->count(), [=](long begin, long end) {
        for (long i = begin; i < end; ++i) {
          out[i] = std::max(in[i], Dtype(0)) + slope * std::min(in[i], Dtype(0));
        }
      });
    });
  }

  void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override {
    if (!propagate_down[0]) {
      return;
    }
    const Dtype slope = this->layer_param_.relu_param().negative_slope();
    const Dtype* in = bottom[0]->cpu_data();
    const Dtype* top_gradient = top[0]->cpu_diff();
    Dtype* gradient = bottom[0]->mutable_cpu_diff();
    run([&] {
      parallel_for(bottom[0]->count(), [=](long begin, long end) {
        for (long i = begin; i < end; ++i) {
          // upstream's two comparisons, which make 0 of a NaN
          gradient[i] = top_gradient[i] * ((in[i] > 0) + slope * (in[i] <= 0));
        }
      });
    });
  }

 private:
  const long number_;  // among the layers that this thread made
  std::shared_ptr<Fusion> fusion_;
};

template <typename Dtype>
class FastEltwise : public caffe::EltwiseLayer<Dtype> {
 public:
  explicit FastEltwise(const LayerParameter& param) : caffe::EltwiseLayer<Dtype>(param) {}

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top) override {
    if (!is_sum()) {
      caffe::EltwiseLayer<Dtype>::Forward_cpu(bottom, top);
      return;
    }
    Dtype* out = top[0]->mutable_cpu_data();
    vector<const Dtype*> in;
    for (const Blob<Dtype>* blob : bottom) {
      in.push_back(blob->cpu_data());
    }
    const vector<Dtype>& factors = this->coeffs_;
    run([&] { parallel_for(top[0]->count(), [&](long begin, long end) { sum(in, factors, begin, end, out); }); });
  }

  void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override {
    if (!is_sum()) {
      caffe::EltwiseLayer<Dtype>::Backward_cpu(top, propagate_down, bottom);
      return;
    }
    const Dtype* top_gradient = top[0]->cpu_diff();
    for (std::size_t i = 0; i < bottom.size(); ++i) {
      if (!propagate_down[i]) {
        continue;
      }
      const Dtype factor = this->coeffs_[i];
      Dtype* gradient = bottom[i]->mutable_cpu_diff();
      run([&] {
        parallel_for(top[0]->count(), [=](long begin, long end) {
          for (long j = begin; j < end; ++j) {
            gradient[j] = factor * top_gradient[j];
          }
        });
      });
    }
  }

 private:
  bool is_sum() const { return this->op_ == caffe::EltwiseParameter_EltwiseOp_SUM; }

  // Piece by piece, so that the sums so far stay in the cache. `out` may be one of the inputs: in place.
  static void sum(const vector<const Dtype*>& in, const vector<Dtype>& factors, long begin, long end, Dtype* out) {
    const long kPiece = 1024;
    Dtype sums[kPiece];
    for (long start = begin; start < end; start += kPiece) {
      const long count = std::min(kPiece, end - start);
      std::fill_n(sums, count, Dtype(0));
      for (std::size_t k = 0; k < in.size(); ++k) {
        const Dtype* values = in[k] + start;
        const Dtype factor = factors[k];
        for (long j = 0; j < count; ++j) {
          sums[j] += factor * values[j];
        }
      }
      std::copy_n(sums, count, out + start);
    }
  }
};

template <typename Dtype>
class FastSplit : public caffe::SplitLayer<Dtype> {
 public:
  explicit FastSplit(const LayerParameter& param) : caffe::SplitLayer<Dtype>(param) {}

 protected:
  void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override {
    if (!propagate_down[0]) {
      return;
    }
    Dtype* gradient = bottom[0]->mutable_cpu_diff();
    vector<const Dtype*> parts;
    for (const Blob<Dtype>* blob : top) {
      parts.push_back(blob->cpu_diff());
    }
    run([&] {
      parallel_for(bottom[0]->count(), [&](long begin, long end) {
        std::copy(parts[0] + begin, parts[0] + end, gradient + begin);
        for (std::size_t k = 1; k < parts.size(); ++k) {
          const Dtype* part = parts[k];
          for (long i = begin; i < end; ++i) {
            gradient[i] += part[i];
          }
        }
      });
    });
  }
};

}  // namespace

template <typename Dtype>
caffe::Layer<Dtype>* new_relu(const LayerParameter& param) {
  return new FastReLU<Dtype>(param);
}

template <typename Dtype>
caffe::Layer<Dtype>* new_eltwise(const LayerParameter& param) {
  return new FastEltwise<Dtype>(param);
}

template <typename Dtype>
caffe::Layer<Dtype>* new_split(const LayerParameter& param) {
  return new FastSplit<Dtype>(param);
}

IDN_INSTANTIATE_LAYER(new_relu);
IDN_INSTANTIATE_LAYER(new_eltwise);
IDN_INSTANTIATE_LAYER(new_split);

}  // namespace idn::onednn
