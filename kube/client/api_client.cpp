#include "kube/client/api_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "http/client.hpp"
#include "kube/client/stream_splitter.hpp"

namespace fluxgate::kube::client {

namespace {

constexpr std::string_view kUserAgent = "fluxgate/" FLUXGATE_VERSION;
// A list that expires while it is read is read from its beginning; a server that never lets us finish is a failure.
constexpr int kListRestartsMax = 2;
constexpr std::size_t kMessageBytesMax = 1'000;
// `{"type":"MODIFIED","object":` and `}` around the object of a watch event.
constexpr std::size_t kEventFrameBytes = 64;

std::string escaped(std::string_view text) {
    std::string out;
    for (const char letter : text) {
        const bool unreserved = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') ||
                                letter == '-' || letter == '.' || letter == '_' || letter == '~';
        if (unreserved) {
            out += letter;
        } else {
            out += fmt::format("%{:02X}", static_cast<unsigned char>(letter));
        }
    }
    return out;
}

void add_query(std::string& query, std::string_view name, std::string_view value) {
    if (value.empty()) return;
    query += query.empty() ? "?" : "&";
    query += fmt::format("{}={}", name, escaped(value));
}

std::string_view header(const http::ClientResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
        if (key == name) return value;
    }
    return {};
}

std::chrono::seconds seconds_of(std::string_view text) {
    unsigned seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    return std::chrono::seconds(error == std::errc{} && end == text.data() + text.size() ? seconds : 0u);
}

Errc code_of(int status) {
    switch (status) {
        case 429:
        case 503: return Errc::overloaded;
        case 408:
        case 504: return Errc::deadline_exceeded;
        default: return Errc::peer;
    }
}

// What a metav1.Status says; `status` may be anything.
Failure failure_of(int http_status, Json status, std::string where) {
    Failure failure{};
    failure.status = http_status;
    if (status["kind"].text() == "Status") {
        failure.reason = status["reason"].text();
        failure.error.message = status["message"].text().substr(0, kMessageBytesMax);
        failure.status = static_cast<int>(status["code"].integer().value_or(http_status));
        failure.retry_after = std::chrono::seconds(std::max<std::int64_t>(0, status["details"]["retryAfterSeconds"].integer().value_or(0)));
    }
    if (failure.error.message.empty()) failure.error.message = "the API server gave no reason";
    failure.error.message =
        fmt::format("{}{}{}: {}", failure.status, failure.reason.empty() ? "" : " ", failure.reason, failure.error.message);
    failure.error.code = code_of(failure.status);
    failure.error.where = std::move(where);
    return failure;
}

// One call of the API.
struct ApiCall {
    std::string_view method = "GET";
    std::string_view path = {};
    std::string query = {};  // with its '?'
    std::string_view body = {};
    std::string_view content_type = "application/json";
    std::stop_token stop = {};
    const http::StreamHandlers* stream = nullptr;

    std::string where() const { return fmt::format("{} {}", method, path); }
};

bool is_path(std::string_view path) {
    return path.starts_with('/') && std::all_of(path.begin(), path.end(), [](char letter) {
               return letter > 0x20 && letter < 0x7f && letter != '?' && letter != '#';
           });
}

std::string_view content_type_of(PatchKind kind) {
    switch (kind) {
        case PatchKind::merge: return "application/merge-patch+json";
        case PatchKind::json: return "application/json-patch+json";
        case PatchKind::apply: return "application/apply-patch+yaml";
    }
    return {};
}

std::string query_of(const WriteOptions& options) {
    std::string query;
    add_query(query, "fieldManager", options.field_manager);
    if (options.mode == RunMode::dry) add_query(query, "dryRun", "All");
    return query;
}

std::optional<WatchEvent> event_of(std::string_view type) {
    if (type == "ADDED") return WatchEvent::added;
    if (type == "MODIFIED") return WatchEvent::modified;
    if (type == "DELETED") return WatchEvent::deleted;
    if (type == "BOOKMARK") return WatchEvent::bookmark;
    return std::nullopt;
}

}  // namespace

class ApiClient::Impl {
public:
    Impl(ClientConfig config, ApiClientOptions options) : config_(std::move(config)), options_(options), reader_(options.limits) {}

    const ClientConfig& config() const { return config_; }

    // An answer of 2xx; everything else is a failure.
    Answer<http::ClientResponse> send(const ApiCall& call) {
        if (!is_path(call.path)) return fail_call({Errc::invalid_argument, "is no path of the API", call.where()});
        auto identity = config_.credentials->identity(call.stop);
        if (!identity) return fail_call(identity.error());
        auto response = send_as(*identity, call);
        if (response && response->status == 401) {
            config_.credentials->refused(*identity);
            auto fresh = config_.credentials->identity(call.stop);
            if (fresh && *fresh != *identity) response = send_as(*fresh, call);
        }
        if (!response) {
            Error error = response.error();
            error.where = call.where();
            return fail_call(std::move(error));
        }
        if (response->status / 100 != 2) return tl::unexpected(refused(*response, call));
        return std::move(*response);
    }

