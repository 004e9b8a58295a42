#include "placement.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace idn::deploy {

namespace {

long rounded(long values) { return (values + kAlignment - 1) / kAlignment * kAlignment; }

long extent(const Group& group) {
  long end = 0;
  for (const Piece& piece : group) {
    end = std::max(end, piece.offset + piece.size);
  }
  return end;
}

// A piece that has its place already.
struct Placed {
  Piece piece;
  long place;
};

bool fits(const Group& group, long place, const std::vector<Placed>& others) {
  for (const Piece& piece : group) {
    for (const Placed& other : others) {
      if (collide(piece, place, other.piece, other.place)) {
        return false;
      }
    }
  }
  return true;
}

// Those that live at the same time as any piece of the group.
std::vector<Placed> neighbours(const Group& group, const std::vector<Placed>& placed) {
  std::vector<Placed> found;
  for (const Placed& other : placed) {
    if (std::any_of(group.begin(), group.end(),
                    [&](const Piece& piece) { return alive_together(piece, other.piece); })) {
      found.push_back(other);
    }
  }
  return found;
}

// The foremost place where the group is in nobody's way: at the front, or with one of its pieces right behind another.
long foremost(const Group& group, const std::vector<Placed>& placed) {
  const std::vector<Placed> others = neighbours(group, placed);
  std::vector<long> candidates{0};
  for (const Placed& other : others) {
    for (const Piece& piece : group) {
      candidates.push_back(std::max(0L, rounded(other.place + other.piece.offset + other.piece.size - piece.offset)));
    }
  }
  std::sort(candidates.begin(), candidates.end());
  return *std::find_if(candidates.begin(), candidates.end(), [&](long place) { return fits(group, place, others); });
}

}  // namespace

bool alive_together(const Piece& one, const Piece& other) { return one.first <= other.last && other.first <= one.last; }

bool collide(const Piece& one, long place, const Piece& other, long other_place) {
  const long begin = place + one.offset, other_begin = other_place + other.offset;
  return alive_together(one, other) && begin < other_begin + other.size && other_begin < begin + one.size;
}

Placement place(const std::vector<Group>& groups) {
  std::vector<std::size_t> order(groups.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t one, std::size_t other) { return extent(groups[one]) > extent(groups[other]); });
  Placement made;
  made.places.resize(groups.size());
  std::vector<Placed> placed;
  for (const std::size_t i : order) {
    const long place = foremost(groups[i], placed);
    made.places[i] = place;
    made.size = std::max(made.size, place + extent(groups[i]));
    for (const Piece& piece : groups[i]) {
      placed.push_back({piece, place});
    }
  }
  return made;
}

}  // namespace idn::deploy
