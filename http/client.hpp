#pragma once

// A blocking HTTP/1.1 client over TLS or plain TCP, one keep-alive connection: for the demo, the tests, and under the client of
// the Kubernetes API (kube/client/). Not for the request path. No proxies, and no way to skip the check of a certificate.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace fluxgate::http {

struct ClientOptions {
    // A literal address, or a host name. A name is looked up for each connection, and each of its addresses is tried. The look-up
    // itself is the system's: it ends with the time of resolv.conf, not with `timeout`.
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;
    bool tls = true;
    std::string server_name = {};  // SNI, and the DNS name (or literal IP address) the certificate must carry
    std::string ca_pem = {};       // the only trusted roots, unless `system_roots`
    // For each exchange from the look-up to the last byte, however steadily they come. Addresses of a name share it.
    std::chrono::milliseconds timeout{5'000};
    bool system_roots = false;               // trust what the machine trusts, instead of `ca_pem`
    std::string certificate_chain_pem = {};  // who we are to a server that asks; empty: nobody
    std::string private_key_pem = {};
    std::size_t response_bytes_max = 64u << 20;  // of a body that is collected
};

using ClientHeaders = std::vector<std::pair<std::string, std::string>>;

struct ClientRequest {
    std::string_view method = "GET";
    std::string_view target = "/";
    std::string_view body = {};
    std::string_view content_type = "application/json";
    ClientHeaders headers = {};
    std::stop_token stop = {};  // stopping it ends the call from any thread, with the error `peer`
};

struct ClientResponse {
    int status = 0;
    std::string body;
    ClientHeaders headers;  // names in lower case
    bool close = false;     // the server ends this connection
};

// How a body is taken while it comes. Only bodies of 2xx answers are; others are collected in the response.
struct StreamHandlers {
    std::function<void()> opened = {};                    // the header of a 2xx answer is here
    std::function<bool(std::string_view)> on_bytes = {};  // false: enough, the call ends well
    std::chrono::milliseconds idle_timeout{60'000};       // the longest silence within the body
};

// A resource for one thread at a time. Reconnects on the next `exchange` after the server closed; never repeats a
// request by itself, as kube-apiserver does not.
class Client {
public:
    explicit Client(ClientOptions options);
    ~Client();
    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;

    // Errors: peer (cannot connect, closed, broken answer, certificate not trusted, stopped), deadline_exceeded, too_large,
    // invalid_certificate (our own pair or the roots).
    Result<ClientResponse> exchange(const ClientRequest& request);
    Result<ClientResponse> exchange(std::string_view method, std::string_view target, std::string_view body,
                                    std::string_view content_type = "application/json");

    // The same, with `timeout` until the header of the answer, and then no end but the server's, ours or silence. The response
    // carries no body if it went to `on_bytes`. A body that breaks off is an error.
    Result<ClientResponse> stream(const ClientRequest& request, const StreamHandlers& handlers);

    // True while the last connection can be used again.
    bool connected() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fluxgate::http
