// What CUDA 12 and 13, cuDNN 8 and 9 have changed since 2018, mended in front of Caffe's files. Included by
// compat/caffe_compat.h in the CUDA variant. Every entry gives upstream's spelling a function of ours, by a macro.
#ifndef IDN_CAFFE_CUDA_COMPAT_H_
#define IDN_CAFFE_CUDA_COMPAT_H_

#include <cuda_runtime.h>
#include <cudnn.h>

namespace idn_compat {

// While a CUDA graph is captured, copies and fills must go into Caffe's stream and must not wait. Outside of a
// capture they are upstream's.
inline bool capturing() {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  return cudaStreamIsCapturing(cudaStreamPerThread, &status) == cudaSuccess && status != cudaStreamCaptureStatusNone;
}

inline cudaError_t Memcpy(void* to, const void* from, size_t size, cudaMemcpyKind kind) {
  return capturing() ? cudaMemcpyAsync(to, from, size, kind, cudaStreamPerThread) : cudaMemcpy(to, from, size, kind);
}

inline cudaError_t Memset(void* to, int value, size_t size) {
  return cudaMemsetAsync(to, value, size, cudaStreamPerThread);
}

// In pycaffe/cuda/bias.cu.
cudnnStatus_t BackwardBias(cudnnHandle_t handle, const void* alpha, cudnnTensorDescriptor_t from_desc, const void* from,
    const void* beta, cudnnTensorDescriptor_t to_desc, void* to);

}  // namespace idn_compat

#ifndef IDN_CAFFE_OWN_SOURCE
#define cudnnConvolutionBackwardBias(...) idn_compat::BackwardBias(__VA_ARGS__)
#endif

#undef cudaMemcpy  // with streams of the threads' own, both are aliases
#define cudaMemcpy(to, from, size, kind) idn_compat::Memcpy(to, from, size, kind)
#undef cudaMemset
#define cudaMemset(to, value, size) idn_compat::Memset(to, value, size)

#ifndef __CUDACC__  // the .cu files need nothing more

#include <cublas_v2.h>
#include <curand.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace idn_compat {

// CUDA 13 dropped three members of cudaDeviceProp that common.cpp prints; they are attributes now.
#if CUDART_VERSION >= 13000
struct DeviceProp : cudaDeviceProp {
  int clockRate, deviceOverlap, kernelExecTimeoutEnabled;
};

inline cudaError_t GetDeviceProperties(DeviceProp* prop, int device) {
  cudaError_t status = cudaGetDeviceProperties(prop, device);
  if (status == cudaSuccess) status = cudaDeviceGetAttribute(&prop->clockRate, cudaDevAttrClockRate, device);
  if (status == cudaSuccess) status = cudaDeviceGetAttribute(&prop->deviceOverlap, cudaDevAttrGpuOverlap, device);
  if (status == cudaSuccess) {
    status = cudaDeviceGetAttribute(&prop->kernelExecTimeoutEnabled, cudaDevAttrKernelExecTimeout, device);
  }
  return status;
}
#endif

// On a machine without a GPU the cuDNN layers must still be made, to run on the CPU: upstream's LayerSetUp creates
// streams and handles whatever the mode is, and would end the process. There they get null ones.
inline bool has_device() {
  static const bool found = [] {
    int count = 0;
    const bool ok = cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
    if (!ok) cudaGetLastError();  // leave no error behind for the next check
    return ok;
  }();
  return found;
}

inline cudaError_t StreamCreate(cudaStream_t* stream) {
  if (has_device()) return cudaStreamCreate(stream);
  *stream = nullptr;
  return cudaSuccess;
}

// ... and the two handles that every thread makes, where upstream would report an error on each machine without a GPU.
inline cublasStatus_t BlasCreate(cublasHandle_t* handle) {
  *handle = nullptr;
  if (!has_device()) return CUBLAS_STATUS_SUCCESS;
  const cublasStatus_t status = cublasCreate_v2(handle);
  return status == CUBLAS_STATUS_SUCCESS ? cublasSetStream(*handle, cudaStreamPerThread) : status;
}

inline curandStatus_t RandCreate(curandGenerator_t* generator, curandRngType_t type) {
  *generator = nullptr;
  if (!has_device()) return CURAND_STATUS_SUCCESS;
  const curandStatus_t status = curandCreateGenerator(generator, type);
  return status == CURAND_STATUS_SUCCESS ? curandSetStream(*generator, cudaStreamPerThread) : status;
}

