#pragma once

// Calls to the Kubernetes API, one at a time over one connection: get, list, watch, patch, create.
//
// Objects are JSON and are given one at a time while they arrive: a list is taken apart page by page and item by item, so that memory
// is bounded by one object, not by the cluster. An answer 401 is tried once more if the credentials are others by then (rotated
// tokens); nothing else is repeated here: that is the caller's decision (see Reflector).
// https://kubernetes.io/docs/reference/using-api/api-concepts/

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/limits.hpp"
#include "kube/client/config.hpp"
#include "kube/client/failure.hpp"
#include "kube/json.hpp"

namespace fluxgate::kube::client {

struct ApiClientOptions {
    std::chrono::milliseconds timeout{10'000};  // connecting and one answer; a page of a list is never silent that long
    // API servers send a bookmark every minute; two and a half without a byte is a connection that nobody ends.
    std::chrono::milliseconds watch_idle_timeout{150'000};
    // A larger object is passed over, with a failure that names it. etcd takes 1.5 MB; JSON escapes multiply.
    std::size_t object_bytes_max = 16u << 20;
    unsigned page_size = 500;  // client-go's
    Limits limits = {};        // depth and nodes of one object
};

struct ListOptions {
    std::string label_selector = {};
};

struct ListHandlers {
    std::function<void()> begins = {};                     // forget what came: the list starts (over)
    std::function<void(Json item)> item = {};              // valid during the call. Items of a list carry no kind
    std::function<void(const Failure&)> passed_over = {};  // an item that is too large or broken; the list goes on
};

struct WatchOptions {
    std::string resource_version = {};  // after which changes are wanted
    std::string label_selector = {};
    std::chrono::seconds timeout{300};  // the server ends the watch then
};

enum class WatchEvent : std::uint8_t { added, modified, deleted, bookmark };

struct WatchHandlers {
    std::function<void()> opened = {};                              // the server took the watch
    std::function<void(WatchEvent event, Json object)> event = {};  // valid during the call
    std::function<void(const Failure&)> passed_over = {};           // an object that is too large
};

enum class PatchKind : std::uint8_t {
    merge,  // RFC 7386, application/merge-patch+json
    json,   // RFC 6902, application/json-patch+json
    apply,  // server-side apply, application/apply-patch+yaml; JSON is YAML
};
enum class ConflictRule : std::uint8_t { refuse, force };  // of apply: fields that somebody else manages
enum class RunMode : std::uint8_t { real, dry };

struct WriteOptions {
    std::string field_manager = "fluxgate";
    ConflictRule conflicts = ConflictRule::refuse;
    RunMode mode = RunMode::real;
};

// A resource for one thread at a time. Paths are those of the API, without query: "/api/v1/namespaces/shop".
class ApiClient {
public:
    ApiClient(ClientConfig config, ApiClientOptions options = {});
    ~ApiClient();
    ApiClient(ApiClient&&) noexcept;
    ApiClient& operator=(ApiClient&&) noexcept;

    // The `Json` is valid until the next call.
    Answer<Json> get(std::string_view path, std::stop_token stop = {});
    Answer<Json> create(std::string_view collection, std::string_view object, const WriteOptions& options = {}, std::stop_token stop = {});
    Answer<Json> patch(std::string_view path, PatchKind kind, std::string_view patch, const WriteOptions& options = {},
                       std::stop_token stop = {});

    // All objects, page by page; the answer is the resourceVersion to watch from. A page that expired (410) starts the list over, twice
    // at most.
    Answer<std::string> list(std::string_view collection, const ListOptions& options, const ListHandlers& handlers,
                             std::stop_token stop = {});

    // Until the server ends it (an answer without value), the stop token does, or something breaks. An event ERROR is a failure too.
    Answer<void> watch(std::string_view collection, const WatchOptions& options, const WatchHandlers& handlers, std::stop_token stop = {});

    // Asks GET /version: every account may (system:public-info-viewer), and it needs no etcd and no started informer. /readyz would
    // also fail while a server starts or stops, when our answers are needed most; and without etcd no write happens that a
    // snapshot could miss. An answer 403 counts: the server lives and knows us.
    Answer<void> probe(std::stop_token stop = {});

    const ClientConfig& config() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fluxgate::kube::client
