#pragma once

// An API server that says exactly what a test tells it to, byte for byte, and a pace that never sleeps.

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "kube/client/api_client.hpp"
#include "kube/client/pace.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/loopback.hpp"

namespace fluxgate::kube::client::testing {

using namespace std::chrono_literals;

// Long enough for a busy machine; no passing test waits for it.
inline constexpr auto kSoon = 20'000ms;

struct SeenRequest {
    std::string method;
    std::string target;
    std::string head;  // the request line and all header lines
    std::string body;

    bool asks(std::string_view part) const { return target.find(part) != std::string::npos; }
    bool is_watch() const { return asks("watch=true"); }
    bool says(std::string_view line) const { return head.find(std::string(line) + "\r\n") != std::string::npos; }
};

// The server's side of one connection.
class Peer {
public:
    explicit Peer(int descriptor) : descriptor_(descriptor) {}

    void send(std::string_view bytes) const {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    void answer(int status, std::string_view body, std::string_view more_fields = "") const {
        send("HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: application/json\r\nContent-Length: " +
             std::to_string(body.size()) + "\r\n" + std::string(more_fields) + "\r\n" + std::string(body));
    }
    void begin_stream() const { send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"); }
    void chunk(std::string_view bytes) const {
        char size[32];
        std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
        send(std::string(size) + std::string(bytes) + "\r\n");
    }
    void end_stream() const { send("0\r\n\r\n"); }
    // A whole watch that ends in the ordinary way.
    void stream(const std::vector<std::string>& chunks) const {
        begin_stream();
        for (const std::string& bytes : chunks) chunk(bytes);
        end_stream();
    }
    void close() { ::shutdown(descriptor_, SHUT_RDWR); }
    // Until the client goes away.
    void wait_for_close() const {
        char byte = 0;
        while (::recv(descriptor_, &byte, 1, 0) > 0) {
        }
    }

private:
    int descriptor_;
};

// Plain TCP on a free port; one connection after the other. `script` runs on the server's thread.
class FakeApi {
public:
    using Script = std::function<void(const SeenRequest&, Peer&)>;

    explicit FakeApi(Script script) : script_(std::move(script)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        port_ = fluxgate::testing::listen_on_loopback(listener_);
        thread_ = std::thread([this] { serve(); });
    }
    FakeApi(const FakeApi&) = delete;
    FakeApi& operator=(const FakeApi&) = delete;
    ~FakeApi() {
        {
            std::lock_guard lock(mutex_);
            stopping_ = true;
            ::shutdown(listener_, SHUT_RDWR);
            if (connection_ >= 0) ::shutdown(connection_, SHUT_RDWR);
        }
        thread_.join();
        ::close(listener_);
    }

    std::uint16_t port() const { return port_; }
    std::vector<SeenRequest> requests() const {
        std::lock_guard lock(mutex_);
        return requests_;
    }

    ClientConfig config(std::unique_ptr<Credentials> credentials = fixed_credentials({})) const {
        ClientConfig config{};
        config.host = "127.0.0.1";
        config.port = port_;
        config.tls = false;
        config.credentials = std::move(credentials);
        return config;
    }
    ApiClient client(ApiClientOptions options = {}) const {
        options.timeout = kSoon;
        return ApiClient(config(), options);
    }

private:
    void serve() {
        for (;;) {
            const int connection = ::accept(listener_, nullptr, nullptr);
            {
                std::lock_guard lock(mutex_);
                if (connection < 0 || stopping_) {
                    if (connection >= 0) ::close(connection);
                    return;
                }
                connection_ = connection;
            }
            converse(connection);
            std::lock_guard lock(mutex_);
            connection_ = -1;
            ::close(connection);
        }
    }
    void converse(int connection) {
        std::string received;
        char chunk[16'384];
        Peer peer(connection);
        for (;;) {
            while (const auto request = cut(received)) {
                {
                    std::lock_guard lock(mutex_);
                    requests_.push_back(*request);
                }
                script_(*request, peer);
            }
            const ssize_t got = ::recv(connection, chunk, sizeof chunk, 0);
            if (got <= 0) return;
            received.append(chunk, static_cast<std::size_t>(got));
        }
    }
    static std::optional<SeenRequest> cut(std::string& received) {
        const std::size_t end = received.find("\r\n\r\n");
        if (end == std::string::npos) return std::nullopt;
        SeenRequest request;
        request.head = received.substr(0, end + 2);
        std::size_t length = 0;
        if (const auto at = request.head.find("Content-Length: "); at != std::string::npos)
            length = std::stoul(request.head.substr(at + 16));
        if (received.size() < end + 4 + length) return std::nullopt;
        request.body = received.substr(end + 4, length);
        received.erase(0, end + 4 + length);
        const std::size_t space = request.head.find(' ');
        request.method = request.head.substr(0, space);
        request.target = request.head.substr(space + 1, request.head.find(' ', space + 1) - space - 1);
        return request;
    }

    Script script_;
    int listener_;
    std::uint16_t port_ = 0;
    mutable std::mutex mutex_;
    std::vector<SeenRequest> requests_;
    int connection_ = -1;
    bool stopping_ = false;
    std::thread thread_;
};

// Remembers how long it was asked to wait. Any thread may move its time on.
class TestPace final : public Pace {
public:
    std::chrono::steady_clock::time_point now() override {
        std::lock_guard lock(mutex_);
        return now_;
    }
    void pause(std::chrono::milliseconds time, const std::stop_token&) override {
        {
            std::lock_guard lock(mutex_);
            now_ += time;
            pauses_.push_back(time);
        }
        if (on_pause) on_pause(pauses_.size());
    }
    double chance() override { return luck; }

    void advance(std::chrono::milliseconds time) {
        std::lock_guard lock(mutex_);
        now_ += time;
    }
    std::vector<std::chrono::milliseconds> pauses() const {
        std::lock_guard lock(mutex_);
        return pauses_;
    }

    std::function<void(std::size_t)> on_pause = {};
    double luck = 0;

private:
    mutable std::mutex mutex_;
    std::chrono::steady_clock::time_point now_{};
    std::vector<std::chrono::milliseconds> pauses_;
};

class TestClock final : public Clock {
public:
    WallTime now() const override { return wall; }
    std::chrono::steady_clock::time_point steady() const override { return std::chrono::steady_clock::time_point{} + since; }
    void advance(std::chrono::seconds time) {
        wall += time;
        since += time;
    }

    WallTime wall = parse_rfc3339("2026-12-05T02:00:00Z").value();
    std::chrono::seconds since{0};
};

// A folder that goes away with the test.
class TestFolder {
public:
    TestFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "fluxgate-client-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path_ = pattern;
    }
    TestFolder(const TestFolder&) = delete;
    TestFolder& operator=(const TestFolder&) = delete;
    ~TestFolder() { std::filesystem::remove_all(path_); }

    std::string path(const std::string& name) const { return path_ + "/" + name; }
    std::string write(const std::string& name, std::string_view text) const {
        std::ofstream(path(name), std::ios::binary) << text;
        return path(name);
    }
    std::string write_script(const std::string& name, const std::string& lines) const {
        write(name, "#!/bin/sh\n" + lines);
        std::filesystem::permissions(path(name), std::filesystem::perms::owner_all);
        return path(name);
    }

private:
    std::string path_;
};

inline std::string status_text(int code, const std::string& reason, const std::string& message) {
    return R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":")" + message + R"(","reason":")" + reason +
           R"(","code":)" + std::to_string(code) + "}";
}
inline std::string object_text(const std::string& name, const std::string& version, const std::string& more = "") {
    return R"({"metadata":{"name":")" + name + R"(","resourceVersion":")" + version + R"("})" + more + "}";
}
inline std::string list_text(const std::vector<std::string>& items, const std::string& version, const std::string& next = "") {
    std::string text = R"({"kind":"NamespaceList","apiVersion":"v1","metadata":{"resourceVersion":")" + version + "\"";
    if (!next.empty()) text += R"(,"continue":")" + next + R"(","remainingItemCount":3)";
    text += R"(},"items":[)";
    for (std::size_t index = 0; index < items.size(); ++index) text += (index == 0 ? "" : ",") + items[index];
    return text + "]}\n";
}
inline std::string event_text(const std::string& type, const std::string& object) {
    return R"({"type":")" + type + R"(","object":)" + object + "}\n";
}

}  // namespace fluxgate::kube::client::testing
