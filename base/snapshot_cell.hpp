#pragma once

// Holds the current version of something immutable (a policy set, a certificate, namespace labels). A reader loads it
// once at the top of a request and works on that; a writer builds the next version aside and swaps it in.
// Any thread may load or store. A mutex, because std::atomic<std::shared_ptr> upsets ThreadSanitizer with g++ 12; it
// is held for a pointer copy only.

#include <memory>
#include <mutex>
#include <utility>

namespace fluxgate {

template <class T>
class SnapshotCell {
public:
    explicit SnapshotCell(std::shared_ptr<const T> first) : current_(std::move(first)) {}

    std::shared_ptr<const T> load() const {
        std::lock_guard lock(mutex_);
        return current_;
    }

    void store(std::shared_ptr<const T> next) {
        std::lock_guard lock(mutex_);
        current_.swap(next);
    }

private:
    mutable std::mutex mutex_;
    std::shared_ptr<const T> current_;
};

}  // namespace fluxgate
