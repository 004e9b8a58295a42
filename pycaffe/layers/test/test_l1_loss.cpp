// L1Loss by Caffe's own gradient checker, in float and double, on the CPU and where there is one on the GPU. Linked
// into upstream's test program.
#include <cmath>
#include <vector>

#include "caffe/test/test_caffe_main.hpp"
#include "caffe/test/test_gradient_check_util.hpp"
#include "gtest/gtest.h"

#include "caffe/blob.hpp"
#include "caffe/layer_factory.hpp"

namespace idn::layers {

using caffe::Blob;
using caffe::Layer;
using caffe::LayerParameter;
using caffe::LayerRegistry;
using caffe::shared_ptr;
using std::vector;

namespace {

template <typename TypeParam>
class L1LossLayerTest : public caffe::MultiDeviceTest<TypeParam> {
 protected:
  using Dtype = typename TypeParam::Dtype;

  // Differences of 0.3 to 0.9 and of both signs, so that none comes near the kink at 0.
  L1LossLayerTest() : first_(5, 2, 3, 4), second_(5, 2, 3, 4), bottom_{&first_, &second_}, top_(1, &loss_) {
    for (int i = 0; i < first_.count(); ++i) {
      first_.mutable_cpu_data()[i] = Dtype(i % 13) / 8 - 1;
      second_.mutable_cpu_data()[i] = first_.cpu_data()[i] + (i % 3 ? 1 : -1) * (Dtype(0.3) + Dtype(i % 7) / 10);
    }
  }

  static shared_ptr<Layer<Dtype>> make(Dtype weight = 1) {
    LayerParameter param;
    param.set_type("L1Loss");
    param.add_loss_weight(weight);
    return LayerRegistry<Dtype>::CreateLayer(param);
  }

  Blob<Dtype> first_, second_, loss_;
  vector<Blob<Dtype>*> bottom_, top_;
};

TYPED_TEST_CASE(L1LossLayerTest, caffe::TestDtypesAndDevices);

TYPED_TEST(L1LossLayerTest, SumOverBatchSize) {
  using Dtype = typename TypeParam::Dtype;
  Dtype sum = 0;
  for (int i = 0; i < this->first_.count(); ++i) {
    sum += std::abs(this->first_.cpu_data()[i] - this->second_.cpu_data()[i]);
  }
  for (const Dtype weight : {1.0, 2.5}) {
    shared_ptr<Layer<Dtype>> layer = this->make(weight);
    layer->SetUp(this->bottom_, this->top_);
    EXPECT_NEAR(weight * sum / 5, layer->Forward(this->bottom_, this->top_), 1e-4);
    EXPECT_NEAR(sum / 5, this->loss_.cpu_data()[0], 1e-4);
  }
}

TYPED_TEST(L1LossLayerTest, Gradient) {
  using Dtype = typename TypeParam::Dtype;
  caffe::GradientChecker<Dtype> checker(1e-2, 1e-2, 1701);
  checker.CheckGradientExhaustive(this->make(3.7).get(), this->bottom_, this->top_);
}

TYPED_TEST(L1LossLayerTest, PropagateDown) {
  using Dtype = typename TypeParam::Dtype;
  shared_ptr<Layer<Dtype>> layer = this->make();
  layer->SetUp(this->bottom_, this->top_);
  layer->Forward(this->bottom_, this->top_);
  for (int asked = 0; asked < 4; ++asked) {
    const vector<bool> propagate_down = {(asked & 1) != 0, (asked & 2) != 0};
    for (Blob<Dtype>* blob : this->bottom_) {
      caffe::caffe_set(blob->count(), Dtype(9), blob->mutable_cpu_diff());
    }
    layer->Backward(this->top_, propagate_down, this->bottom_);
    for (int k = 0; k < 2; ++k) {
      for (int i = 0; i < this->first_.count(); ++i) {
        const Dtype sign = (i % 3 ? -1 : 1) * (k ? -1 : 1);
        ASSERT_NEAR(propagate_down[k] ? sign / 5 : 9, this->bottom_[k]->cpu_diff()[i], 1e-6) << k << " " << i;
      }
    }
  }
}

TYPED_TEST(L1LossLayerTest, NoGradientWhereEqual) {
  using Dtype = typename TypeParam::Dtype;
  this->second_.CopyFrom(this->first_);
  shared_ptr<Layer<Dtype>> layer = this->make();
  layer->SetUp(this->bottom_, this->top_);
  EXPECT_EQ(0, layer->Forward(this->bottom_, this->top_));
  layer->Backward(this->top_, {true, true}, this->bottom_);
  for (const Blob<Dtype>* blob : this->bottom_) {
    EXPECT_EQ(0, blob->asum_diff());
  }
}

}  // namespace

}  // namespace idn::layers
