// Which of cuDNN's algorithms computes a convolution. cuDNN 8 dropped the queries for one algorithm within a workspace
// limit that Caffe makes; the lists of all algorithms are there still.
//
// Caffe asks anew before every forward pass, and an answer of cuDNN's takes far longer than a lookup: answers are kept,
// for each thread, under all that the descriptors say.
#pragma once

#include <cudnn.h>

#include <cstddef>

namespace idn::cuda {

// The first algorithm that works within `limit` bytes, with autotune() the fastest; else one without workspace. One
// function for each direction: forward, gradient of the weights, gradient of the input. Without a GPU (a null handle)
// the answer is never used.
cudnnStatus_t choose_algorithm(cudnnHandle_t handle, cudnnTensorDescriptor_t in, cudnnFilterDescriptor_t weights,
                               cudnnConvolutionDescriptor_t convolution, cudnnTensorDescriptor_t out, std::size_t limit,
                               cudnnConvolutionFwdAlgo_t* chosen);
cudnnStatus_t choose_algorithm(cudnnHandle_t handle, cudnnTensorDescriptor_t in, cudnnTensorDescriptor_t out_gradient,
                               cudnnConvolutionDescriptor_t convolution, cudnnFilterDescriptor_t weight_gradient,
                               std::size_t limit, cudnnConvolutionBwdFilterAlgo_t* chosen);
cudnnStatus_t choose_algorithm(cudnnHandle_t handle, cudnnFilterDescriptor_t weights,
                               cudnnTensorDescriptor_t out_gradient, cudnnConvolutionDescriptor_t convolution,
                               cudnnTensorDescriptor_t in_gradient, std::size_t limit,
                               cudnnConvolutionBwdDataAlgo_t* chosen);

// Bytes of an algorithm's workspace, as cudnnGetConvolution...WorkspaceSize; 0 without a GPU.
cudnnStatus_t get_workspace_size(cudnnHandle_t handle, cudnnTensorDescriptor_t in, cudnnFilterDescriptor_t weights,
                                 cudnnConvolutionDescriptor_t convolution, cudnnTensorDescriptor_t out,
                                 cudnnConvolutionFwdAlgo_t algorithm, std::size_t* size);
cudnnStatus_t get_workspace_size(cudnnHandle_t handle, cudnnTensorDescriptor_t in, cudnnTensorDescriptor_t out_gradient,
                                 cudnnConvolutionDescriptor_t convolution, cudnnFilterDescriptor_t weight_gradient,
                                 cudnnConvolutionBwdFilterAlgo_t algorithm, std::size_t* size);
cudnnStatus_t get_workspace_size(cudnnHandle_t handle, cudnnFilterDescriptor_t weights,
                                 cudnnTensorDescriptor_t out_gradient, cudnnConvolutionDescriptor_t convolution,
                                 cudnnTensorDescriptor_t in_gradient, cudnnConvolutionBwdDataAlgo_t algorithm,
                                 std::size_t* size);

}  // namespace idn::cuda
