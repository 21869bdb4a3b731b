#include "kube/client/api_client.hpp"

#include <optional>
#include <string>
#include <vector>

#include "certs/authority.hpp"
#include "http/server.hpp"
#include "tests/unit/kube/client/support.hpp"

using namespace fluxgate;
using namespace fluxgate::kube;
using namespace fluxgate::kube::client;
using namespace fluxgate::kube::client::testing;

namespace {

const std::string kNamespaces = "/api/v1/namespaces";

// What a list or a watch showed, in order.
struct Seen {
    std::vector<std::string> lines;
    ListHandlers list() {
        return {.begins = [this] { lines.emplace_back("begins"); },
                .item = [this](Json item) { lines.emplace_back(item["metadata"]["name"].text()); },
                .passed_over = [this](const Failure& failure) { lines.push_back(failure.error.message); }};
    }
    WatchHandlers watch() {
        return {.opened = [this] { lines.emplace_back("opened"); },
                .event =
                    [this](WatchEvent event, Json object) {
                        const char* names[] = {"+", "~", "-", "="};
                        lines.push_back(names[static_cast<int>(event)] + std::string(object["metadata"]["name"].text()));
                    },
                .passed_over = [this](const Failure& failure) { lines.push_back(failure.error.message); }};
    }
};

}  // namespace

TEST_CASE("a call says who it is, what it wants, and in which form") {
    struct Row {
        std::string name;
        std::function<Answer<Json>(ApiClient&)> call;
        std::string request_line;
        std::string content_type;
        std::string body;
    };
    const std::vector<Row> rows{
        {"get", [](ApiClient& api) { return api.get("/api/v1/namespaces/shop"); }, "GET /prefix/api/v1/namespaces/shop HTTP/1.1", "", ""},
        {"create", [](ApiClient& api) { return api.create("/api/v1/namespaces", "{\"a\":1}"); },
         "POST /prefix/api/v1/namespaces?fieldManager=fluxgate HTTP/1.1", "application/json", "{\"a\":1}"},
        {"merge patch", [](ApiClient& api) { return api.patch("/x", PatchKind::merge, "{}"); },
         "PATCH /prefix/x?fieldManager=fluxgate HTTP/1.1", "application/merge-patch+json", "{}"},
        {"JSON patch", [](ApiClient& api) { return api.patch("/x", PatchKind::json, "[]"); },
         "PATCH /prefix/x?fieldManager=fluxgate HTTP/1.1", "application/json-patch+json", "[]"},
        {"apply", [](ApiClient& api) { return api.patch("/x", PatchKind::apply, "{}", {.field_manager = "a b&c"}); },
         "PATCH /prefix/x?fieldManager=a%20b%26c HTTP/1.1", "application/apply-patch+yaml", "{}"},
        {"apply by force, as a dry run",
         [](ApiClient& api) { return api.patch("/x", PatchKind::apply, "{}", {.conflicts = ConflictRule::force, .mode = RunMode::dry}); },
         "PATCH /prefix/x?fieldManager=fluxgate&dryRun=All&force=true HTTP/1.1", "application/apply-patch+yaml", "{}"},
        {"force means nothing to a merge patch",
         [](ApiClient& api) { return api.patch("/x", PatchKind::merge, "{}", {.conflicts = ConflictRule::force}); },
         "PATCH /prefix/x?fieldManager=fluxgate HTTP/1.1", "application/merge-patch+json", "{}"},
    };
    FakeApi server([](const SeenRequest&, Peer& peer) { peer.answer(200, object_text("shop", "7")); });
    ClientConfig config = server.config(fixed_credentials({.bearer_token = "secret"}));
    config.path_prefix = "/prefix";
    ApiClient api(std::move(config));
    for (const Row& row : rows) {
        INFO(row.name);
        const auto answer = row.call(api);
        REQUIRE(answer.has_value());
        CHECK((*answer)["metadata"]["name"].text() == "shop");
        const SeenRequest request = server.requests().back();
        CHECK(request.says(row.request_line));
        CHECK(request.says("Authorization: Bearer secret"));
        CHECK(request.says("Accept: application/json"));
        CHECK(request.head.find("User-Agent: fluxgate/") != std::string::npos);
        CHECK(request.says("Content-Type: " + row.content_type) == !row.content_type.empty());
        CHECK(request.body == row.body);
    }
}

