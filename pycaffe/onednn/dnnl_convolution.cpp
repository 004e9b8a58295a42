#include "dnnl_convolution.hpp"

#include <cstddef>
#include <cstring>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dnnl_descriptors.hpp"
#include "runtime.hpp"

namespace idn::onednn {

using dnnl::memory;
using Layout = memory::desc;
using Tag = memory::format_tag;

namespace {

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& stream() {
  thread_local dnnl::stream stream(cpu());
  return stream;
}

// Scratch memory is ours: oneDNN's own would be shared by all threads.
dnnl::primitive_attr attributes() {
  dnnl::primitive_attr made;
  made.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return made;
}

memory wrap(const Layout& layout, const void* data) { return memory(layout, cpu(), const_cast<void*>(data)); }

memory working(Purpose purpose, const Layout& layout) {
  return wrap(layout, working_memory(purpose, layout.get_size()));
}

void execute(const dnnl::primitive& primitive, const Layout& scratchpad, std::unordered_map<int, memory> arguments) {
  arguments.emplace(DNNL_ARG_SCRATCHPAD, working(kScratchpad, scratchpad));
  primitive.execute(stream(), arguments);
  stream().wait();
}

// Copies an array from one layout to the other; made once, for sizes stay the same.
class Reorder {
 public:
  Reorder(const Layout& from, const Layout& to)
      : description_(cpu(), from, cpu(), to, attributes()), primitive_(description_) {}

  void operator()(const memory& from, const memory& to) const {
    execute(primitive_, description_.scratchpad_desc(), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
  }

 private:
  dnnl::reorder::primitive_desc description_;
  dnnl::reorder primitive_;
};

// An argument of a kernel: Caffe's plain array, and the layout that the kernel wants.
class Argument {
 public:
  Argument(const Layout& plain, const Layout& wanted) : plain_(plain), wanted_(wanted) {
    if (plain != wanted) {
      in_.reset(new Reorder(plain, wanted));
      out_.reset(new Reorder(wanted, plain));
    }
  }

  // The array in the kernel's layout, a copy where it differs.
  memory read(const float* data, Purpose purpose) const {
    if (!in_) {
      return wrap(plain_, data);
    }
    memory copy = working(purpose, wanted_);
    (*in_)(wrap(plain_, data), copy);
    return copy;
  }

  // Where the kernel writes to; `deliver` brings it to the plain array.
  memory target(float* data, Purpose purpose) const { return in_ ? working(purpose, wanted_) : wrap(plain_, data); }
  void deliver(const memory& result, float* data) const {
    if (out_) {
      (*out_)(result, wrap(plain_, data));
    }
  }

  bool same_layout(const Argument& other) const { return wanted_ == other.wanted_; }
  std::size_t count() const { return plain_.get_size() / sizeof(float); }

 private:
  Layout plain_, wanted_;
  std::unique_ptr<Reorder> in_, out_;
};

void add(std::size_t count, const float* values, float* sum) {
  parallel_for(static_cast<long>(count), [=](long begin, long end) {
    for (long i = begin; i < end; ++i) {
      sum[i] += values[i];
    }
  });
}

// A kernel with its arguments; Description is dnnl's primitive descriptor, Primitive what executes it.
template <typename Primitive>
struct Kernel {
  using Descriptor = typename Primitive::primitive_desc;

  Kernel(const Descriptor& descriptor, Argument in, Argument weights, Argument out)
      : primitive(descriptor),
        scratchpad(descriptor.scratchpad_desc()),
        in(std::move(in)),
        weights(std::move(weights)),
        out(std::move(out)) {}

  Primitive primitive;
  Layout scratchpad;
  Argument in, weights, out;
};

// Made at first use, since a deploy net never goes backward; stays empty where oneDNN has reference code only.
template <typename Kernel>
struct Lazy {
  bool tried = false;
  std::unique_ptr<Kernel> kernel;

  template <typename Make>
  Kernel* get(const Make& make) {
    if (!tried) {
      kernel = make();
      tried = true;
    }
    return kernel.get();
  }
};

using Forward = Kernel<dnnl::convolution_forward>;
using BackwardData = Kernel<dnnl::convolution_backward_data>;
using BackwardWeights = Kernel<dnnl::convolution_backward_weights>;

}  // namespace

class DnnlConvolution::Implementation {
 public:
  explicit Implementation(const Geometry& geometry)
      : geometry_(geometry),
        in_plain_({geometry.images, geometry.in_channels, geometry.in_height, geometry.in_width},
                  memory::data_type::f32, Tag::nchw),
        out_plain_({geometry.images, geometry.out_channels, geometry.out_height, geometry.out_width},
                   memory::data_type::f32, Tag::nchw),
        weights_plain_(weight_dims(), memory::data_type::f32, geometry.groups > 1 ? Tag::goihw : Tag::oihw),
        bias_plain_({geometry.out_channels}, memory::data_type::f32, Tag::x) {}

