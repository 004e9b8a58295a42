// Whether a data layer's `source` is what the layer reads, before upstream's layer opens it: its own CHECK ends the
// process, and in one case (an HDF5 file where a list of such files belongs) names neither the file nor the mistake.
#pragma once

#include "caffe/proto/caffe.pb.h"

namespace idn::layers {

// Each throws std::runtime_error with a text of one line. An empty source passes: upstream has its say about that.
void check_hdf5_source(const caffe::LayerParameter& param);
void check_database(const caffe::LayerParameter& param);

}  // namespace idn::layers