TEST_CASE("a refusal tells what was asked, the status and the reason") {
    struct Row {
        std::string name;
        int status;
        std::string body;
        std::string fields;
        std::string reason;
        std::string message;
        Errc code;
        int retry_after;
    };
    const std::vector<Row> rows{
        {"forbidden", 403, status_text(403, "Forbidden", "user x cannot get y"), "", "Forbidden", "403 Forbidden: user x cannot get y",
         Errc::peer, 0},
        {"not found", 404, status_text(404, "NotFound", "no"), "", "NotFound", "404 NotFound: no", Errc::peer, 0},
        {"a conflict", 409, status_text(409, "Conflict", "no"), "", "Conflict", "409 Conflict: no", Errc::peer, 0},
        {"expired", 410, status_text(410, "Expired", "no"), "", "Expired", "410 Expired: no", Errc::peer, 0},
        {"too many, with a header", 429, "slow down", "Retry-After: 7\r\n", "", "429: the API server gave no reason", Errc::overloaded, 7},
        {"too many, with a detail", 429,
         R"({"kind":"Status","reason":"TooManyRequests","message":"m","code":429,"details":{"retryAfterSeconds":9}})", "",
         "TooManyRequests", "429 TooManyRequests: m", Errc::overloaded, 9},
        {"a date instead of seconds", 503, "{}", "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "", "503: the API server gave no reason",
         Errc::overloaded, 0},
        {"a negative time", 503, R"({"kind":"Status","message":"m","details":{"retryAfterSeconds":-9}})", "", "", "503: m",
         Errc::overloaded, 0},
        {"a gateway's page", 502, "<html>", "", "", "502: the API server gave no reason", Errc::peer, 0},
        {"a timeout", 504, status_text(504, "Timeout", "late"), "", "Timeout", "504 Timeout: late", Errc::deadline_exceeded, 0},
        {"no body", 500, "", "", "", "500: the API server gave no reason", Errc::peer, 0},
        {"a redirect is not followed", 302, "", "Location: https://example.org\r\n", "", "302: the API server gave no reason", Errc::peer,
         0},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        FakeApi server([&](const SeenRequest&, Peer& peer) { peer.answer(row.status, row.body, row.fields); });
        ApiClient api = server.client();
        const auto answer = api.get("/api/v1/namespaces/shop");
        REQUIRE_FALSE(answer.has_value());
        CHECK(answer.error().status == row.status);
        CHECK(answer.error().reason == row.reason);
        CHECK(answer.error().error == Error{row.code, row.message, "GET /api/v1/namespaces/shop"});
        CHECK(answer.error().retry_after.count() == row.retry_after);
        CHECK(answer.error().expired() == (row.status == 410));
        CHECK(answer.error().not_found() == (row.status == 404));
        Seen seen;
        CHECK_FALSE(api.list(kNamespaces, {}, seen.list()).has_value());
        CHECK_FALSE(api.watch(kNamespaces, {}, seen.watch()).has_value());
        CHECK(seen.lines.empty());
    }
}

