// Where in one block of memory the arrays of a pass lie, so that those which are never needed together take the same
// place. Arrays are rectangles here: so many values for so many layers.
#pragma once

#include <vector>

namespace idn::deploy {

// An array: its first value within its group, how many there are, and the first and the last layer that needs it.
struct Piece {
  long offset = 0, size = 0;
  int first = 0, last = 0;
};

bool alive_together(const Piece& one, const Piece& other);
// Whether they would be in each other's way with their groups at these places.
bool collide(const Piece& one, long place, const Piece& other, long other_place);

// Arrays whose distances from each other are fixed, because one is a part of the other.
using Group = std::vector<Piece>;

struct Placement {
  std::vector<long> places;  // of each group, a multiple of kAlignment
  long size = 0;             // values of the whole block
};

const long kAlignment = 16;  // values: the 64 bytes of a cache line

// The largest group first, each as far to the front as those that are there allow.
Placement place(const std::vector<Group>& groups);

}  // namespace idn::deploy
