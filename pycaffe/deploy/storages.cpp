#include "storages.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace idn::deploy {

using std::string;
using std::vector;

namespace {

string type_of(const Net& net, int layer) { return net.layers()[layer]->type(); }

// Whether the layer's tops are its bottom's array.
bool only_renames(const Net& net, int layer) {
  const string type = type_of(net, layer);
  return type == "Split" || type == "Flatten" || type == "Reshape" ||
         ((type == "Concat" || type == "Slice") && net.bottom_ids(layer).size() == 1 && net.top_ids(layer).size() == 1);
}

// Blob ids in sets that are one array.
class Joined {
 public:
  explicit Joined(int count) : of_(count) {
    for (int i = 0; i < count; ++i) {
      of_[i] = i;
    }
  }

  int find(int blob) const {
    while (of_[blob] != blob) {
      blob = of_[blob];
    }
    return blob;
  }

  // The lower id stays: it is the one that is made first.
  void join(int one, int other) {
    const int a = find(one), b = find(other);
    of_[std::max(a, b)] = std::min(a, b);
  }

 private:
  vector<int> of_;
};

Joined join_blobs(const Net& net) {
  const int blobs = static_cast<int>(net.blobs().size());
  Joined joined(blobs);
  std::map<const void*, int> first;  // by the memory that they have at present
  for (int i = 0; i < blobs; ++i) {
    if (net.blobs()[i]->count()) {  // an empty blob has none
      joined.join(first.emplace(net.blobs()[i]->data().get(), i).first->second, i);
    }
  }
  for (std::size_t layer = 0; layer < net.layers().size(); ++layer) {
    if (only_renames(net, static_cast<int>(layer))) {
      for (const int top : net.top_ids(static_cast<int>(layer))) {
        joined.join(net.bottom_ids(static_cast<int>(layer))[0], top);
      }
    }
  }
  return joined;
}

void note(vector<int>* layers, int layer) {
  if (layers->empty() || layers->back() != layer) {
    layers->push_back(layer);
  }
}

// Whether anything but the storage's blobs holds one of its arrays: a layer's own blob, which outlives the pass. An
// empty blob has no array that could be asked.
bool held_elsewhere(const Net& net, const Storage& storage) {
  for (const int blob : storage.blobs) {
    if (!net.blobs()[blob]->count()) {
      return true;
    }
    const auto& data = net.blobs()[blob]->data();
    const long known = std::count_if(storage.blobs.begin(), storage.blobs.end(),
                                     [&](int other) { return net.blobs()[other]->data() == data; });
    if (data.use_count() > known) {
      return true;
    }
  }
  return false;
}

int first_use(const Storage& storage) { return storage.used.front(); }
int last_use(const Storage& storage) { return storage.used.back(); }

bool written_between(const Storage& storage, int after, int until) {
  return std::any_of(storage.written.begin(), storage.written.end(),
                     [=](int layer) { return layer > after && layer <= until; });
}

// Which storages may lie within others, and where.
class Grouping {
 public:
  Grouping(const Net& net, const vector<Storage>& storages)
      : net_(net), storages_(storages), group_of_(storages.size(), -1) {
    for (std::size_t i = 0; i < storages.size(); ++i) {
      if (!storages[i].own) {
        group_of_[i] = static_cast<int>(groups_.size());
        groups_.push_back({{static_cast<int>(i), 0}});
      }
    }
  }

  // Lets `part` be the values of `whole` from `offset` on, where nobody could see it; layer `at` is the one that
  // copies.
  void try_within(int whole, int part, long offset, int at) {
    if (whole == part || storages_[whole].own || storages_[part].own || !stay_equal(whole, part, at)) {
      return;
    }
    const int group = group_of_[whole], other = group_of_[part];
    if (group == other) {
      return;  // each of them has its place already; if that is this one, nothing is copied
    }
    // by so much the other group's offsets grow
    const long shift = offset_of(whole) + offset - offset_of(part);
    for (const Member& one : groups_[group]) {
      for (const Member& two : groups_[other]) {
        const bool these = one.storage == whole && two.storage == part;
        if (!these && collide(piece(one), 0, piece(two), shift)) {
          return;
        }
      }
    }
    for (const Member& moved : groups_[other]) {
      groups_[group].push_back({moved.storage, moved.offset + shift});
      group_of_[moved.storage] = group;
    }
    groups_[other].clear();
  }

  // The groups, their offsets from 0 on.
  vector<vector<Member>> finish() {
    vector<vector<Member>> made;
    for (vector<Member>& group : groups_) {
      if (group.empty()) {
        continue;
      }
      const long least = std::min_element(group.begin(), group.end(), [](const Member& a, const Member& b) {
                           return a.offset < b.offset;
                         })->offset;
      for (Member& member : group) {
        member.offset -= least;
      }
      made.push_back(group);
    }
    return made;
  }