inline curandStatus_t RandSeed(curandGenerator_t generator, unsigned long long seed) {  // NOLINT(runtime/int)
  return generator ? curandSetPseudoRandomGeneratorSeed(generator, seed) : CURAND_STATUS_SUCCESS;
}

// Out of memory: upstream's CUDA_CHECK would end the process. An exception reaches Python as a RuntimeError instead.
// Where upstream goes on without (a workspace of cuDNN's), it gets the status; the error is taken back, because the
// next check after a kernel would find it.
inline cudaError_t Malloc(void** pointer, size_t size, const char* what) {
  const cudaError_t status = cudaMalloc(pointer, size);
  if (status == cudaSuccess) return status;
  cudaGetLastError();
  if (status != cudaErrorMemoryAllocation || std::strstr(what, "workspaceData")) return status;
  size_t available = 0, total = 0;
  int device = 0;
  cudaGetDevice(&device);
  cudaMemGetInfo(&available, &total);
  throw std::runtime_error("out of memory on GPU " + std::to_string(device) + ": " +
      std::to_string((size >> 20) + 1) + " MB more are needed, " + std::to_string(available >> 20) + " of " +
      std::to_string(total >> 20) + " MB are free");
}

inline cudnnStatus_t Create(cudnnHandle_t* handle) {
  *handle = nullptr;
  if (!has_device()) return CUDNN_STATUS_SUCCESS;
  const cudnnStatus_t status = cudnnCreate(handle);
  return status == CUDNN_STATUS_SUCCESS ? cudnnSetStream(*handle, cudaStreamPerThread) : status;
}

inline cudnnStatus_t Destroy(cudnnHandle_t handle) {
  return handle ? cudnnDestroy(handle) : CUDNN_STATUS_SUCCESS;
}

// Upstream gives every group of a convolution a stream of its own. With Caffe's stream for all, a pass is one line of
// kernels that a CUDA graph can hold; the groups of these nets are too small to gain from running side by side.
inline cudnnStatus_t SetStream(cudnnHandle_t handle, cudaStream_t) {
  return handle ? cudnnSetStream(handle, cudaStreamPerThread) : CUDNN_STATUS_SUCCESS;
}

// Options of the process, read from the environment once: pycaffe has no other way to hand them down.
inline bool option(const char* name) {
  const char* value = std::getenv(name);
  return value && *value && std::strcmp(value, "0") != 0;
}

inline bool tf32() {
  static const bool on = option("CAFFE_CUDNN_TF32");
  return on;
}

inline bool deterministic() {
  static const bool on = option("CAFFE_CUDNN_DETERMINISTIC");
  return on;
}

inline bool benchmark() {
  static const bool on = option("CAFFE_CUDNN_BENCHMARK");
  return on;
}

// cuDNN computes float convolutions in TF32 (10 bits of mantissa) on Ampere and later unless told otherwise. Caffe
// of 2018 computed in float: so does this one, unless CAFFE_CUDNN_TF32 is set.
inline cudnnStatus_t SetConvolution2dDescriptor(cudnnConvolutionDescriptor_t desc, int pad_h, int pad_w, int stride_h,
    int stride_w, int dilation_h, int dilation_w, cudnnConvolutionMode_t mode, cudnnDataType_t type) {
  const cudnnStatus_t status = cudnnSetConvolution2dDescriptor(desc, pad_h, pad_w, stride_h, stride_w, dilation_h,
      dilation_w, mode, type);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  return cudnnSetConvolutionMathType(desc, tf32() ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH);
}

// cuDNN 8 dropped the queries for one algorithm within a workspace limit. The lists of _v7 are there still: the
// first that works within the limit is taken. Caffe asks anew before every forward pass, and a query costs far more
// than the lookup here, so that answers are kept, under all that the descriptors say.
typedef std::vector<int> Key;

inline void describe(cudnnTensorDescriptor_t desc, Key* key) {
  cudnnDataType_t type;
  int dims[4], strides[4];
  cudnnGetTensor4dDescriptor(desc, &type, dims, dims + 1, dims + 2, dims + 3, strides, strides + 1, strides + 2,
      strides + 3);
  key->push_back(type);
  key->insert(key->end(), dims, dims + 4);
  key->insert(key->end(), strides, strides + 4);
}