  Forward* forward() {
    return forward_.get([this] { return forward_with(attributes()); });
  }

  Forward* forward_relu(float slope) {
    return forward_relu_[slope].get([this, slope] {
      dnnl::post_ops operations;
      append_relu(operations, slope);
      dnnl::primitive_attr with_relu = attributes();
      with_relu.set_post_ops(operations);
      return forward_with(with_relu);
    });
  }

  BackwardData* backward_data() {
    return backward_data_.get([this] {
      return first_fast<BackwardData>(
          [this](const Description& d) {
            return describe_backward_data(cpu(), attributes(), d, describe_forward(cpu(), attributes(), d));
          },
          [](const auto& pd) { return std::make_pair(pd.diff_src_desc(), pd.diff_dst_desc()); },
          [](const auto& pd) { return pd.weights_desc(); });
    });
  }

  BackwardWeights* backward_weights() {
    return backward_weights_.get([this] {
      return first_fast<BackwardWeights>(
          [this](const Description& d) {
            return describe_backward_weights(cpu(), attributes(), d, describe_forward(cpu(), attributes(), d));
          },
          [](const auto& pd) { return std::make_pair(pd.src_desc(), pd.diff_dst_desc()); },
          [](const auto& pd) { return pd.diff_weights_desc(); });
    });
  }

  const Layout& bias_layout() const { return bias_plain_; }

 private:
  memory::dims weight_dims() const {
    const Geometry& g = geometry_;
    const memory::dim in = g.in_channels / g.groups, out = g.out_channels / g.groups;
    if (g.groups > 1) {
      return {g.groups, out, in, g.kernel_height, g.kernel_width};
    }
    return {out, in, g.kernel_height, g.kernel_width};
  }

  std::unique_ptr<Forward> forward_with(const dnnl::primitive_attr& attributes) const {
    return first_fast<Forward>([&](const Description& d) { return describe_forward(cpu(), attributes, d); },
                               [](const auto& pd) { return std::make_pair(pd.src_desc(), pd.dst_desc()); },
                               [](const auto& pd) { return pd.weights_desc(); });
  }

  // Blocks of 16 channels are oneDNN's best layout, but groups that are no multiple of it are computed with gaps
  // there, up to twice (and for the gradient of the weights ten times) slower than with channels last.
  std::vector<Tag> layouts() const {
    const Geometry& g = geometry_;
    const int in = g.in_channels / g.groups, out = g.out_channels / g.groups;
    const bool uneven = g.groups > 1 && (in % 16 || out % 16) && (in > 1 || out > 1);
    return uneven ? std::vector<Tag>{Tag::nhwc, Tag::any} : std::vector<Tag>{Tag::any, Tag::nhwc, Tag::nchw};
  }

  Description description(Tag tag) const {
    const Geometry& g = geometry_;
    const auto f32 = memory::data_type::f32;
    // One channel in: oneDNN has kernels that read it plain, without fifteen channels of padding. One channel out:
    // there it has none, and the padded kernels are two to five times as fast as its general ones.
    return {Layout(dims_of(in_plain_), f32, g.in_channels == 1 ? Tag::nchw : tag),
            Layout(weight_dims(), f32, Tag::any),
            bias_plain_,
            Layout(dims_of(out_plain_), f32, tag),
            {g.stride_height, g.stride_width},
            {g.dilation_height - 1, g.dilation_width - 1},
            {g.pad_height, g.pad_width},
            true};
  }

  static memory::dims dims_of(const Layout& layout) {
#if DNNL_VERSION_MAJOR < 3
    return layout.dims();
#else
    return layout.get_dims();
#endif
  }

  // The first layout for which oneDNN has more than reference code; nothing when there is none.
  template <typename K, typename Describe, typename Ends, typename Weights>
  std::unique_ptr<K> first_fast(const Describe& describe, const Ends& ends, const Weights& weights) const {
    for (const Tag tag : layouts()) {
      try {
        const auto found = describe(description(tag));
        if (std::strncmp(found.impl_info_str(), "ref", 3) == 0) {
          continue;
        }
        const auto in_and_out = ends(found);
        return std::unique_ptr<K>(new K(found, Argument(in_plain_, in_and_out.first),
                                        Argument(weights_plain_, weights(found)),
                                        Argument(out_plain_, in_and_out.second)));
      } catch (const dnnl::error&) {
        continue;  // no kernel for this layout
      }
    }
    return nullptr;
  }