 private:
  // Whether part and whole have the same values as long as both are needed behind the layer that copies.
  bool stay_equal(int whole, int part, int at) const {
    const int last_of_whole = last_use(storages_[whole]), last_of_part = last_use(storages_[part]);
    return !written_between(storages_[whole], at, last_of_part) && !written_between(storages_[part], at, last_of_whole);
  }

  long offset_of(int storage) const {
    for (const Member& member : groups_[group_of_[storage]]) {
      if (member.storage == storage) {
        return member.offset;
      }
    }
    return 0;
  }

  Piece piece(const Member& member) const {
    const Storage& storage = storages_[member.storage];
    return {member.offset, net_.blobs()[storage.blobs[0]]->count(), first_use(storage), last_use(storage)};
  }

  const Net& net_;
  const vector<Storage>& storages_;
  vector<vector<Member>> groups_;
  vector<int> group_of_;  // of each storage, -1 where it keeps memory of its own
};

// Slice's or Concat's axis.
template <typename Param>
int axis_of(const Param& param, bool old, int old_axis, const Blob& blob) {
  return old ? old_axis : blob.CanonicalAxisIndex(param.axis());
}

// Whether the parts lie one behind the other within the whole: one image, where the axis is that of the channels.
bool in_one_piece(const Net& net, int layer, const Blob& whole) {
  const caffe::LayerParameter& param = net.layers()[layer]->layer_param();
  const bool slice = type_of(net, layer) == "Slice";
  const int axis = slice ? axis_of(param.slice_param(), param.slice_param().has_slice_dim(),
                                   static_cast<int>(param.slice_param().slice_dim()), whole)
                         : axis_of(param.concat_param(), param.concat_param().has_concat_dim(),
                                   static_cast<int>(param.concat_param().concat_dim()), whole);
  return whole.count(0, axis) == 1;
}

}  // namespace

vector<Storage> find_storages(const Net& net, const std::set<string>& keep) {
  const Joined joined = join_blobs(net);
  std::map<int, int> index;
  vector<Storage> storages;
  vector<int> of(net.blobs().size());
  for (std::size_t i = 0; i < of.size(); ++i) {
    const auto found = index.emplace(joined.find(static_cast<int>(i)), static_cast<int>(storages.size()));
    if (found.second) {
      storages.emplace_back();
    }
    of[i] = found.first->second;
    Storage& storage = storages[of[i]];
    storage.blobs.push_back(static_cast<int>(i));
    storage.own |= keep.count(net.blob_names()[i]) > 0 || net.blob_loss_weights()[i] != 0;
  }
  for (const vector<int>* ends : {&net.input_blob_indices(), &net.output_blob_indices()}) {
    for (const int blob : *ends) {
      storages[of[blob]].own = true;
    }
  }
  for (int layer = 0; layer < static_cast<int>(net.layers().size()); ++layer) {
    for (const int bottom : net.bottom_ids(layer)) {
      note(&storages[of[bottom]].used, layer);
    }
    for (const int top : net.top_ids(layer)) {
      Storage& storage = storages[of[top]];
      note(&storage.used, layer);
      if (!only_renames(net, layer)) {
        note(&storage.written, layer);
      }
      storage.own |= net.bottom_ids(layer).empty();
    }
  }
  for (Storage& storage : storages) {
    storage.own |= storage.used.empty() || held_elsewhere(net, storage);
  }
  return storages;
}

vector<vector<Member>> group_storages(const Net& net, const vector<Storage>& storages) {
  vector<int> of(net.blobs().size());
  for (std::size_t i = 0; i < storages.size(); ++i) {
    for (const int blob : storages[i].blobs) {
      of[blob] = static_cast<int>(i);
    }
  }
  Grouping grouping(net, storages);
  for (int layer = 0; layer < static_cast<int>(net.layers().size()); ++layer) {
    const bool slice = type_of(net, layer) == "Slice";
    if ((!slice && type_of(net, layer) != "Concat") || only_renames(net, layer)) {
      continue;
    }
    const int whole = (slice ? net.bottom_ids(layer) : net.top_ids(layer))[0];
    if (!in_one_piece(net, layer, *net.blobs()[whole])) {
      continue;
    }
    long offset = 0;
    for (const int part : slice ? net.top_ids(layer) : net.bottom_ids(layer)) {
      grouping.try_within(of[whole], of[part], offset, layer);
      offset += net.blobs()[part]->count();
    }
  }
  return grouping.finish();
}

vector<Group> pieces(const Net& net, const vector<Storage>& storages, const vector<vector<Member>>& groups) {
  vector<Group> made;
  for (const vector<Member>& group : groups) {
    made.emplace_back();
    for (const Member& member : group) {
      const Storage& storage = storages[member.storage];
      made.back().push_back(
          {member.offset, net.blobs()[storage.blobs[0]]->count(), first_use(storage), last_use(storage)});
    }
  }
  return made;
}

}  // namespace idn::deploy
