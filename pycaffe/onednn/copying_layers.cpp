// Concat and Slice: both copy rows between one large blob and its parts, here with all cores.
#include <algorithm>
#include <cstddef>
#include <vector>

#include "caffe/layers/concat_layer.hpp"
#include "caffe/layers/slice_layer.hpp"
#include "layers.hpp"
#include "runtime.hpp"

namespace idn::onednn {

using caffe::Blob;
using caffe::LayerParameter;
using std::vector;

namespace {

// Copies `rows` rows of `length` values between arrays whose rows lie from_stride and to_stride values apart. In a net
// that shares its memory (deploy/) a part can lie within the whole already.
template <typename Dtype>
void copy_rows(long rows, long length, const Dtype* from, long from_stride, Dtype* to, long to_stride) {
  if (from == to && (rows == 1 || from_stride == to_stride)) {
    return;
  }
  parallel_for(rows * length, [=](long begin, long end) {
    while (begin < end) {
      const long row = begin / length, column = begin % length;
      const long count = std::min(length - column, end - begin);
      std::copy_n(from + row * from_stride + column, count, to + row * to_stride + column);
      begin += count;
    }
  });
}

// The rows of one part within the whole, along an axis.
struct Span {
  long offset, length;
};

template <typename Dtype>
vector<Span> spans(const vector<Blob<Dtype>*>& parts, int axis) {
  vector<Span> found;
  long offset = 0;
  for (const Blob<Dtype>* part : parts) {
    const long length = part->count(axis);
    found.push_back({offset, length});
    offset += length;
  }
  return found;
}

template <typename Dtype>
class FastConcat : public caffe::ConcatLayer<Dtype> {
 public:
  explicit FastConcat(const LayerParameter& param) : caffe::ConcatLayer<Dtype>(param) {}

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top) override {
    if (bottom.size() == 1) {
      return;  // upstream's Reshape made them one
    }
    const int axis = this->concat_axis_;
    const vector<Span> parts = spans(bottom, axis);
    Dtype* whole = top[0]->mutable_cpu_data();
    for (std::size_t i = 0; i < bottom.size(); ++i) {
      const Dtype* part = bottom[i]->cpu_data();
      run([&] {
        copy_rows(bottom[i]->count(0, axis), parts[i].length, part, parts[i].length, whole + parts[i].offset,
                  top[0]->count(axis));
      });
    }
  }

  void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override {
    if (bottom.size() == 1) {
      return;
    }
    const int axis = this->concat_axis_;
    const vector<Span> parts = spans(bottom, axis);
    const Dtype* whole = top[0]->cpu_diff();
    for (std::size_t i = 0; i < bottom.size(); ++i) {
      if (!propagate_down[i]) {
        continue;
      }
      Dtype* part = bottom[i]->mutable_cpu_diff();
      run([&] {
        copy_rows(bottom[i]->count(0, axis), parts[i].length, whole + parts[i].offset, top[0]->count(axis), part,
                  parts[i].length);
      });
    }
  }
};

template <typename Dtype>
class FastSlice : public caffe::SliceLayer<Dtype> {
 public:
  explicit FastSlice(const LayerParameter& param) : caffe::SliceLayer<Dtype>(param) {}

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top) override {
    if (top.size() == 1) {
      return;  // upstream's Reshape made them one
    }
    const int axis = this->slice_axis_;
    const vector<Span> parts = spans(top, axis);
    const Dtype* whole = bottom[0]->cpu_data();
    for (std::size_t i = 0; i < top.size(); ++i) {
      Dtype* part = top[i]->mutable_cpu_data();
      run([&] {
        copy_rows(top[i]->count(0, axis), parts[i].length, whole + parts[i].offset, bottom[0]->count(axis), part,
                  parts[i].length);
      });
    }
  }

  void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override {
    if (!propagate_down[0] || top.size() == 1) {
      return;
    }
    const int axis = this->slice_axis_;
    const vector<Span> parts = spans(top, axis);
    Dtype* whole = bottom[0]->mutable_cpu_diff();
    for (std::size_t i = 0; i < top.size(); ++i) {
      const Dtype* part = top[i]->cpu_diff();
      run([&] {
        copy_rows(top[i]->count(0, axis), parts[i].length, part, parts[i].length, whole + parts[i].offset,
                  bottom[0]->count(axis));
      });
    }
  }
};

}  // namespace

template <typename Dtype>
caffe::Layer<Dtype>* new_concat(const LayerParameter& param) {
  return new FastConcat<Dtype>(param);
}

template <typename Dtype>
caffe::Layer<Dtype>* new_slice(const LayerParameter& param) {
  return new FastSlice<Dtype>(param);
}

IDN_INSTANTIATE_LAYER(new_concat);
IDN_INSTANTIATE_LAYER(new_slice);

}  // namespace idn::onednn
