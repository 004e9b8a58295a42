// The gradient of a convolution's bias: the sum of the output's gradient over images and pixels. cuDNN's own kernel for
// it took a third of IDN's training iteration on an H100 (results/gpu).
#pragma once

#include <cudnn.h>

namespace idn::cuda {

// As cudnnConvolutionBackwardBias, which takes over where the data are not plain rows of floats.
cudnnStatus_t bias_gradient(cudnnHandle_t handle, const void* alpha, cudnnTensorDescriptor_t from_desc,
                            const void* from, const void* beta, cudnnTensorDescriptor_t to_desc, void* to);

}  // namespace idn::cuda
