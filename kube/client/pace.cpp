#include "kube/client/pace.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>

namespace fluxgate::kube::client {

std::chrono::steady_clock::time_point SystemPace::now() { return std::chrono::steady_clock::now(); }

void SystemPace::pause(std::chrono::milliseconds time, const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    stopped.wait_for(lock, stop, time, [] { return false; });
}

double SystemPace::chance() {
    thread_local std::minstd_rand random(std::random_device{}());
    return std::uniform_real_distribution<double>(0, 1)(random);
}

std::chrono::milliseconds Backoff::next(double chance) {
    std::chrono::milliseconds longest = first;
    for (unsigned doubled = 0; doubled < attempts && longest < most; ++doubled) longest *= 2;
    longest = std::min(longest, most);
    ++attempts;
    const auto half = longest / 2;
    return half +
           std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(chance * static_cast<double>((longest - half).count())));
}

}  // namespace fluxgate::kube::client
