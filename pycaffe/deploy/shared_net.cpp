#include "shared_net.hpp"

#include <algorithm>
#include <boost/weak_ptr.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace idn::deploy {

using caffe::Caffe;
using std::string;
using std::vector;

namespace {

const char kWho[] = "memory.share: ";

// Where everything lies at certain shapes.
struct Plan {
  long size = 0;         // of the block, in values
  vector<long> offsets;  // of each storage, -1 where it keeps memory of its own
};

using Shapes = vector<vector<int>>;

Shapes input_shapes(const Net& net) {
  Shapes shapes;
  for (const Blob* blob : net.input_blobs()) {
    shapes.push_back(blob->shape());
  }
  return shapes;
}

Plan make_plan(const Net& net, const vector<Storage>& storages) {
  const vector<vector<Member>> groups = group_storages(net, storages);
  const Placement placement = place(pieces(net, storages, groups));
  Plan plan;
  plan.size = placement.size;
  plan.offsets.assign(storages.size(), -1);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (const Member& member : groups[i]) {
      plan.offsets[member.storage] = placement.places[i] + member.offset;
    }
  }
  return plan;
}

// The net calls it before every layer of a forward pass, whoever started the pass.
class Sharing : public Net::Callback {
 public:
  Sharing(Net* net, const std::set<string>& keep)
      : net_(net), keep_(keep), storages_(find_storages(*net, keep)), memories_(storages_.size(), nullptr) {}

  const std::set<string>& keep() const { return keep_; }
  const vector<Storage>& storages() const { return storages_; }

  const Plan& plan() {
    const auto found = plans_.find(input_shapes(*net_));
    if (found != plans_.end()) {
      return found->second;
    }
    if (plans_.size() >= kMostPlans) {
      plans_.clear();
    }
    net_->Reshape();
    return plans_.emplace(input_shapes(*net_), make_plan(*net_, storages_)).first->second;
  }

 protected:
  void run(int layer) override {
    if (Caffe::mode() != Caffe::CPU) {
      throw std::runtime_error(string(kWho) +
                               "this net shares its memory, which works on the CPU only; make another one");
    }
    if (layer == 0) {
      prepare();
    } else if (layer != next_) {
      throw std::runtime_error(string(kWho) + "a pass of this net cannot start at layer '" +
                               net_->layer_names()[layer] +
                               "', whose inputs are overwritten by now; start at the first layer, or make a net that "
                               "does not share its memory");
    }
    next_ = layer + 1;
  }

 private:
  static const std::size_t kMostPlans = 64;  // a few kilobytes each

  // Gives every blob its place, unless it has it.
  void prepare() {
    const Shapes shapes = input_shapes(*net_);
    if (shapes == shapes_ && in_place()) {
      return;
    }
    const Plan plan = this->plan();
    net_->Reshape();
    std::unique_ptr<Blob> made;
    if (size_ < plan.size || holder() == nullptr) {
      leave();
      made = std::make_unique<Blob>(vector<int>{static_cast<int>(plan.size + kAlignment)});
    }
    settle(plan, std::move(made));
    shapes_ = shapes;
  }

  // Whether the blobs are where `settle` put them: one that has grown since has fresh memory.
  bool in_place() const {
    for (std::size_t i = 0; i < storages_.size(); ++i) {
      if (memories_[i] && memories_[i] != first_blob(i)->data().get()) {
        return false;
      }
    }
    return true;
  }

  Blob* first_blob(std::size_t storage) const { return net_->blobs()[storages_[storage].blobs[0]].get(); }

  // A blob that still holds the block.
  Blob* holder() const {
    for (std::size_t i = 0; i < storages_.size(); ++i) {
      if (memories_[i] && first_blob(i)->diff().get() == block_) {
        return first_blob(i);
      }
    }
    return nullptr;
  }

  // Lets all blobs go of the block, so that there are never two.
  void leave() {
    for (const Storage& storage : storages_) {
      for (const int id : storage.own ? vector<int>() : storage.blobs) {
        Blob& blob = *net_->blobs()[id];
        const Blob fresh(blob.shape());
        blob.ShareData(fresh);
        blob.ShareDiff(fresh);
      }
    }
    block_ = nullptr;
  }

  // `made` is a new block, null for the one that is there.
  void settle(const Plan& plan, std::unique_ptr<Blob> made) {
    Blob block(vector<int>{1});
    if (made) {
      size_ = plan.size;
      block.Reshape(made->shape());
      block.ShareDiff(*made);
    } else {
      Blob& blob = *holder();
      block.Reshape({static_cast<int>(size_ + kAlignment)});
      block.Reshape(blob.shape());
      block.ShareDiff(blob);
    }
    float* const values = aligned(block.mutable_cpu_diff());
    block_ = block.diff().get();
    for (std::size_t i = 0; i < storages_.size(); ++i) {
      if (plan.offsets[i] < 0) {
        continue;
      }
      Blob& first = *first_blob(i);
      Blob there(first.shape());  // allocates nothing before it is told where its values are
      there.set_cpu_data(values + plan.offsets[i]);
      for (const int id : storages_[i].blobs) {
        Blob& blob = *net_->blobs()[id];
        there.Reshape(blob.shape());
        block.Reshape(blob.shape());
        blob.ShareData(there);
        blob.ShareDiff(block);
      }
      memories_[i] = first.data().get();
    }
  }

