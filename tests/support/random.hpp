#pragma once

// Numbers that look random and are the same for the same seed (SplitMix64): small enough to be made anew for each of a million runs.

#include <cstdint>
#include <cstdlib>

namespace fluxgate::testing {

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        std::uint64_t mixed = (state_ += 0x9e3779b97f4a7c15u);
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
        return mixed ^ (mixed >> 31);
    }
    // 0 … bound - 1; the bound is at least 1.
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }
    std::uint64_t between(std::uint64_t least, std::uint64_t most) { return least + below(most - least + 1); }
    bool one_in(std::uint64_t chances) { return below(chances) == 0; }

private:
    std::uint64_t state_;
};

// Of a campaign: FLUXGATE_SEEDS, FLUXGATE_SEED, FLUXGATE_KILLS.
inline std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace fluxgate::testing
