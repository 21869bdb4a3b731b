#pragma once

// How we speak TLS, as an immutable OpenSSL context: which versions, ciphers and keys. Connections keep the context they
// started with, so a new certificate is a new context swapped in beside the old one.

#include <memory>
#include <string>

#include "base/error.hpp"
#include "http/server.hpp"

struct ssl_ctx_st;  // OpenSSL's SSL_CTX
struct ssl_st;      // OpenSSL's SSL

namespace fluxgate::http {

// Whom a client trusts, and who it is to a server that asks.
struct ClientTrust {
    std::string ca_pem = {};    // the only trusted roots, unless `system_roots`
    bool system_roots = false;  // what the machine trusts (SSL_CERT_FILE, or the folder of the distribution)
    TlsIdentity identity = {};  // both texts empty: nobody
};

// Any number of threads may share one.
class TlsContext {
public:
    // Error: invalid_certificate, saying which half of the pair is wrong.
    static Result<std::shared_ptr<const TlsContext>> for_server(const TlsIdentity& identity);

    // Error: invalid_certificate.
    static Result<std::shared_ptr<const TlsContext>> for_client(const ClientTrust& trust);
    // Trusts only `ca_pem`.
    static Result<std::shared_ptr<const TlsContext>> for_client(const std::string& ca_pem);

    ssl_ctx_st* native() const { return context_.get(); }

private:
    struct Free {
        void operator()(ssl_ctx_st* context) const;
    };
    using Pointer = std::unique_ptr<ssl_ctx_st, Free>;
    explicit TlsContext(Pointer context) : context_(std::move(context)) {}
    Pointer context_;
};

// The oldest reason in this thread's OpenSSL error queue, and an empty queue afterwards.
std::string openssl_reason();

}  // namespace fluxgate::http
