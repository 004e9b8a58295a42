// The fast layers by Caffe's own gradient checker, in float and double, made through the registry as nets make them;
// and several threads at once, which Python's lock keeps apart. Linked into upstream's test program.
#include <string>
#include <thread>
#include <vector>

#include "caffe/test/test_caffe_main.hpp"
#include "caffe/test/test_gradient_check_util.hpp"
#include "gtest/gtest.h"

#include "caffe/blob.hpp"
#include "caffe/filler.hpp"
#include "caffe/layer_factory.hpp"
#include "google/protobuf/text_format.h"

namespace idn::onednn {

using caffe::Blob;
using caffe::Caffe;
using caffe::CPUDeviceTest;
using caffe::FillerParameter;
using caffe::GaussianFiller;
using caffe::GradientChecker;
using caffe::Layer;
using caffe::LayerParameter;
using caffe::LayerRegistry;
using caffe::shared_ptr;
using caffe::TestDtypes;
using std::string;
using std::vector;

namespace {

template <typename Dtype>
class CpuEngineTest : public CPUDeviceTest<Dtype> {
 protected:
  static shared_ptr<Layer<Dtype>> make(const string& text) {
    LayerParameter param;
    CHECK(google::protobuf::TextFormat::ParseFromString(text, &param));
    return LayerRegistry<Dtype>::CreateLayer(param);
  }

  static void fill(Blob<Dtype>* blob) {
    FillerParameter param;
    param.set_std(1);
    GaussianFiller<Dtype>(param).Fill(blob);
  }

