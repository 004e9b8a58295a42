// One convolution with several ReLUs behind it: each slope has a kernel of its own. Linked into upstream's test
// program.
#include <memory>
#include <vector>

#include "../convolution.hpp"
#include "gtest/gtest.h"

namespace idn::onednn {

namespace {

TEST(ConvolutionTest, EachCallHasTheSlopeItAsksFor) {
  Geometry geometry = {};
  geometry.images = geometry.groups = geometry.in_channels = geometry.out_channels = 1;
  geometry.kernel_height = geometry.kernel_width = 1;
  geometry.stride_height = geometry.stride_width = geometry.dilation_height = geometry.dilation_width = 1;
  geometry.in_height = geometry.out_height = 3;
  geometry.in_width = geometry.out_width = 2;
  const std::unique_ptr<Convolution> convolution = Convolution::make(geometry);
  const std::vector<float> in = {-4, -2, -1, 0, 1, 3};
  const float weight = 2, bias = 0;
  for (const float slope : {0.5f, 0.25f, 0.5f}) {
    ASSERT_TRUE(convolution->has_forward_relu(slope));
    std::vector<float> out(in.size());
    convolution->forward_relu(in.data(), &weight, &bias, slope, out.data());
    const std::vector<float> expected = {-8 * slope, -4 * slope, -2 * slope, 0, 2, 6};
    EXPECT_EQ(expected, out);
  }
}

}  // namespace

}  // namespace idn::onednn
