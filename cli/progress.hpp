#pragma once

// A line that says how far a long run is: on a terminal only, from the second second on, rewritten in place.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace fluxgate::cli {

class Progress {
public:
    // "checked 1200 objects, 40 %"
    Progress(std::string verb, std::FILE* stream);
    void show(std::uint64_t done, std::uint64_t total, std::size_t objects);
    // Takes the line away; before other text.
    void clear();

private:
    std::string verb_;
    std::FILE* stream_;
    bool terminal_;
    bool shown_ = false;
    std::uint64_t calls_ = 0;
    std::chrono::steady_clock::time_point next_;
};

}  // namespace fluxgate::cli