inline void describe(cudnnFilterDescriptor_t desc, Key* key) {
  cudnnDataType_t type;
  cudnnTensorFormat_t format;
  int dims[4];
  cudnnGetFilter4dDescriptor(desc, &type, &format, dims, dims + 1, dims + 2, dims + 3);
  key->push_back(type);
  key->insert(key->end(), dims, dims + 4);
}

inline void describe(cudnnConvolutionDescriptor_t desc, Key* key) {
  cudnnConvolutionMode_t mode;
  cudnnDataType_t type;
  int v[6];
  cudnnGetConvolution2dDescriptor(desc, v, v + 1, v + 2, v + 3, v + 4, v + 5, &mode, &type);
  key->push_back(type);
  key->insert(key->end(), v, v + 6);
}

// One direction of a convolution: which functions of cuDNN answer for it. All three take their arguments in one order:
// two tensors that are read, the convolution, the tensor that is written.
#define IDN_DIRECTION(Name, Short, no_workspace)                                                               \
  struct Name {                                                                                                \
    typedef cudnnConvolution##Short##Algo_t Algo;                                                              \
    typedef cudnnConvolution##Short##AlgoPerf_t Perf;                                                          \
    static const Algo kNoWorkspace = no_workspace;                                                             \
    template <typename... Descs>                                                                               \
    static cudnnStatus_t list(cudnnHandle_t handle, Descs... descs, int* n, Perf* perf) {                      \
      return cudnnGetConvolution##Name##Algorithm_v7(handle, descs..., 8, n, perf);                            \
    }                                                                                                          \
    template <typename... Args>                                                                                \
    static cudnnStatus_t run(Args... args) {                                                                   \
      return cudnnConvolution##Name(args...);                                                                  \
    }                                                                                                          \
  };
IDN_DIRECTION(Forward, Fwd, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM)
IDN_DIRECTION(BackwardFilter, BwdFilter, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0)
IDN_DIRECTION(BackwardData, BwdData, CUDNN_CONVOLUTION_BWD_DATA_ALGO_0)
#undef IDN_DIRECTION

template <typename Desc> int first_type(Desc desc) {
  Key key;
  describe(desc, &key);
  return key[0];
}

// Memory of a tensor or of a filter, for a trial; freed at its end.
class Scratch {
 public:
  explicit Scratch(size_t size) : pointer_(nullptr) {
    if (!size) return;
    if (cudaMalloc(&pointer_, size) != cudaSuccess) {
      cudaGetLastError();
      pointer_ = nullptr;
    } else {
      cudaMemsetAsync(pointer_, 0, size, cudaStreamPerThread);
    }
  }
  ~Scratch() { cudaFree(pointer_); }
  void* get() const { return pointer_; }

 private:
  Scratch(const Scratch&);
  void operator=(const Scratch&);
  void* pointer_;
};

inline size_t bytes_of(cudnnTensorDescriptor_t desc) {
  Key key;
  describe(desc, &key);  // type, dims, strides
  size_t last = 0;
  for (int i = 0; i < 4; ++i) last += static_cast<size_t>(key[1 + i] - 1) * key[5 + i];
  return (last + 1) * (key[0] == CUDNN_DATA_DOUBLE ? 8 : 4);
}

inline size_t bytes_of(cudnnFilterDescriptor_t desc) {
  Key key;
  describe(desc, &key);
  size_t count = 1;
  for (int i = 0; i < 4; ++i) count *= key[1 + i];
  return count * (key[0] == CUDNN_DATA_DOUBLE ? 8 : 4);
}

