#pragma once

// Bytes over a non-blocking socket, with or without TLS. Never waits: every call says what to wait for instead, so the
// server (Asio) and the client (poll) can each wait in their own way.
//
// OpenSSL works on the descriptor itself, not on Asio's ssl::stream: that one copies every byte through a second pair of
// buffers and keeps 70 kB for each idle connection.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "http/tls_context.hpp"

namespace fluxgate::http {

enum class Io { done, want_read, want_write, closed, failed };

struct Transfer {
    Io io = Io::failed;
    std::size_t bytes = 0;  // with Io::done, more than zero
};

// One thread at a time. Does not own the descriptor.
class Wire {
public:
    explicit Wire(int descriptor) : descriptor_(descriptor) {}
    Wire(Wire&& other) noexcept;
    Wire& operator=(Wire&&) = delete;
    ~Wire();

    // From here on everything goes through TLS. False when OpenSSL has no memory.
    bool accept_tls(const TlsContext& context);
    // `name`: a DNS name or literal IP address; sent as SNI where allowed, and the certificate must carry it.
    bool connect_tls(const TlsContext& context, const std::string& name);

    Io handshake();
    Transfer read(char* to, std::size_t size);
    Transfer write(std::string_view bytes);
    // Tells the peer that nothing follows: close_notify, then FIN.
    void finish();
    // Throws away what the peer still sends, without decrypting it.
    Transfer discard();
    // Gives back OpenSSL's memory; the descriptor stays open.
    void release_tls();

    // Bytes that were received but not read yet: waiting for the descriptor would miss them.
    bool holds_bytes() const;
    // Why the last call failed, in a few words.
    const std::string& reason() const { return reason_; }

private:
    Io outcome(int result);

    int descriptor_;
    ssl_st* tls_ = nullptr;
    std::string reason_;
};

}  // namespace fluxgate::http
