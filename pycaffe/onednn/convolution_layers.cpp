// Caffe's Convolution and Deconvolution layers on oneDNN. Everything but the arithmetic is upstream's: set-up,
// shapes, fillers, GPU. A transposed convolution is the gradient of a convolution, so one class serves both.
#include <cstddef>
#include <memory>
#include <vector>

#include "bias.hpp"
#include "caffe/layers/conv_layer.hpp"
#include "caffe/layers/deconv_layer.hpp"
#include "convolution.hpp"
#include "fusion.hpp"
#include "layers.hpp"
#include "runtime.hpp"

namespace idn::onednn {

using caffe::Blob;
using caffe::LayerParameter;
using std::vector;

namespace {

template <typename Upstream, bool transposed>
class Fast : public Upstream {
 public:
  explicit Fast(const LayerParameter& param)
      : Upstream(param), number_(layers_made()), fusion_(std::make_shared<Fusion>()) {}

  void LayerSetUp(const vector<Blob<float>*>& bottom, const vector<Blob<float>*>& top) override {
    Upstream::LayerSetUp(bottom, top);
    if (!transposed && top.size() == 1) {
      offer_fusion(number_, top[0], fusion_);
    }
  }

 protected:
  void Forward_cpu(const vector<Blob<float>*>& bottom, const vector<Blob<float>*>& top) override {
    fusion_->applied = false;
    if (!can_run(bottom, top) || !(transposed ? plan_->has_backward_data() : plan_->has_forward())) {
      Upstream::Forward_cpu(bottom, top);
      return;
    }
    const float* weights = this->blobs_[0]->cpu_data();
    const float* bias = this->bias_term_ ? this->blobs_[1]->cpu_data() : nullptr;
    fusion_->applied = fusion_->paired && fusion_is_on() && plan_->has_forward_relu(fusion_->slope);
    for (std::size_t i = 0; i < bottom.size(); ++i) {
      const float* in = bottom[i]->cpu_data();
      float* out = top[i]->mutable_cpu_data();
      run([&] {
        if (fusion_->applied) {
          plan_->forward_relu(in, weights, bias, fusion_->slope, out);
        } else if (!transposed) {
          plan_->forward(in, weights, bias, out);
        } else {
          plan_->backward_data(in, weights, out);
          if (bias) {
            add_bias(bias, this->num_, this->num_output_, this->out_spatial_dim_, out);
          }
        }
      });
    }
  }

  void Backward_cpu(const vector<Blob<float>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<float>*>& bottom) override {
    if (!can_run(bottom, top) || !plan_->has_backward_weights() ||
        !(transposed ? plan_->has_forward() : plan_->has_backward_data())) {
      Upstream::Backward_cpu(top, propagate_down, bottom);
      return;
    }
    const bool for_weights = this->param_propagate_down_[0];
    const bool for_bias = this->bias_term_ && this->param_propagate_down_[1];
    const float* weights = this->blobs_[0]->cpu_data();
    float* weight_gradient = for_weights ? this->blobs_[0]->mutable_cpu_diff() : nullptr;
    float* bias_gradient = for_bias ? this->blobs_[1]->mutable_cpu_diff() : nullptr;
    for (std::size_t i = 0; i < top.size(); ++i) {
      const float* top_gradient = top[i]->cpu_diff();
      const float* bottom_data = bottom[i]->cpu_data();
      float* bottom_gradient = propagate_down[i] ? bottom[i]->mutable_cpu_diff() : nullptr;
      run([&] { backward(top_gradient, bottom_data, weights, bottom_gradient, weight_gradient, bias_gradient); });
    }
  }

 private:
  // Gradients of one blob; what is not wanted is null.
  void backward(const float* top_gradient, const float* bottom_data, const float* weights, float* bottom_gradient,
                float* weight_gradient, float* bias_gradient) {
    if (!transposed && weight_gradient && bottom_gradient) {
      plan_->backward(bottom_data, top_gradient, weights, bottom_gradient, weight_gradient, bias_gradient);
      return;
    }
    if (weight_gradient) {
      if (transposed) {
        plan_->backward_weights(top_gradient, bottom_data, weight_gradient, nullptr);
      } else {
        plan_->backward_weights(bottom_data, top_gradient, weight_gradient, bias_gradient);
      }
    }
    if (bias_gradient && (transposed || !weight_gradient)) {
      add_bias_gradient(top_gradient, this->num_, this->num_output_, this->out_spatial_dim_, bias_gradient);
    }
    if (bottom_gradient) {
      if (transposed) {
        plan_->forward(top_gradient, weights, nullptr, bottom_gradient);
      } else {
        plan_->backward_data(top_gradient, weights, bottom_gradient);
      }
    }
  }

  // Whether oneDNN's two-dimensional convolutions mean the same; brings the plan up to the present sizes.
  bool can_run(const vector<Blob<float>*>& bottom, const vector<Blob<float>*>& top) {
    if (this->num_spatial_axes_ != 2 || this->force_nd_im2col_ || bottom[0]->count() == 0 || top[0]->count() == 0) {
      return false;
    }
    const Geometry now = geometry(*bottom[0], *top[0]);
    if (!plan_ || !(plan_->geometry() == now) || plan_->threads() != threads()) {
      plan_ = Convolution::make(now);
    }
    return true;
  }

  Geometry geometry(const Blob<float>& bottom, const Blob<float>& top) {
    const Blob<float>& in = transposed ? top : bottom;
    const Blob<float>& out = transposed ? bottom : top;
    const int* kernel = this->kernel_shape_.cpu_data();
    const int* stride = this->stride_.cpu_data();
    const int* pad = this->pad_.cpu_data();
    const int* dilation = this->dilation_.cpu_data();
    const int axis = this->channel_axis_;
    return {this->num_,
            this->group_,
            in.shape(axis),
            in.shape(axis + 1),
            in.shape(axis + 2),
            out.shape(axis),
            out.shape(axis + 1),
            out.shape(axis + 2),
            kernel[0],
            kernel[1],
            stride[0],
            stride[1],
            pad[0],
            pad[1],
            dilation[0],
            dilation[1]};
  }

  const long number_;  // among the layers that this thread made
  const std::shared_ptr<Fusion> fusion_;
  std::unique_ptr<Convolution> plan_;
};

}  // namespace

caffe::Layer<float>* new_convolution(const LayerParameter& param) {
  return new Fast<caffe::ConvolutionLayer<float>, false>(param);
}

caffe::Layer<float>* new_deconvolution(const LayerParameter& param) {
  return new Fast<caffe::DeconvolutionLayer<float>, true>(param);
}

}  // namespace idn::onednn
