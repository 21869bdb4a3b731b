#include "http/input_buffer.hpp"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "http/message.hpp"

namespace fluxgate::http {

namespace {

// From here on memory comes from the kernel and goes back to it: the heap would keep 200 MB after a burst of large
// bodies. It also grows without being copied.
constexpr std::size_t kMappedBytes = 256u << 10;

bool is_mapped(std::size_t capacity) { return capacity >= kMappedBytes; }

char* allocate(std::size_t capacity) {
    const std::size_t size = capacity + kBodySlack;
    if (!is_mapped(capacity)) return static_cast<char*>(std::malloc(size));
    void* mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mapped == MAP_FAILED ? nullptr : static_cast<char*>(mapped);
}

}  // namespace

void InputBuffer::consume(std::size_t count) {
    if (count < end_ && count > 0) std::memmove(bytes_, bytes_ + count, end_ - count);
    end_ -= count;
}

bool InputBuffer::reserve(std::size_t capacity) {
    if (capacity <= capacity_) return true;
    if (is_mapped(capacity_)) {
        void* grown = ::mremap(bytes_, capacity_ + kBodySlack, capacity + kBodySlack, MREMAP_MAYMOVE);
        if (grown == MAP_FAILED) return false;
        bytes_ = static_cast<char*>(grown);
        capacity_ = capacity;
        return true;
    }
    char* larger = allocate(capacity);
    if (larger == nullptr) return false;
    const std::size_t kept = end_;
    if (kept > 0) std::memcpy(larger, bytes_, kept);
    release();
    bytes_ = larger;
    capacity_ = capacity;
    end_ = kept;
    return true;
}

void InputBuffer::release() {
    if (is_mapped(capacity_)) {
        ::munmap(bytes_, capacity_ + kBodySlack);
    } else {
        std::free(bytes_);
    }
    bytes_ = nullptr;
    capacity_ = 0;
    end_ = 0;
}

void InputBuffer::clear_slack() { std::memset(bytes_ + end_, 0, kBodySlack); }

}  // namespace fluxgate::http