// Milliseconds of a few runs within a CUDA graph, as the pass will run, without the time of the launches; less than 0
// when they fail.
template <typename Work> float time_of(const Work& work) {
  const int kRuns = 6;
  if (work() != CUDNN_STATUS_SUCCESS || cudaStreamSynchronize(cudaStreamPerThread) != cudaSuccess) return -1;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  bool ok = cudaStreamBeginCapture(cudaStreamPerThread, cudaStreamCaptureModeThreadLocal) == cudaSuccess;
  for (int i = 0; ok && i < kRuns; ++i) ok = work() == CUDNN_STATUS_SUCCESS;
  ok = cudaStreamEndCapture(cudaStreamPerThread, &graph) == cudaSuccess && ok;
  ok = ok && cudaGraphInstantiate(&exec, graph, 0) == cudaSuccess;
  cudaEvent_t begin, end;
  cudaEventCreate(&begin);
  cudaEventCreate(&end);
  float best = -1;
  for (int round = 0; ok && round < 3; ++round) {
    float ms = 0;
    cudaEventRecord(begin, cudaStreamPerThread);
    ok = cudaGraphLaunch(exec, cudaStreamPerThread) == cudaSuccess;
    cudaEventRecord(end, cudaStreamPerThread);
    ok = ok && cudaEventSynchronize(end) == cudaSuccess && cudaEventElapsedTime(&ms, begin, end) == cudaSuccess;
    if (ok && round && (best < 0 || ms < best)) best = ms;  // the first round warms up
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  if (exec) cudaGraphExecDestroy(exec);
  if (graph) cudaGraphDestroy(graph);
  cudaGetLastError();
  return best;
}

template <typename A, typename B, typename C, typename D>
Key key_of(int first, A a, B b, C c, D d) {
  int device = 0;
  cudaGetDevice(&device);
  Key key;
  key.reserve(40);
  key.push_back(device);
  key.push_back(first);
  describe(a, &key);
  describe(b, &key);
  describe(c, &key);
  describe(d, &key);
  return key;
}

template <typename Direction, typename A, typename B, typename C, typename D>
cudnnStatus_t choose(cudnnHandle_t handle, A a, B b, C c, D d, size_t limit, typename Direction::Algo* chosen) {
  typedef typename Direction::Perf Perf;
  *chosen = Direction::kNoWorkspace;
  if (!handle) return CUDNN_STATUS_SUCCESS;  // no device, never run
  static thread_local std::map<Key, typename Direction::Algo> known;
  const Key key = key_of(-1, a, b, c, d);
  typename std::map<Key, typename Direction::Algo>::const_iterator hit = known.find(key);
  if (hit != known.end()) {
    *chosen = hit->second;
    return CUDNN_STATUS_SUCCESS;
  }
  Perf list[8];
  int n = 0;
  if (Direction::template list<A, B, C, D>(handle, a, b, c, d, &n, list) != CUDNN_STATUS_SUCCESS) n = 0;
  const bool timed = benchmark() && !deterministic() && !capturing();
  const Scratch first(timed ? bytes_of(a) : 0), second(timed ? bytes_of(b) : 0), result(timed ? bytes_of(d) : 0);
  float fastest = -1;
  for (int i = 0; i < n; ++i) {
    if (list[i].status != CUDNN_STATUS_SUCCESS || list[i].memory > limit) continue;
    if (deterministic() && list[i].determinism != CUDNN_DETERMINISTIC) continue;
    // a float convolution by tensor cores is TF32, whatever the descriptor asked for
    if (!tf32() && list[i].mathType != CUDNN_FMA_MATH && list[i].mathType != CUDNN_DEFAULT_MATH) continue;
    if (!timed || !first.get() || !second.get() || !result.get()) {
      *chosen = list[i].algo;
      break;
    }
    const Scratch workspace(list[i].memory);
    const typename Direction::Algo algo = list[i].algo;
    const size_t size = list[i].memory;
    const double one = 1, zero = 0;
    const float one_float = 1, zero_float = 0;
    const bool wide = first_type(a) == CUDNN_DATA_DOUBLE;
    const void* alpha = wide ? static_cast<const void*>(&one) : &one_float;
    const void* beta = wide ? static_cast<const void*>(&zero) : &zero_float;
    const float ms = time_of([&] {
      return Direction::run(handle, alpha, a, first.get(), b, second.get(), c, algo, workspace.get(), size, beta, d,
          result.get());
    });
    if (ms >= 0 && (fastest < 0 || ms < fastest)) {
      fastest = ms;
      *chosen = algo;
    }
  }
  known[key] = *chosen;
  return CUDNN_STATUS_SUCCESS;
}

// Upstream asks for 8 MiB at most a layer; who lets algorithms be timed wants the fast ones, which take more.
inline size_t workspace_limit(size_t asked) {
  static const char* given = std::getenv("CAFFE_CUDNN_WORKSPACE_MB");
  if (given && *given) return static_cast<size_t>(std::atol(given)) << 20;
  return benchmark() && !deterministic() ? size_t(64) << 20 : asked;
}

// The size of an algorithm's workspace, kept as the algorithms are; 0 without a device.
#define IDN_WORKSPACE_SIZE(name, Algo)                                                                            \
  template <typename A, typename B, typename C, typename D>                                                      \
  cudnnStatus_t name(cudnnHandle_t handle, A a, B b, C c, D d, Algo algo, size_t* size) {                        \
    *size = 0;                                                                                                   \
    if (!handle) return CUDNN_STATUS_SUCCESS;                                                                    \
    static thread_local std::map<Key, size_t> known;                                                             \
    const Key key = key_of(algo, a, b, c, d);                                                                    \
    const std::map<Key, size_t>::const_iterator hit = known.find(key);                                           \
    if (hit != known.end()) {                                                                                    \
      *size = hit->second;                                                                                       \
      return CUDNN_STATUS_SUCCESS;                                                                               \
    }                                                                                                            \
    const cudnnStatus_t status = cudnn##name(handle, a, b, c, d, algo, size);                                    \
    if (status == CUDNN_STATUS_SUCCESS) known[key] = *size;                                                      \
    return status;                                                                                               \
  }
IDN_WORKSPACE_SIZE(GetConvolutionForwardWorkspaceSize, cudnnConvolutionFwdAlgo_t)
IDN_WORKSPACE_SIZE(GetConvolutionBackwardFilterWorkspaceSize, cudnnConvolutionBwdFilterAlgo_t)
IDN_WORKSPACE_SIZE(GetConvolutionBackwardDataWorkspaceSize, cudnnConvolutionBwdDataAlgo_t)
#undef IDN_WORKSPACE_SIZE

}  // namespace idn_compat