  // Gradients of the input and of every parameter of a layer with one input, by finite differences.
  void check(const string& text, const vector<int>& shape) {
    Caffe::set_random_seed(1701);
    Blob<Dtype> in(shape), out;
    fill(&in);
    const vector<Blob<Dtype>*> bottom(1, &in), top(1, &out);
    shared_ptr<Layer<Dtype>> layer = make(text);
    GradientChecker<Dtype> checker(1e-2, 1e-3);
    checker.CheckGradientExhaustive(layer.get(), bottom, top);
  }
};

TYPED_TEST_CASE(CpuEngineTest, TestDtypes);

const char kWeights[] = "weight_filler { type: 'gaussian' std: 0.5 } bias_filler { type: 'gaussian' std: 0.5 }";

TYPED_TEST(CpuEngineTest, ConvolutionGradient) {
  this->check(string("type: 'Convolution' convolution_param { num_output: 4 kernel_size: 3 pad: 1 ") + kWeights + "}",
              {2, 3, 5, 6});
}

TYPED_TEST(CpuEngineTest, GroupedStridedConvolutionGradient) {
  this->check(string("type: 'Convolution' convolution_param { num_output: 6 group: 3 kernel_h: 3 kernel_w: 2 "
                     "stride_h: 2 stride_w: 1 pad_h: 1 pad_w: 0 ") +
                  kWeights + "}",
              {2, 6, 6, 5});
}

TYPED_TEST(CpuEngineTest, DilatedConvolutionGradient) {
  this->check(string("type: 'Convolution' convolution_param { num_output: 2 kernel_size: 3 dilation: 2 pad: 2 ") +
                  kWeights + "}",
              {1, 2, 6, 7});
}

TYPED_TEST(CpuEngineTest, DeconvolutionGradient) {
  this->check(string("type: 'Deconvolution' convolution_param { num_output: 2 kernel_size: 5 stride: 3 pad: 2 ") +
                  kWeights + "}",
              {2, 3, 4, 3});
}

TYPED_TEST(CpuEngineTest, GroupedDeconvolutionGradient) {
  this->check(string("type: 'Deconvolution' convolution_param { num_output: 4 group: 2 kernel_size: 4 stride: 2 "
                     "pad: 1 ") +
                  kWeights + "}",
              {2, 4, 3, 4});
}

TYPED_TEST(CpuEngineTest, LeakyReLUGradient) {
  Caffe::set_random_seed(1701);
  Blob<TypeParam> in(2, 3, 6, 5), out;
  this->fill(&in);
  const vector<Blob<TypeParam>*> bottom(1, &in), top(1, &out);
  shared_ptr<Layer<TypeParam>> layer = this->make("type: 'ReLU' relu_param { negative_slope: 0.05 }");
  GradientChecker<TypeParam> checker(1e-2, 1e-3, 1701, 0., 0.01);  // not at the kink
  checker.CheckGradientEltwise(layer.get(), bottom, top);
}

TYPED_TEST(CpuEngineTest, SumGradient) {
  Caffe::set_random_seed(1701);
  Blob<TypeParam> first(2, 3, 4, 5), second(2, 3, 4, 5), third(2, 3, 4, 5), out;
  vector<Blob<TypeParam>*> bottom = {&first, &second, &third};
  for (Blob<TypeParam>* blob : bottom) {
    this->fill(blob);
  }
  const vector<Blob<TypeParam>*> top(1, &out);
  shared_ptr<Layer<TypeParam>> layer =
      this->make("type: 'Eltwise' eltwise_param { operation: SUM coeff: 1 coeff: -0.5 coeff: 2 }");
  GradientChecker<TypeParam> checker(1e-2, 1e-3);
  checker.CheckGradientEltwise(layer.get(), bottom, top);
}

TYPED_TEST(CpuEngineTest, ConcatAndSliceGradient) {
  Caffe::set_random_seed(1701);
  Blob<TypeParam> first(2, 3, 2, 3), second(2, 1, 2, 3), out, part1, part2;
  this->fill(&first);
  this->fill(&second);
  GradientChecker<TypeParam> checker(1e-2, 1e-3);
  const vector<Blob<TypeParam>*> two = {&first, &second}, one(1, &out);
  checker.CheckGradientExhaustive(this->make("type: 'Concat'").get(), two, one);
  const vector<Blob<TypeParam>*> whole(1, &first), parts = {&part1, &part2};
  checker.CheckGradientExhaustive(this->make("type: 'Slice' slice_param { slice_point: 1 }").get(), whole, parts);
}

TYPED_TEST(CpuEngineTest, SplitGradient) {
  Caffe::set_random_seed(1701);
  Blob<TypeParam> in(2, 3, 4, 2), first, second, third;
  this->fill(&in);
  const vector<Blob<TypeParam>*> bottom(1, &in), top = {&first, &second, &third};
  GradientChecker<TypeParam> checker(1e-2, 1e-2);
  checker.CheckGradientEltwise(this->make("type: 'Split'").get(), bottom, top);
}

// Each thread has a layer of its own; the numbers must be those that one thread alone computes.
TYPED_TEST(CpuEngineTest, ThreadsComputeAtOnce) {
  using Dtype = TypeParam;
  const int kThreads = 4;
  vector<shared_ptr<Layer<Dtype>>> layers;
  vector<shared_ptr<Blob<Dtype>>> in, out, expected;
  for (int i = 0; i < kThreads; ++i) {
    Caffe::set_random_seed(1701 + i);
    in.push_back(shared_ptr<Blob<Dtype>>(new Blob<Dtype>(2, 16, 20 + i, 21)));
    out.push_back(shared_ptr<Blob<Dtype>>(new Blob<Dtype>()));
    expected.push_back(shared_ptr<Blob<Dtype>>(new Blob<Dtype>()));
    this->fill(in[i].get());
    layers.push_back(this->make(
        string("type: 'Convolution' convolution_param { num_output: 24 kernel_size: 3 pad: 1 ") + kWeights + "}"));
    const vector<Blob<Dtype>*> bottom(1, in[i].get()), top(1, out[i].get());
    layers[i]->SetUp(bottom, top);
    layers[i]->Forward(bottom, top);
    expected[i]->CopyFrom(*out[i], false, true);
  }
  vector<std::thread> running;
  for (int i = 0; i < kThreads; ++i) {
    running.emplace_back([&, i] {
      const vector<Blob<Dtype>*> bottom(1, in[i].get()), top(1, out[i].get());
      for (int turn = 0; turn < 5; ++turn) {
        layers[i]->Forward(bottom, top);
      }
    });
  }
  for (std::thread& thread : running) {
    thread.join();
  }
  for (int i = 0; i < kThreads; ++i) {
    for (int k = 0; k < out[i]->count(); ++k) {
      ASSERT_EQ(expected[i]->cpu_data()[k], out[i]->cpu_data()[k]);
    }
  }
}

}  // namespace

}  // namespace idn::onednn