    Answer<Json> ask(const ApiCall& call) {
        const auto response = send(call);
        if (!response) return tl::unexpected(response.error());
        auto json = read(response->body);
        if (!json) return fail_call({json.error().code, "the answer is no usable JSON: " + json.error().message, call.where()});
        return *json;
    }

    Answer<std::string> list(std::string_view collection, const ListOptions& options, const ListHandlers& handlers, std::stop_token stop) {
        std::string next;
        for (int restarts = 0;;) {
            auto page = list_page(collection, options, next, handlers, stop);
            if (!page && page.error().expired() && !next.empty() && restarts < kListRestartsMax) {
                ++restarts;
                next.clear();
                continue;
            }
            if (!page) return tl::unexpected(page.error());
            if (page->next.empty()) return page->resource_version;
            if (page->next == next)
                return fail_call({Errc::peer, "the list never ends: the same continue token twice", get_of(collection)});
            next = std::move(page->next);
        }
    }

    Answer<void> watch(std::string_view collection, const WatchOptions& options, const WatchHandlers& handlers, std::stop_token stop) {
        std::optional<Failure> failure;
        PieceHandlers pieces{};
        pieces.piece = [&](std::string_view line) {
            if (!failure) failure = take_event(line, collection, handlers);
        };
        pieces.too_large = [&](std::string_view beginning) { pass_over(beginning, 2, collection, handlers.passed_over); };
        LineSplitter lines(options_.object_bytes_max + kEventFrameBytes, std::move(pieces));
        http::StreamHandlers stream{};
        stream.opened = handlers.opened;
        stream.on_bytes = [&](std::string_view bytes) {
            lines.feed(bytes);
            return !failure;
        };
        stream.idle_timeout = options_.watch_idle_timeout;

        ApiCall call{};
        call.path = collection;
        add_query(call.query, "watch", "true");
        add_query(call.query, "allowWatchBookmarks", "true");
        add_query(call.query, "resourceVersion", options.resource_version);
        add_query(call.query, "labelSelector", options.label_selector);
        add_query(call.query, "timeoutSeconds", std::to_string(options.timeout.count()));
        call.stop = std::move(stop);
        call.stream = &stream;
        const auto response = send(call);
        if (failure) return tl::unexpected(*failure);
        if (!response) return tl::unexpected(response.error());
        if (lines.holds_bytes()) return fail_call({Errc::peer, "the watch broke off in the middle of an event", call.where()});
        return {};
    }

private:
    struct Page {
        std::string next{};
        std::string resource_version{};
    };

    static std::string get_of(std::string_view path) { return fmt::format("GET {}", path); }

    Result<http::ClientResponse> send_as(const Identity& identity, const ApiCall& call) {
        connect_as(identity);
        http::ClientRequest request{};
        const std::string target = fmt::format("{}{}{}", config_.path_prefix, call.path, call.query);
        request.method = call.method;
        request.target = target;
        request.body = call.body;
        request.content_type = call.content_type;
        request.headers = {{"Accept", "application/json"}, {"User-Agent", std::string(kUserAgent)}};
        if (!identity.bearer_token.empty()) request.headers.emplace_back("Authorization", "Bearer " + identity.bearer_token);
        request.stop = call.stop;
        return call.stream == nullptr ? client_->exchange(request) : client_->stream(request, *call.stream);
    }

    // A connection proves its certificate once, so another certificate needs another connection.
    void connect_as(const Identity& identity) {
        if (client_ && identity.certificate_chain_pem == certificate_chain_pem_) return;
        http::ClientOptions options{};
        options.address = config_.host;
        options.port = config_.port;
        options.tls = config_.tls;
        options.server_name = config_.server_name;
        options.ca_pem = config_.ca_pem;
        options.system_roots = config_.ca_pem.empty();
        options.timeout = options_.timeout;
        options.certificate_chain_pem = identity.certificate_chain_pem;
        options.private_key_pem = identity.private_key_pem;
        options.response_bytes_max = options_.object_bytes_max;
        client_.emplace(std::move(options));
        certificate_chain_pem_ = identity.certificate_chain_pem;
    }

    Failure refused(const http::ClientResponse& response, const ApiCall& call) {
        const auto status = read(response.body);
        Failure failure = failure_of(response.status, status ? *status : Json{}, call.where());
        failure.status = response.status;
        if (const auto after = seconds_of(header(response, "retry-after")); after.count() > 0) failure.retry_after = after;
        return failure;
    }

    // The value is valid until the next `read`.
    Result<Json> read(std::string_view text) {
        text_.reserve(text.size() + kJsonSlack);
        text_.assign(text);
        return reader_.read(text_);
    }

    void pass_over(std::string_view beginning, std::size_t depth, std::string_view collection,
                   const std::function<void(const Failure&)>& tell) const {
        if (!tell) return;
        Failure failure{};
        failure.error = {
            Errc::too_large,
            fmt::format("{} has more than {} bytes and is passed over", name_in_beginning(beginning, depth), options_.object_bytes_max),
            get_of(collection)};
        tell(failure);
    }