  const Geometry geometry_;
  Layout in_plain_, out_plain_, weights_plain_, bias_plain_;
  Lazy<Forward> forward_;
  std::map<float, Lazy<Forward>> forward_relu_;  // by slope, which is part of the kernel
  Lazy<BackwardData> backward_data_;
  Lazy<BackwardWeights> backward_weights_;
};

DnnlConvolution::DnnlConvolution(const Geometry& geometry)
    : Convolution(geometry), implementation_(new Implementation(geometry)) {}
DnnlConvolution::~DnnlConvolution() = default;

bool DnnlConvolution::has_forward() { return implementation_->forward() != nullptr; }
bool DnnlConvolution::has_forward_relu(float slope) {
  return slope != 0 && implementation_->forward_relu(slope) != nullptr;
}
bool DnnlConvolution::has_backward_data() { return implementation_->backward_data() != nullptr; }
bool DnnlConvolution::has_backward_weights() { return implementation_->backward_weights() != nullptr; }

namespace {

void run_forward(const Forward& kernel, const Layout& bias_layout, const float* in, const float* weights,
                 const float* bias, float* out) {
  memory bias_memory = bias ? wrap(bias_layout, bias) : working(kResultOfBias, bias_layout);
  if (!bias) {
    std::memset(bias_memory.get_data_handle(), 0, bias_layout.get_size());
  }
  const memory target = kernel.out.target(out, kResult);
  execute(kernel.primitive, kernel.scratchpad,
          {{DNNL_ARG_SRC, kernel.in.read(in, kSource)},
           {DNNL_ARG_WEIGHTS, kernel.weights.read(weights, kWeights)},
           {DNNL_ARG_BIAS, bias_memory},
           {DNNL_ARG_DST, target}});
  kernel.out.deliver(target, out);
}

}  // namespace

void DnnlConvolution::forward(const float* in, const float* weights, const float* bias, float* out) {
  run_forward(*implementation_->forward(), implementation_->bias_layout(), in, weights, bias, out);
}

void DnnlConvolution::forward_relu(const float* in, const float* weights, const float* bias, float slope, float* out) {
  run_forward(*implementation_->forward_relu(slope), implementation_->bias_layout(), in, weights, bias, out);
}

namespace {

// `out_gradient` is in the kernel's layout already.
void run_backward_data(const BackwardData& kernel, const memory& out_gradient, const float* weights,
                       float* in_gradient) {
  const memory target = kernel.in.target(in_gradient, kSource);
  execute(kernel.primitive, kernel.scratchpad,
          {{DNNL_ARG_DIFF_DST, out_gradient},
           {DNNL_ARG_WEIGHTS, kernel.weights.read(weights, kWeights)},
           {DNNL_ARG_DIFF_SRC, target}});
  kernel.in.deliver(target, in_gradient);
}

void run_backward_weights(const BackwardWeights& kernel, const Layout& bias_layout, const float* in,
                          const memory& out_gradient, float* weight_gradient, float* bias_gradient) {
  const std::size_t count = kernel.weights.count();
  // Caffe adds up gradients (iter_size, shared weights), oneDNN overwrites: so into memory of our own first
  float* plain = static_cast<float*>(working_memory(kResultOfWeights, count * sizeof(float)));
  const memory target = kernel.weights.target(plain, kWeights);
  const memory bias = working(kResultOfBias, bias_layout);
  execute(kernel.primitive, kernel.scratchpad,
          {{DNNL_ARG_SRC, kernel.in.read(in, kSource)},
           {DNNL_ARG_DIFF_DST, out_gradient},
           {DNNL_ARG_DIFF_WEIGHTS, target},
           {DNNL_ARG_DIFF_BIAS, bias}});
  kernel.weights.deliver(target, plain);
  add(count, plain, weight_gradient);
  if (bias_gradient) {
    add(bias_layout.get_size() / sizeof(float), static_cast<const float*>(bias.get_data_handle()), bias_gradient);
  }
}

}  // namespace

void DnnlConvolution::backward_data(const float* out_gradient, const float* weights, float* in_gradient) {
  const BackwardData& kernel = *implementation_->backward_data();
  run_backward_data(kernel, kernel.out.read(out_gradient, kResult), weights, in_gradient);
}

void DnnlConvolution::backward_weights(const float* in, const float* out_gradient, float* weight_gradient,
                                       float* bias_gradient) {
  const BackwardWeights& kernel = *implementation_->backward_weights();
  run_backward_weights(kernel, implementation_->bias_layout(), in, kernel.out.read(out_gradient, kResult),
                       weight_gradient, bias_gradient);
}

void DnnlConvolution::backward(const float* in, const float* out_gradient, const float* weights, float* in_gradient,
                               float* weight_gradient, float* bias_gradient) {
  const BackwardData& for_data = *implementation_->backward_data();
  const BackwardWeights& for_weights = *implementation_->backward_weights();
  const memory read = for_weights.out.read(out_gradient, kResult);
  run_backward_weights(for_weights, implementation_->bias_layout(), in, read, weight_gradient, bias_gradient);
  run_backward_data(for_data,
                    for_data.out.same_layout(for_weights.out) ? read : for_data.out.read(out_gradient, kResult),
                    weights, in_gradient);
}

}  // namespace idn::onednn
