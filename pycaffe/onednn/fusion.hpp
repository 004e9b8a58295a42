// A convolution and the in-place ReLU right behind it become one kernel: the activation costs nothing while the
// values are still in registers, and a pass over the memory otherwise.
//
// A layer knows nothing of its neighbours, so the order in which a net makes its layers is watched: every maker in
// Caffe's registry counts. A ReLU that is made directly after a convolution, and works in place on its output, is its
// partner. From then on the convolution activates, and tells the ReLU, which has nothing left to do.
//
// What could be seen of it: a forward pass that ends between the two. Python's Net.forward(end=...) therefore turns
// it off for that call.
#pragma once

#include <memory>

namespace idn::onednn {

// What a convolution and its ReLU share.
struct Fusion {
  float slope = 0;
  bool paired = false;
  // the convolution has activated its output, and the ReLU has not been there since
  bool applied = false;
};

// Number of layers that this thread has made, the one in the making included.
long layers_made();
void count_layer();

// The convolution that is layer `number` writes to `top`: a partner may follow.
void offer_fusion(long number, const void* top, const std::shared_ptr<Fusion>& fusion);
// The fusion of the convolution directly before layer `number`, when `blob` is its output; else null.
std::shared_ptr<Fusion> take_fusion(long number, const void* blob);

// Whether this thread may fuse at present.
bool fusion_is_on();

}  // namespace idn::onednn

// For Python: 0 turns fusion off for the calling thread, 1 on again.
extern "C" void caffe_onednn_set_fusion(int on);