    void take_item(std::string_view text, std::string_view collection, const ListHandlers& handlers) {
        const auto item = read(text);
        if (item) {
            if (handlers.item) handlers.item(*item);
            return;
        }
        Failure failure{};
        failure.error = {item.error().code,
                         fmt::format("{} cannot be read and is passed over: {}", name_in_beginning(text, 1), item.error().message),
                         get_of(collection)};
        if (handlers.passed_over) handlers.passed_over(failure);
    }

    Answer<Page> list_page(std::string_view collection, const ListOptions& options, const std::string& next, const ListHandlers& handlers,
                           const std::stop_token& stop) {
        PieceHandlers pieces{};
        pieces.piece = [&](std::string_view text) { take_item(text, collection, handlers); };
        pieces.too_large = [&](std::string_view beginning) { pass_over(beginning, 1, collection, handlers.passed_over); };
        ListSplitter splitter(options_.object_bytes_max, std::move(pieces));
        http::StreamHandlers stream{};
        if (next.empty()) stream.opened = handlers.begins;
        bool usable = true;
        stream.on_bytes = [&](std::string_view bytes) { return usable = splitter.feed(bytes); };
        stream.idle_timeout = options_.timeout;

        ApiCall call{};
        call.path = collection;
        add_query(call.query, "limit", std::to_string(options_.page_size));
        add_query(call.query, "continue", next);
        add_query(call.query, "labelSelector", options.label_selector);
        call.stop = stop;
        call.stream = &stream;
        const auto response = send(call);
        if (!response) return tl::unexpected(response.error());
        const auto envelope = read(splitter.envelope());
        if (!usable || !envelope) return fail_call({Errc::invalid_json, "the answer is no usable list", call.where()});
        const Json metadata = (*envelope)["metadata"];
        Page page{};
        page.next = metadata["continue"].text();
        page.resource_version = metadata["resourceVersion"].text();
        if (page.resource_version.empty()) {
            return fail_call({Errc::missing_field, "the answer is no list: metadata.resourceVersion is missing", call.where()});
        }
        return page;
    }

    std::optional<Failure> take_event(std::string_view line, std::string_view collection, const WatchHandlers& handlers) {
        const auto broken = [&](Errc code, std::string_view what) {
            Failure failure{};
            failure.error = {code, fmt::format("the watch sent {} about {}", what, name_in_beginning(line, 2)), get_of(collection)};
            return failure;
        };
        const auto json = read(line);
        if (!json) return broken(json.error().code, "what is no usable JSON");
        const Json object = (*json)["object"];
        if ((*json)["type"].text() == "ERROR") return failure_of(0, object, get_of(collection));
        const auto event = event_of((*json)["type"].text());
        if (!event || !object.is_object()) return broken(Errc::missing_field, "what is no event");
        if (handlers.event) handlers.event(*event, object);
        return std::nullopt;
    }

    ClientConfig config_;
    ApiClientOptions options_;
    JsonReader reader_;
    std::string text_;
    std::optional<http::Client> client_;
    std::string certificate_chain_pem_;
};

ApiClient::ApiClient(ClientConfig config, ApiClientOptions options) : impl_(std::make_unique<Impl>(std::move(config), options)) {}
ApiClient::~ApiClient() = default;
ApiClient::ApiClient(ApiClient&&) noexcept = default;
ApiClient& ApiClient::operator=(ApiClient&&) noexcept = default;

Answer<Json> ApiClient::get(std::string_view path, std::stop_token stop) {
    ApiCall call{};
    call.path = path;
    call.stop = std::move(stop);
    return impl_->ask(call);
}

Answer<Json> ApiClient::create(std::string_view collection, std::string_view object, const WriteOptions& options, std::stop_token stop) {
    ApiCall call{};
    call.method = "POST";
    call.path = collection;
    call.query = query_of(options);
    call.body = object;
    call.stop = std::move(stop);
    return impl_->ask(call);
}

Answer<Json> ApiClient::patch(std::string_view path, PatchKind kind, std::string_view patch, const WriteOptions& options,
                              std::stop_token stop) {
    ApiCall call{};
    call.method = "PATCH";
    call.path = path;
    call.query = query_of(options);
    if (kind == PatchKind::apply && options.conflicts == ConflictRule::force) add_query(call.query, "force", "true");
    call.body = patch;
    call.content_type = content_type_of(kind);
    call.stop = std::move(stop);
    return impl_->ask(call);
}

Answer<std::string> ApiClient::list(std::string_view collection, const ListOptions& options, const ListHandlers& handlers,
                                    std::stop_token stop) {
    return impl_->list(collection, options, handlers, std::move(stop));
}

Answer<void> ApiClient::watch(std::string_view collection, const WatchOptions& options, const WatchHandlers& handlers,
                              std::stop_token stop) {
    return impl_->watch(collection, options, handlers, std::move(stop));
}

Answer<void> ApiClient::probe(std::stop_token stop) {
    ApiCall call{};
    call.path = "/version";
    call.stop = std::move(stop);
    const auto response = impl_->send(call);
    if (response || response.error().status == 403) return {};
    return tl::unexpected(response.error());
}

const ClientConfig& ApiClient::config() const { return impl_->config(); }

}  // namespace fluxgate::kube::client
