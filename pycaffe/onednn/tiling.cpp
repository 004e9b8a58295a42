#include "tiling.hpp"

#include <algorithm>

namespace idn::onednn {

using kernels::kTile;
using kernels::Piece;
using kernels::Place;

namespace {

// Bits of the lanes whose values, `shift` columns right of their own, are inside a row of `width` values.
unsigned inside(long column, int width, int lane, int shift) {
  unsigned bits = 0;
  for (int x = 0; x < kTile; ++x) {
    if (column + x + shift >= 0 && column + x + shift < width) {
      bits |= 1u << (lane + x);
    }
  }
  return bits;
}

}  // namespace

Tiling::Tiling(int images, int height, int width)
    : images_(images),
      rows_((height + kTile - 1) / kTile),
      columns_((width + kTile - 1) / kTile),
      per_image_(rows_ * columns_) {}

Place Tiling::place(const Area& area, long first, int lanes, int size) const {
  Place place = {};
  place.simple = true;
  const int per_load = lanes / kTile;
  for (int q = 0; q < 4; ++q) {
    place.count[q] = 1;
    long last_row = -1;  // of tiles, over all images
    int pieces = 0;
    for (int slot = 0; slot < per_load; ++slot) {
      const long tile = first + q * per_load + slot;
      if (tile >= tiles()) {
        break;
      }
      const long row_of_tiles = tile / columns_, image = row_of_tiles / rows_;
      const long row = row_of_tiles % rows_ * kTile - area.pad_height;
      const long column = tile % columns_ * kTile - area.pad_width;
      if (row_of_tiles != last_row) {
        last_row = row_of_tiles;
        place.piece[q][pieces].offset = image * area.image_stride + row * area.width + column - slot * kTile;
        ++pieces;
      }
      Piece& piece = place.piece[q][pieces - 1];
      const unsigned own = inside(column, area.width, slot * kTile, 0);
      const unsigned right = inside(column, area.width, slot * kTile, kTile);
      for (int y = 0; y < size; ++y) {
        if (row + y >= 0 && row + y < area.height) {
          piece.rows[y] = static_cast<unsigned short>(piece.rows[y] | own);
          piece.right[y] = static_cast<unsigned short>(piece.right[y] | right);
        }
      }
    }
    place.count[q] = std::max(1, pieces);
    place.simple = place.simple && pieces <= 1;
  }
  return place;
}

}  // namespace idn::onednn