  static float* aligned(float* values) {
    const std::uintptr_t line = kAlignment * sizeof(float);
    return reinterpret_cast<float*>((reinterpret_cast<std::uintptr_t>(values) + line - 1) / line * line);
  }

  Net* const net_;
  const std::set<string> keep_;
  const vector<Storage> storages_;
  std::map<Shapes, Plan> plans_;
  Shapes shapes_;                 // for which the blobs have their places
  vector<const void*> memories_;  // of each storage, as `settle` left it; null where it keeps its own
  const void* block_ = nullptr;
  long size_ = 0;  // values of the block
  int next_ = 0;   // the layer at which a pass may go on
};

// A gradient would be written over what the blobs hold.
class NoBackward : public Net::Callback {
 protected:
  void run(int) override {
    throw std::runtime_error(string(kWho) + "this net shares its memory and cannot go backward; make another one");
  }
};

struct Entry {
  boost::weak_ptr<Net> net;
  const Net* address;
  std::unique_ptr<Sharing> sharing;
};

// Caffe's nets do not own what they call. Sharings of nets that are gone are dropped at the next `share`; their blocks
// went with the nets.
vector<Entry>& entries() {
  static vector<Entry> made;
  return made;
}

Sharing* sharing_of(const Net& net) {
  for (const Entry& entry : entries()) {
    if (entry.address == &net && !entry.net.expired()) {
      return entry.sharing.get();
    }
  }
  return nullptr;
}

void check(const Net& net, const std::set<string>& keep) {
  const string who = kWho;
  if (Caffe::mode() != Caffe::CPU) {
    throw std::runtime_error(who + "works on the CPU only, and Caffe is in GPU mode; call set_mode_cpu() before");
  }
  if (net.phase() != caffe::TEST) {
    throw std::runtime_error(who + "expected a net in phase TEST; this one is in phase TRAIN, which needs every blob");
  }
  for (std::size_t i = 0; i < net.layers().size(); ++i) {
    const string type = net.layers()[i]->type(), layer = "layer '" + net.layer_names()[i] + "' (" + type + ") ";
    const bool constant = type == "Input" || type == "DummyData" || type == "Parameter";
    if (net.layer_need_backward()[i]) {
      throw std::runtime_error(who + layer +
                               "needs a backward pass; expected a deploy net, without loss and "
                               "force_backward");
    }
    if (type == "Python" || type == "Filter" || (net.bottom_vecs()[i].empty() && !constant)) {
      throw std::runtime_error(who + layer +
                               "decides in the pass what its outputs are; expected a deploy net with "
                               "Input layers, without Python and Filter layers");
    }
  }
  for (const string& name : keep) {
    if (!net.has_blob(name)) {
      throw std::runtime_error(who + "keep: the net has no blob '" + name + "'");
    }
  }
}

}  // namespace

void share(boost::shared_ptr<Net>& net, const std::set<string>& keep) {
  static NoBackward no_backward;
  vector<Entry>& all = entries();
  all.erase(std::remove_if(all.begin(), all.end(), [](const Entry& entry) { return entry.net.expired(); }), all.end());
  check(*net, keep);
  if (const Sharing* before = sharing_of(*net)) {
    if (before->keep() != keep) {
      throw std::runtime_error(string(kWho) +
                               "this net shares its memory already, and keeps other blobs; make another "
                               "one");
    }
    return;
  }
  all.push_back({net, net.get(), std::make_unique<Sharing>(net.get(), keep)});
  net->add_before_forward(all.back().sharing.get());
  net->add_before_backward(&no_backward);
  for (const auto& layer : net->layers()) {  // what they would keep for their own gradients need not be kept
    for (std::size_t i = 0; i < layer->blobs().size(); ++i) {
      layer->set_param_propagate_down(static_cast<int>(i), false);
    }
  }
}

bool is_shared(const Net& net) { return sharing_of(net) != nullptr; }

vector<string> passing_blobs(const Net& net) {
  vector<string> names;
  for (const Storage& storage : sharing_of(net)->storages()) {
    for (const int blob : storage.own ? vector<int>() : storage.blobs) {
      names.push_back(net.blob_names()[blob]);
    }
  }
  return names;
}

Sizes sizes(Net* net) {
  Sharing& sharing = *sharing_of(*net);
  net->Reshape();
  Sizes found;
  found.shared = sharing.plan().size;
  for (const Storage& storage : sharing.storages()) {
    const long values = net->blobs()[storage.blobs[0]]->count();
    found.apart += values;
    found.shared += storage.own ? values : 0;
  }
  return {found.apart * static_cast<long>(sizeof(float)), found.shared * static_cast<long>(sizeof(float))};
}

}  // namespace idn::deploy
