#pragma once

// What all connections of one server share.

#include <atomic>
#include <memory>
#include <utility>

#include "base/snapshot_cell.hpp"
#include "http/server.hpp"
#include "http/tls_context.hpp"

namespace fluxgate::http {

// Everything but the atomics and the cell is fixed before the first thread starts.
struct Service {
    Service(ServerOptions given_options, Handler given_handler, std::shared_ptr<const TlsContext> first)
        : options(std::move(given_options)), handler(std::move(given_handler)), tls(std::move(first)) {}

    const ServerOptions options;
    const Handler handler;
    SnapshotCell<TlsContext> tls;  // holds null without TLS
    ServerCounters counters;
    std::atomic<bool> draining{false};
};

}  // namespace fluxgate::http
