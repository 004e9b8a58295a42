// One block of memory for the blobs of a deploy net. A blob gets its place in it before each pass whose sizes have
// changed, and the places are given again to blobs that come later in the pass.
//
// All of it goes through Caffe's public functions. The block is owned by the blobs themselves: it is the memory of
// their gradients, which a deploy net has no use for, so that it lives as long as any of them and dies with the net.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "placement.hpp"
#include "storages.hpp"

namespace idn::deploy {

// What a forward pass takes, in bytes.
struct Sizes {
  long apart = 0;   // every blob with memory of its own, as Caffe has it
  long shared = 0;  // the block, and the blobs that keep memory of their own
};

// Lets the blobs of `net` share memory from its next pass on. Calling it again changes nothing.
//
// Throws std::runtime_error for a net that is not made for it: in phase TRAIN, with a backward pass, with layers that
// read data or are Python, in GPU mode; for a name in `keep` that it does not have; and for a second call with other
// names.
void share(boost::shared_ptr<Net>& net, const std::set<std::string>& keep);

bool is_shared(const Net& net);

// Names of the blobs that have no figures of their own after a pass.
std::vector<std::string> passing_blobs(const Net& net);

// Of a shared net at its present shapes; nothing is allocated.
Sizes sizes(Net* net);

}  // namespace idn::deploy