#if CUDART_VERSION >= 13000
#define cudaDeviceProp idn_compat::DeviceProp
#undef cudaGetDeviceProperties  // a versioned alias in some headers
#define cudaGetDeviceProperties(prop, device) idn_compat::GetDeviceProperties(prop, device)
#endif

#define cudaMalloc(pointer, size) idn_compat::Malloc(reinterpret_cast<void**>(pointer), size, #pointer)
#define cudaStreamCreate(stream) idn_compat::StreamCreate(stream)
#undef cublasCreate  // cublas_v2.h has it as an alias
#define cublasCreate(handle) idn_compat::BlasCreate(handle)
#define curandCreateGenerator(generator, type) idn_compat::RandCreate(generator, type)
#define curandSetPseudoRandomGeneratorSeed(generator, seed) idn_compat::RandSeed(generator, seed)
#define cudnnCreate(handle) idn_compat::Create(handle)
#define cudnnDestroy(handle) idn_compat::Destroy(handle)
#define cudnnSetStream(handle, stream) idn_compat::SetStream(handle, stream)
#define cudnnSetConvolution2dDescriptor(...) idn_compat::SetConvolution2dDescriptor(__VA_ARGS__)

#if CUDNN_MAJOR >= 8
enum IdnPreference {
  CUDNN_CONVOLUTION_FWD_SPECIFY_WORKSPACE_LIMIT,
  CUDNN_CONVOLUTION_BWD_FILTER_SPECIFY_WORKSPACE_LIMIT,
  CUDNN_CONVOLUTION_BWD_DATA_SPECIFY_WORKSPACE_LIMIT
};
#define cudnnGetConvolutionForwardAlgorithm(handle, a, b, c, d, preference, limit, algo) \
  idn_compat::choose<idn_compat::Forward>(handle, a, b, c, d, idn_compat::workspace_limit(limit), algo)
#define cudnnGetConvolutionBackwardFilterAlgorithm(handle, a, b, c, d, preference, limit, algo) \
  idn_compat::choose<idn_compat::BackwardFilter>(handle, a, b, c, d, idn_compat::workspace_limit(limit), algo)
#define cudnnGetConvolutionBackwardDataAlgorithm(handle, a, b, c, d, preference, limit, algo) \
  idn_compat::choose<idn_compat::BackwardData>(handle, a, b, c, d, idn_compat::workspace_limit(limit), algo)
#endif
#define cudnnGetConvolutionForwardWorkspaceSize idn_compat::GetConvolutionForwardWorkspaceSize
#define cudnnGetConvolutionBackwardFilterWorkspaceSize idn_compat::GetConvolutionBackwardFilterWorkspaceSize
#define cudnnGetConvolutionBackwardDataWorkspaceSize idn_compat::GetConvolutionBackwardDataWorkspaceSize

#endif  // __CUDACC__
#endif  // IDN_CAFFE_CUDA_COMPAT_H_
