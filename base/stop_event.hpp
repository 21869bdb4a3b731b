#pragma once

// Turns a stop token into something that poll(2) can wait for, beside what else a call waits for: sockets, pipes.

#include <stop_token>

namespace fluxgate {

// A resource of one call. Readable from the moment that the token is stopped, by any thread.
class StopEvent {
public:
    explicit StopEvent(const std::stop_token& stop);

    // -1, which poll(2) passes over, when nobody can stop the call.
    int descriptor() const { return descriptor_.number; }

private:
    struct Descriptor {
        explicit Descriptor(int opened) : number(opened) {}
        Descriptor(const Descriptor&) = delete;
        Descriptor& operator=(const Descriptor&) = delete;
        ~Descriptor();
        int number;
    };
    struct Ring {
        int descriptor;
        void operator()() const;
    };
    Descriptor descriptor_;
    std::stop_callback<Ring> callback_;  // the last member: ends before the descriptor that it rings
};

}  // namespace fluxgate
