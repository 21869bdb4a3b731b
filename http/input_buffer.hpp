#pragma once

// The bytes of one request as they arrive, header and body in one piece and already where the handler will read them:
// TLS decrypts into it, nothing is copied afterwards. `kBodySlack` readable bytes always follow the last one.
//
//   |  read before  |  unread: data(), size()  |  room()  |  slack  |
//
// Offsets stay true when it grows; pointers do not.

#include <cstddef>
#include <span>
#include <string_view>

namespace fluxgate::http {

class InputBuffer {
public:
    InputBuffer() = default;
    InputBuffer(const InputBuffer&) = delete;
    InputBuffer& operator=(const InputBuffer&) = delete;
    ~InputBuffer() { release(); }

    char* base() { return bytes_; }
    std::size_t size() const { return end_; }
    std::size_t capacity() const { return capacity_; }
    std::string_view view(std::size_t offset, std::size_t size) const { return {bytes_ + offset, size}; }
    std::span<char> room() { return {bytes_ + end_, capacity_ - end_}; }

    // `count` bytes were written into `room()`.
    void commit(std::size_t count) { end_ += count; }
    // Cuts the end off.
    void truncate(std::size_t size) { end_ = size; }
    // Cuts the front off: what is left moves to offset 0.
    void consume(std::size_t count);

    // Makes room for `capacity` bytes in all. False when there is no memory.
    bool reserve(std::size_t capacity);
    // Gives the memory back, and forgets what was in it.
    void release();
    // Bytes behind the last one become zeros where they are slack, so that nobody reads what was never written.
    void clear_slack();

private:
    char* bytes_ = nullptr;
    std::size_t capacity_ = 0;  // without the slack
    std::size_t end_ = 0;
};

}  // namespace fluxgate::http
