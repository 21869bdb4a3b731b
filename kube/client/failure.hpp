#pragma once

// Why a call to the Kubernetes API did not work: either no answer came, or the answer was a metav1.Status that says no.
// https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#response-status-kind

#include <chrono>
#include <string>

#include <tl/expected.hpp>

#include "base/error.hpp"

namespace fluxgate::kube::client {

// A value.
struct Failure {
    Error error;              // `where` is the call: "GET /api/v1/namespaces/shop"
    int status = 0;           // of HTTP; 0 when no answer came, or one that could not be read
    std::string reason = {};  // of the Status: NotFound, Conflict, Forbidden, Expired, …; empty without one
    std::chrono::seconds retry_after{0};

    bool not_found() const { return status == 404; }
    // The list or watch has to start over: what it asked for is no longer remembered.
    bool expired() const { return status == 410 || reason == "Expired" || reason == "Gone"; }

    friend bool operator==(const Failure&, const Failure&) = default;
};

template <class T>
using Answer = tl::expected<T, Failure>;

inline tl::unexpected<Failure> fail_call(Error error) {
    Failure failure{};
    failure.error = std::move(error);
    return tl::unexpected<Failure>(std::move(failure));
}

}  // namespace fluxgate::kube::client