TEST_CASE("an answer that cannot be used is a failure that names the call") {
    struct Row {
        std::string name;
        std::string body;
        Errc code;
    };
    const std::vector<Row> rows{
        {"no JSON", "<html>", Errc::invalid_json},
        {"half of it", "{\"a\":", Errc::invalid_json},
        {"a key twice", R"({"a":1,"a":2})", Errc::duplicate_key},
        {"broken UTF-8", "{\"a\":\"\xff\"}", Errc::invalid_utf8},
        {"too large", "{\"a\":\"" + std::string(5'000, 'x') + "\"}", Errc::too_large},
        {"nothing", "", Errc::invalid_json},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        FakeApi server([&](const SeenRequest&, Peer& peer) { peer.answer(200, row.body); });
        ApiClient api = server.client({.object_bytes_max = 4'000});
        const auto answer = api.get("/x");
        REQUIRE_FALSE(answer.has_value());
        CHECK(answer.error().error.code == row.code);
        CHECK(answer.error().error.where == "GET /x");
        CHECK(answer.error().status == 0);
    }
    FakeApi server([](const SeenRequest&, Peer& peer) { peer.answer(200, "{}"); });
    ApiClient api = server.client();
    for (const std::string path : {"", "x", "/a b", "/a\r\nHost: b", "/a?b", "/a#b", "/\xc3\xbc"}) {
        INFO(path);
        const auto answer = api.get(path);
        REQUIRE_FALSE(answer.has_value());
        CHECK(answer.error().error.code == Errc::invalid_argument);
    }
    CHECK(server.requests().empty());
}

TEST_CASE("a list is read page by page, and over again when its pages expire") {
    struct Row {
        std::string name;
        std::vector<std::pair<int, std::string>> answers;
        std::vector<std::string> seen;
        std::string version;  // empty: a failure
    };
    const std::string gone = status_text(410, "Expired", "continue token is too old");
    const std::string a = object_text("a", "1");
    const std::string b = object_text("b", "2");
    const std::string c = object_text("c", "3");
    const std::vector<Row> rows{
        {"one page", {{200, list_text({a, b}, "9")}}, {"begins", "a", "b"}, "9"},
        {"nothing", {{200, list_text({}, "9")}}, {"begins"}, "9"},
        {"null items", {{200, R"({"metadata":{"resourceVersion":"9"},"items":null})"}}, {"begins"}, "9"},
        {"three pages",
         {{200, list_text({a}, "9", "t1")}, {200, list_text({b}, "9", "t2")}, {200, list_text({c}, "9")}},
         {"begins", "a", "b", "c"},
         "9"},
        {"gone in the middle",
         {{200, list_text({a}, "9", "t1")}, {410, gone}, {200, list_text({a}, "12", "t3")}, {200, list_text({c}, "12")}},
         {"begins", "a", "begins", "a", "c"},
         "12"},
        {"gone again and again",
         {{200, list_text({a}, "9", "t1")},
          {410, gone},
          {200, list_text({a}, "9", "t1")},
          {410, gone},
          {200, list_text({a}, "9", "t1")},
          {410, gone}},
         {"begins", "a", "begins", "a", "begins", "a"},
         ""},
        {"gone at once", {{410, gone}}, {}, ""},
        {"the same page for ever", {{200, list_text({a}, "9", "t")}, {200, list_text({a}, "9", "t")}}, {"begins", "a", "a"}, ""},
        {"an error in the middle", {{200, list_text({a}, "9", "t1")}, {500, "{}"}}, {"begins", "a"}, ""},
        {"no list", {{200, "{}"}}, {"begins"}, ""},
        {"no JSON", {{200, "<html>"}}, {"begins"}, ""},
        {"half a list", {{200, R"({"metadata":{"resourceVersion":"9"},"items":[{"metadata":{"name":"a"}})"}}, {"begins", "a"}, ""},
        {"items that are no objects", {{200, R"({"metadata":{"resourceVersion":"9"},"items":[1]})"}}, {"begins"}, ""},
        {"an item that is broken",
         {{200, list_text({a, R"({"metadata":{"name":"x"},"a":tru})", b}, "9")}},
         {"begins", "a", "x cannot be read and is passed over: ", "b"},
         "9"},
        {"an item that is too large",
         {{200, list_text({a, object_text("big", "4", R"(,"data":")" + std::string(300, 'x') + "\""), b}, "9")}},
         {"begins", "a", "big has more than 200 bytes and is passed over", "b"},
         "9"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        std::size_t next = 0;
        FakeApi server([&](const SeenRequest&, Peer& peer) {
            const auto& [status, body] = row.answers.at(std::min(next++, row.answers.size() - 1));
            peer.answer(status, body);
        });
        ApiClient api = server.client({.object_bytes_max = 200});
        Seen seen;
        const auto version = api.list(kNamespaces, {}, seen.list());
        CHECK(version.has_value() == !row.version.empty());
        if (version) CHECK(*version == row.version);
        REQUIRE(seen.lines.size() == row.seen.size());
        for (std::size_t index = 0; index < row.seen.size(); ++index) CHECK(seen.lines[index].starts_with(row.seen[index]));
        CHECK(server.requests().size() == row.answers.size());
    }
}

TEST_CASE("a list asks for pages, passes the token on, and selects by label") {
    FakeApi server([](const SeenRequest& request, Peer& peer) {
        peer.answer(200, request.asks("continue=") ? list_text({}, "9") : list_text({}, "9", "a+b/c="));
    });
    ApiClient api = server.client({.page_size = 50});
    REQUIRE(api.list(kNamespaces, {.label_selector = "a=b,c"}, {}).has_value());
    REQUIRE(server.requests().size() == 2);
    CHECK(server.requests()[0].target == "/api/v1/namespaces?limit=50&labelSelector=a%3Db%2Cc");
    CHECK(server.requests()[1].target == "/api/v1/namespaces?limit=50&continue=a%2Bb%2Fc%3D&labelSelector=a%3Db%2Cc");
}

TEST_CASE("a list of many megabytes passes through, one item at a time") {
    constexpr int kItems = 400;
    FakeApi server([](const SeenRequest&, Peer& peer) {
        peer.begin_stream();
        peer.chunk(R"({"metadata":{"resourceVersion":"9"},"items":[)");
        const std::string item = object_text("x", "1", R"(,"data":")" + std::string(200'000, 'x') + "\"");
        for (int index = 0; index < kItems; ++index) peer.chunk((index == 0 ? "" : ",") + item);
        peer.chunk("]}");
        peer.end_stream();
    });
    ApiClient api = server.client({.object_bytes_max = 300'000});
    int items = 0;
    ListHandlers handlers;
    handlers.item = [&](Json) { ++items; };
    const auto version = api.list(kNamespaces, {}, handlers);
    REQUIRE(version.has_value());
    CHECK(items == kItems);
}

TEST_CASE("a watch shows what happens, wherever the bytes are cut") {
    const std::string events = event_text("ADDED", object_text("ü", "1")) + event_text("MODIFIED", object_text("b", "2")) +
                               event_text("BOOKMARK", object_text("", "3")) + event_text("DELETED", object_text("c", "4"));
    for (const std::size_t step : {std::size_t{1}, std::size_t{5}, std::size_t{64}, events.size()}) {
        INFO(step << " bytes in a chunk");
        FakeApi server([&](const SeenRequest&, Peer& peer) {
            std::vector<std::string> chunks;
            for (std::size_t at = 0; at < events.size(); at += step) chunks.push_back(events.substr(at, step));
            peer.stream(chunks);
        });
        ApiClient api = server.client();
        Seen seen;
        REQUIRE(api.watch(kNamespaces, {.resource_version = "7", .timeout = 120s}, seen.watch()).has_value());
        CHECK(seen.lines == std::vector<std::string>{"opened", "+ü", "~b", "=", "-c"});
        CHECK(server.requests().back().target ==
              "/api/v1/namespaces?watch=true&allowWatchBookmarks=true&resourceVersion=7&timeoutSeconds=120");
    }
}

TEST_CASE("a watch that breaks says how, after what it showed") {
    struct Row {
        std::string name;
        std::vector<std::string> chunks;
        bool ends;  // false: the connection breaks instead
        std::vector<std::string> seen;
        std::optional<Errc> code;
        std::string reason;
    };
    const std::string a = event_text("ADDED", object_text("a", "1"));
    const std::string b = event_text("ADDED", object_text("b", "2"));
    const std::vector<Row> rows{
        {"it ends well", {a}, true, {"opened", "+a"}, std::nullopt, ""},
        {"it is cut between events", {a}, false, {"opened", "+a"}, Errc::peer, ""},
        {"it is cut within an event", {a, "{\"type\":"}, false, {"opened", "+a"}, Errc::peer, ""},
        {"it ends within an event", {a, "{\"type\":"}, true, {"opened", "+a"}, Errc::peer, ""},
        {"expired", {a, event_text("ERROR", status_text(410, "Expired", "too old")), b}, true, {"opened", "+a"}, Errc::peer, "Expired"},
        {"an error without a status", {event_text("ERROR", "{}")}, true, {"opened"}, Errc::peer, ""},
        {"no JSON", {a, "<html>\n", b}, true, {"opened", "+a"}, Errc::invalid_json, ""},
        {"an unknown event", {event_text("MOVED", object_text("a", "1"))}, true, {"opened"}, Errc::missing_field, ""},
        {"an event without object", {"{\"type\":\"ADDED\"}\n"}, true, {"opened"}, Errc::missing_field, ""},
        {"an object that is a text", {event_text("ADDED", "\"a\"")}, true, {"opened"}, Errc::missing_field, ""},
        {"an object that is too large",
         {event_text("MODIFIED", object_text("big", "4", R"(,"data":")" + std::string(900, 'x') + "\"")), b},
         true,
         {"opened", "big has more than 200 bytes and is passed over", "+b"},
         std::nullopt,
         ""},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        FakeApi server([&](const SeenRequest&, Peer& peer) {
            peer.begin_stream();
            for (const std::string& chunk : row.chunks) peer.chunk(chunk);
            row.ends ? peer.end_stream() : peer.close();
        });
        ApiClient api = server.client({.object_bytes_max = 200});
        Seen seen;
        const auto ended = api.watch(kNamespaces, {}, seen.watch());
        CHECK(seen.lines == row.seen);
        REQUIRE(ended.has_value() == !row.code.has_value());
        if (ended) continue;
        CHECK(ended.error().error.code == *row.code);
        CHECK(ended.error().reason == row.reason);
        CHECK(ended.error().error.where == "GET /api/v1/namespaces");
    }
}

TEST_CASE("a watch is open as soon as the server takes it, not when something happens") {
    FakeApi server([](const SeenRequest&, Peer& peer) {
        peer.begin_stream();
        peer.wait_for_close();
    });
    ApiClient api = server.client();
    std::stop_source stop;
    bool opened = false;
    WatchHandlers handlers;
    handlers.opened = [&] {
        opened = true;
        stop.request_stop();
    };
    CHECK_FALSE(api.watch(kNamespaces, {}, handlers, stop.get_token()).has_value());
    CHECK(opened);

    // The header has arrived, so silence is bounded by the time of the watch and not by that of an answer.
    ApiClient brief(server.config(), {.timeout = kSoon, .watch_idle_timeout = 50ms});
    const auto before = std::chrono::steady_clock::now();
    const auto ended = brief.watch(kNamespaces, {}, {});
    REQUIRE_FALSE(ended.has_value());
    CHECK(ended.error().error.code == Errc::deadline_exceeded);
    CHECK(std::chrono::steady_clock::now() - before < kSoon);
}

TEST_CASE("a silent watch is given up, and a running one stops when it is told to") {
    FakeApi server([](const SeenRequest&, Peer& peer) {
        peer.begin_stream();
        peer.chunk(event_text("ADDED", object_text("a", "1")));
        peer.wait_for_close();
    });
    ApiClient impatient(server.config(), {.timeout = kSoon, .watch_idle_timeout = 50ms});
    Seen seen;
    const auto silent = impatient.watch(kNamespaces, {}, seen.watch());
    REQUIRE_FALSE(silent.has_value());
    CHECK(silent.error().error.code == Errc::deadline_exceeded);
    CHECK(seen.lines == std::vector<std::string>{"opened", "+a"});

    ApiClient api = server.client();
    std::stop_source stop;
    std::thread stopper;
    WatchHandlers handlers;
    handlers.event = [&](WatchEvent, Json) { stopper = std::thread([&] { stop.request_stop(); }); };
    const auto before = std::chrono::steady_clock::now();
    CHECK_FALSE(api.watch(kNamespaces, {}, handlers, stop.get_token()).has_value());
    CHECK(std::chrono::steady_clock::now() - before < kSoon);
    stopper.join();
    CHECK_FALSE(api.get("/x", stop.get_token()).has_value());
    CHECK(server.requests().size() == 2);
}

TEST_CASE("after 401 the token is read again, and the call repeated once with another one only") {
    struct Row {
        std::string name;
        std::string second_token;
        int status;
        std::size_t requests;
    };
    const std::vector<Row> rows{
        {"the file holds a new one", "new", 200, 2}, {"the file holds the same", "old", 401, 1}, {"a third one", "third", 401, 2}};
    for (const Row& row : rows) {
        INFO(row.name);
        TestFolder folder;
        TestClock clock;
        const std::string file = folder.write("token", "old\n");
        FakeApi server([&](const SeenRequest& request, Peer& peer) {
            folder.write("token", row.second_token);
            request.says("Authorization: Bearer new") ? peer.answer(200, "{}") : peer.answer(401, status_text(401, "Unauthorized", "no"));
        });
        ApiClient api(server.config(token_file_credentials(file, {}, clock)));
        const auto answer = api.get("/x");
        CHECK((answer ? 200 : answer.error().status) == row.status);
        CHECK(server.requests().size() == row.requests);
    }
}

TEST_CASE("without credentials nothing is sent") {
    TestClock clock;
    FakeApi server([](const SeenRequest&, Peer& peer) { peer.answer(200, "{}"); });
    ApiClient api(server.config(token_file_credentials("/nowhere/token", {}, clock)));
    const auto answer = api.get("/x");
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().error.code == Errc::io);
    CHECK(answer.error().error.where == "/nowhere/token");
    CHECK(server.requests().empty());
}

TEST_CASE("the probe asks for the version, and a refusal of the right proves life") {
    const std::vector<std::pair<int, bool>> rows{{200, true}, {403, true}, {401, false}, {404, false}, {500, false}, {503, false}};
    for (const auto& [status, lives] : rows) {
        INFO(status);
        FakeApi server([status = status](const SeenRequest&, Peer& peer) { peer.answer(status, "{}"); });
        CHECK(server.client().probe().has_value() == lives);
        CHECK(server.requests().back().target == "/version");
    }
    std::optional<FakeApi> gone(std::in_place, [](const SeenRequest&, Peer&) {});
    ClientConfig config = gone->config();
    gone.reset();
    const auto answer = ApiClient(std::move(config)).probe();
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().error.code == Errc::peer);
}

TEST_CASE("over TLS only the right server is talked to") {
    const auto now = SystemClock().now();
    const auto authority = certs::make_authority("ours", now).value();
    const auto other = certs::make_authority("another", now).value();
    const auto leaf =
        certs::issue_server_certificate(authority, {.common_name = "api", .dns_names = {"kubernetes"}, .ip_addresses = {"127.0.0.1"}}, now)
            .value();
    auto server =
        http::Server::start({}, {leaf.certificate_pem, leaf.private_key_pem}, [](const http::Request& request, http::Reply reply) {
            reply.send({.status = request.path == "/version" ? 200 : 404, .body = "{}"});
        }).value();
    struct Row {
        std::string name;
        std::string ca;
        std::string server_name;
        bool works;
    };
    const std::vector<Row> rows{
        {"the address in its certificate", authority.certificate_pem, "", true},
        {"the name of the kubeconfig", authority.certificate_pem, "kubernetes", true},
        {"another name", authority.certificate_pem, "kubernetes.default", false},
        {"another authority", other.certificate_pem, "", false},
        {"the machine's authorities", "", "", false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        ClientConfig config{};
        config.host = "127.0.0.1";
        config.port = server->port();
        config.ca_pem = row.ca;
        config.server_name = row.server_name;
        config.credentials = fixed_credentials({});
        const auto answer = ApiClient(std::move(config)).probe();
        REQUIRE(answer.has_value() == row.works);
        if (row.works) continue;
        CHECK(answer.error().error.code == Errc::peer);
        CHECK(answer.error().error.message.find("verify failed") != std::string::npos);
        CHECK(answer.error().error.where == "GET /version");
    }
}
