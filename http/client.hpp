#pragma once

// A small blocking HTTP/1.1 client over TLS or plain TCP, one keep-alive connection: for the demo, the tests and
// whoever asks a neighbour one question. Not for the request path.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace fluxgate::http {

struct ClientOptions {
    std::string address = "127.0.0.1";  // literal address to connect to
    std::uint16_t port = 0;
    bool tls = true;
    std::string server_name = {};              // SNI, and the DNS name (or literal IP address) the certificate must carry
    std::string ca_pem = {};                   // the only trusted roots
    std::chrono::milliseconds timeout{5'000};  // for connecting, and for each exchange
};

struct ClientResponse {
    int status = 0;
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
    bool close = false;                                        // the server ends this connection
};

// A resource for one thread at a time. Reconnects on the next `exchange` after the server closed; never repeats a
// request by itself, as kube-apiserver does not.
class Client {
public:
    explicit Client(ClientOptions options);
    ~Client();
    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;

    // Errors: peer (cannot connect, closed, broken answer, certificate not trusted), deadline_exceeded.
    Result<ClientResponse> exchange(std::string_view method, std::string_view target, std::string_view body,
                                    std::string_view content_type = "application/json");

    // True while the last connection can be used again.
    bool connected() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fluxgate::http
