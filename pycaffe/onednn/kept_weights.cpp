#include "kept_weights.hpp"

#include <cstddef>
#include <cstring>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace idn::onednn {

KeptWeights::KeptWeights(const Form& form) : form_(form) {}

std::shared_ptr<KeptWeights::Kept> KeptWeights::kept_for(const float* weights, const Form& form) {
  using Key = std::pair<const float*, Form>;
  static auto* all = new std::map<Key, std::weak_ptr<Kept>>;  // never deleted: nets may outlive the destructors
  static auto* guard = new std::mutex;
  const std::lock_guard<std::mutex> lock(*guard);
  for (auto entry = all->begin(); entry != all->end();) {
    entry = entry->second.expired() ? all->erase(entry) : std::next(entry);
  }
  std::weak_ptr<Kept>& entry = (*all)[Key(weights, form)];
  std::shared_ptr<Kept> kept = entry.lock();
  if (!kept) {
    kept = std::make_shared<Kept>();
    entry = kept;
  }
  return kept;
}

const float* KeptWeights::get(const float* weights, std::size_t count, std::size_t size,
                              const std::function<void(float*)>& make) {
  if (!kept_ || weights_ != weights) {
    kept_ = kept_for(weights, form_);
    weights_ = weights;
  }
  const std::lock_guard<std::mutex> lock(kept_->mutex);
  if (kept_->of.size() != count || std::memcmp(kept_->of.data(), weights, count * sizeof(float)) != 0) {
    kept_->values.resize(size);
    make(kept_->values.data());
    kept_->of.assign(weights, weights + count);
  }
  return kept_->values.data();
}

}  // namespace idn::onednn
