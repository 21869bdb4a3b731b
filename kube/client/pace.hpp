#pragma once

// Waiting between attempts: how long, and how tests wait without sleeping.

#include <chrono>
#include <stop_token>

namespace fluxgate::kube::client {

// Time and chance for whoever tries again. Any number of threads may share one.
class Pace {
public:
    virtual ~Pace() = default;
    virtual std::chrono::steady_clock::time_point now() = 0;
    // Returns early when stopped.
    virtual void pause(std::chrono::milliseconds time, const std::stop_token& stop) = 0;
    virtual double chance() = 0;  // in [0, 1)
};

class SystemPace final : public Pace {
public:
    std::chrono::steady_clock::time_point now() override;
    void pause(std::chrono::milliseconds time, const std::stop_token& stop) override;
    double chance() override;
};

// Doubles from `first` to `most`; each wait is drawn from the upper half, so that replicas do not come back together. A value.
struct Backoff {
    std::chrono::milliseconds first{500};
    std::chrono::milliseconds most{30'000};
    unsigned attempts = 0;

    std::chrono::milliseconds next(double chance);
    void reset() { attempts = 0; }
};

}  // namespace fluxgate::kube::client
