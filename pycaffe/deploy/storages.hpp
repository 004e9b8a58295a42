// The arrays behind a net's blobs, when each of them is needed, and which may be a part of another.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "caffe/net.hpp"
#include "placement.hpp"

namespace idn::deploy {

using Net = caffe::Net<float>;
using Blob = caffe::Blob<float>;

// What Caffe makes one array: a blob, or several that ShareData joins (Split, Reshape, Flatten, Concat of one part).
struct Storage {
  std::vector<int> blobs;          // ids, the one that is made first in front
  std::vector<int> used, written;  // layers, in their order; used holds the written ones as well
  bool own = false;                // keeps memory of its own
};

// The storages of a net as it is now; own are its inputs and outputs, the blobs in `keep`, what comes from a layer
// without bottoms, and what somebody besides the net's blobs holds.
std::vector<Storage> find_storages(const Net& net, const std::set<std::string>& keep);

// A storage in a group.
struct Member {
  int storage;
  long offset;  // values
};

// The storages that do not keep memory of their own, in groups. Where Slice or Concat need not copy, whole and part are
// in one group, the part within the whole.
std::vector<std::vector<Member>> group_storages(const Net& net, const std::vector<Storage>& storages);

// As pieces for `place`.
std::vector<Group> pieces(const Net& net, const std::vector<Storage>& storages,
                          const std::vector<std::vector<Member>>& groups);

}  // namespace idn::deploy
