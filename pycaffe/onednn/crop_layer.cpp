// Crop of planes, all cores: upstream copies line by line by a recursive function that makes four vectors for each.
#include <algorithm>
#include <vector>

#include "caffe/layers/crop_layer.hpp"
#include "layers.hpp"
#include "runtime.hpp"

namespace idn::onednn {

using caffe::Blob;
using caffe::LayerParameter;
using std::vector;

namespace {

template <typename Dtype>
class FastCrop : public caffe::CropLayer<Dtype> {
 public:
  explicit FastCrop(const LayerParameter& param) : caffe::CropLayer<Dtype>(param) {}

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top) override {
    if (bottom[0]->num_axes() != 4) {
      caffe::CropLayer<Dtype>::Forward_cpu(bottom, top);
      return;
    }
    const Dtype* from = bottom[0]->cpu_data();
    Dtype* to = top[0]->mutable_cpu_data();
    run([&] {
      each_line(*bottom[0], *top[0],
                [=](long large, long small, long length) { std::copy_n(from + large, length, to + small); });
    });
  }

  void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override {
    if (bottom[0]->num_axes() != 4 || !propagate_down[0]) {
      caffe::CropLayer<Dtype>::Backward_cpu(top, propagate_down, bottom);
      return;
    }
    const Dtype* from = top[0]->cpu_diff();
    Dtype* to = bottom[0]->mutable_cpu_diff();
    run([&] {
      parallel_for(bottom[0]->count(), [=](long begin, long end) { std::fill(to + begin, to + end, Dtype(0)); });
      each_line(*bottom[0], *top[0],
                [=](long large, long small, long length) { std::copy_n(from + small, length, to + large); });
    });
  }

 private:
  // Calls body(offset in the large array, offset in the small one, length) for each line of the small one.
  template <typename Body>
  void each_line(const Blob<Dtype>& large, const Blob<Dtype>& small, const Body& body) const {
    const int* offsets = this->offsets.cpu_data();
    const long channels = small.shape(1), height = small.shape(2), width = small.shape(3);
    const long lines = small.shape(0) * channels * height;
    parallel_for(
        lines,
        [&](long begin, long end) {
          for (long line = begin; line < end; ++line) {
            const long y = line % height + offsets[2], channel = line / height % channels + offsets[1];
            const long image = line / height / channels + offsets[0];
            const long row = (image * large.shape(1) + channel) * large.shape(2) + y;
            body(row * large.shape(3) + offsets[3], line * width, width);
          }
        },
        std::max(1L, 8192 / std::max(1L, width)));
  }
};

}  // namespace

template <typename Dtype>
caffe::Layer<Dtype>* new_crop(const LayerParameter& param) {
  return new FastCrop<Dtype>(param);
}

IDN_INSTANTIATE_LAYER(new_crop);

}  // namespace idn::onednn
