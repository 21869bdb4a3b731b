#include "cli/progress.hpp"

#include <algorithm>

#include <unistd.h>

namespace fluxgate::cli {

namespace {
constexpr std::chrono::milliseconds kFirst{1'000};
constexpr std::chrono::milliseconds kEvery{200};
constexpr std::uint64_t kCallsPerLook = 32;  // the clock is not free
}  // namespace

Progress::Progress(std::string verb, std::FILE* stream)
    : verb_(std::move(verb)), stream_(stream), terminal_(isatty(fileno(stream)) == 1), next_(std::chrono::steady_clock::now() + kFirst) {}

void Progress::show(std::uint64_t done, std::uint64_t total, std::size_t objects) {
    if (!terminal_ || ++calls_ % kCallsPerLook != 0) return;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + kEvery;
    shown_ = true;
    const unsigned percent = total == 0 ? 0 : static_cast<unsigned>(std::min(done, total) * 100 / total);
    std::fprintf(stream_, "\r\033[K%s %zu objects, %u %%", verb_.c_str(), objects, percent);
    std::fflush(stream_);
}

void Progress::clear() {
    if (!shown_) return;
    std::fputs("\r\033[K", stream_);
    std::fflush(stream_);
    shown_ = false;
}

}  // namespace fluxgate::cli
