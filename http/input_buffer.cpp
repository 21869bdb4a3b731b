#include "http/input_buffer.hpp"

#include <cstring>
#include <new>
#include <utility>

#include "http/message.hpp"

namespace fluxgate::http {

void InputBuffer::consume(std::size_t count) {
    if (count < end_ && count > 0) std::memmove(bytes_.get(), bytes_.get() + count, end_ - count);
    end_ -= count;
}

bool InputBuffer::reserve(std::size_t capacity) {
    if (capacity <= capacity_) return true;
    std::unique_ptr<char[]> larger(new (std::nothrow) char[capacity + kBodySlack]);
    if (!larger) return false;
    if (end_ > 0) std::memcpy(larger.get(), bytes_.get(), end_);
    bytes_ = std::move(larger);
    capacity_ = capacity;
    return true;
}

void InputBuffer::release() {
    bytes_.reset();
    capacity_ = 0;
    end_ = 0;
}

void InputBuffer::clear_slack() { std::memset(bytes_.get() + end_, 0, kBodySlack); }

}  // namespace fluxgate::http
