// What each instruction set offers: the inner loops of the 3x3 convolutions by Winograd's F(4x4, 3x3) and of the
// pointwise (1x1) ones, on Caffe's plain arrays. Everything here works on one thread's part; convolution plans divide
// the work. The loops are written once (loops.hpp and what it includes) and compiled for each set by itself (avx2.cpp,
// avx512.cpp).
//
// Lanes are tiles: one vector holds the same value of 16 (AVX-512) or 8 (AVX2) neighbouring tiles, so channels may be
// any number, groups cost nothing, and no array has to be brought into a blocked layout and back.
#pragma once

namespace idn::kernels {

// A tile is 4x4 values of the output and 6x6 of the input; the transformed tile has 36 values ("frequencies").
constexpr int kTile = 4;
constexpr int kFrequencies = 36;
// Output channels that one pass of the inner product computes; transformed weights lie in blocks of so many.
constexpr int kBlock = 8;
// Vectors of tiles that one pass holds.
constexpr int kVectors = 3;
// Most tiles in a vector, of any instruction set.
constexpr int kMostLanes = 16;
// A vector's row has four loads, each of which may come from as many rows of tiles as it has tiles.
constexpr int kMostPieces = 4;

// Which values of one load (a quarter of a vector's row, lane for lane in memory) come from where: `offset` from the
// image's channel to lane 0 of row 0, and a bit for each lane that is inside the array, row by row. `right` are the two
// columns that a tile shares with its neighbour: the load four values further.
struct Piece {
  long offset;
  unsigned short rows[6], right[6];
};

// Where the tiles of one vector lie in the array of an image's channel.
struct Place {
  int count[4];
  bool simple;  // one piece each
  Piece piece[4][kMostPieces];
};

struct Kernels {
  const char* name;
  int lanes;

  // 3x3 weights of one block of output channels -> transformed, out[(frequency * channels + channel) * kBlock + row].
  // Weight (row, channel, tap) lies at in[row * row_stride + channel * channel_stride + tap], taps backward if
  // `flipped`.
  void (*transform_weights)(const float* in, int rows, long row_stride, int channels, long channel_stride, bool flipped,
                            float* out);
  // Adds the gradient of 3x3 weights, gradient[(row * channels + channel) * 9 + tap], from that of the transformed
  // ones, sums[frequency * frequency_stride + row * channels + channel].
  void (*finish_gradient)(const float* sums, long frequency_stride, long count, float* gradient);

  // 6x6 tiles of `channels` arrays, `stride` values apart, at the places of `vectors` vectors -> transformed, to
  // out[frequency * frequency_stride + channel * channel_stride + vector * lanes + lane]. `width` is the array's row.
  void (*transform_input)(const Place* places, int vectors, const float* in, int channels, long stride, int width,
                          float* out, long frequency_stride, long channel_stride);
  // The same of 4x4 tiles of the output's gradient; their sums are added to sums[channel] unless it is null.
  void (*transform_gradient)(const Place* places, int vectors, const float* in, int channels, long stride, int width,
                             float* out, long frequency_stride, long channel_stride, double* sums);
  // One block of output channels, `rows` of them, of `vectors` vectors: the inner products of all frequencies,
  // back-transformed, plus bias (may be null), then max(x, 0) + slope * min(x, 0) if `activate`. False if a value
  // before that is not finite: the transforms spread it over its tile, and make NaN of infinity. weights[(frequency *
  // channels + channel) * kBlock + row], products: room for kFrequencies * kBlock * vectors.
  bool (*multiply_and_finish)(const Place* places, int vectors, const float* transformed, long frequency_stride,
                              long channel_stride, int channels, const float* weights, int rows, float* products,
                              const float* bias, bool activate, float slope, float* out, long stride, int width);
  // sums[row * sums_stride + column] += inner product of row `row` of a and row `column` of b, over `images` images
  // that each have `values` values in a row. Images and rows lie `..._image` and `..._stride` values apart.
  void (*inner_products)(const float* a, long a_stride, long a_image, int rows, const float* b, long b_stride,
                         long b_image, int columns, int images, long values, float* sums, long sums_stride);
  // out[2 * i] = even[i], out[2 * i + 1] = odd[i] for i < count
  void (*interleave)(const float* even, const float* odd, long count, float* out);
  // Whether all are numbers and none is infinite.
  bool (*all_finite)(const float* values, long count);

  // out[row][pixel] = sum over channels of weights[channel * kBlock + row] * in[channel][pixel], plus bias (may be
  // null), activated as above.
  void (*pointwise)(const float* in, long in_stride, int channels, const float* weights, int rows, const float* bias,
                    bool activate, float slope, float* out, long out_stride, long pixels);
  // out[row * out_stride + pixel] = sum over channels, y < height and x < width of
  // weights[((channel * height + y) * width + x) * kBlock + row] * in[channel][lines[y] + pixel + x]; whole vectors are
  // read and written, up to `pixels` rounded up.
  void (*correlate)(const float* in, long in_stride, int channels, const long* lines, int height, int width,
                    const float* weights, int rows, float* out, long out_stride, long pixels);
};

// Null where the processor, or the compiler's target, has not that set.
const Kernels* avx2();
const Kernels* avx512();

}  // namespace idn::kernels
