#include "http/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <string_view>

namespace fluxgate::http {

namespace {

// Larger than one TLS record: an 18 kB review then costs one system call, not one per record header and body.
constexpr std::size_t kReadAheadBytes = 36u << 10;

struct FreeBio {
    void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeCertificate {
    void operator()(X509* certificate) const { X509_free(certificate); }
};
struct FreeKey {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using BioPtr = std::unique_ptr<BIO, FreeBio>;
using CertificatePtr = std::unique_ptr<X509, FreeCertificate>;
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeKey>;

BioPtr reader(const std::string& pem) { return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }

tl::unexpected<Error> invalid(std::string_view what) {
    return fail(Errc::invalid_certificate, std::string(what) + ": " + openssl_reason());
}

SSL_CTX* make_context(const SSL_METHOD* method) {
    SSL_CTX* context = SSL_CTX_new(method);
    if (context == nullptr) return nullptr;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
    // Without RELEASE_BUFFERS each idle connection would hold 50 kB.
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, kReadAheadBytes);
    SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
    // 128 bits first, as Go does: a third cheaper per byte and not the weak link.
    SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
    return context;
}

// kube-apiserver offers h2 too. A client that offers nothing we know continues without ALPN and finds out by itself:
// failing the handshake would turn a misconfigured probe into a puzzle.
int select_http11(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered, unsigned int offered_size,
                  void*) {
    static constexpr std::string_view kHttp11 = "http/1.1";
    for (unsigned int at = 0; at < offered_size;) {
        const unsigned int size = offered[at];
        if (at + 1 + size > offered_size) break;
        if (std::string_view(reinterpret_cast<const char*>(offered + at + 1), size) == kHttp11) {
            *out = offered + at + 1;
            *out_size = static_cast<unsigned char>(size);
            return SSL_TLSEXT_ERR_OK;
        }
        at += 1 + size;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

Result<void> use_identity(SSL_CTX* context, const TlsIdentity& identity) {
    const BioPtr chain = reader(identity.certificate_chain_pem);
    const CertificatePtr leaf(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
    if (!leaf) return invalid("the certificate is not readable PEM (-----BEGIN CERTIFICATE-----)");
    if (SSL_CTX_use_certificate(context, leaf.get()) != 1) return invalid("the certificate cannot be used");
    while (X509* link = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr)) {
        if (SSL_CTX_add0_chain_cert(context, link) != 1) {
            X509_free(link);
            return invalid("a certificate of the chain cannot be used");
        }
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) return invalid("a certificate of the chain is not readable PEM");
    ERR_clear_error();

    const BioPtr key_text = reader(identity.private_key_pem);
    // Without a callback OpenSSL would ask for a passphrase on the terminal.
    const auto no_passphrase = [](char*, int, int, void*) { return -1; };
    const KeyPtr key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, no_passphrase, nullptr));
    if (!key) return invalid("the private key is not readable PEM without a passphrase (-----BEGIN PRIVATE KEY-----)");
    if (X509_check_private_key(leaf.get(), key.get()) != 1) {
        ERR_clear_error();
        return fail(Errc::invalid_certificate,
                    "the private key does not belong to the certificate: both files must come from the same renewal");
    }
    if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) return invalid("the private key cannot be used");
    return {};
}

Result<void> trust_only(SSL_CTX* context, const std::string& ca_pem) {
    const BioPtr roots = reader(ca_pem);
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    int count = 0;
    while (const CertificatePtr root{PEM_read_bio_X509(roots.get(), nullptr, nullptr, nullptr)}) {
        if (X509_STORE_add_cert(store, root.get()) != 1) return invalid("a trusted certificate cannot be used");
        ++count;
    }
    if (count == 0) return invalid("the trusted certificates are not readable PEM (-----BEGIN CERTIFICATE-----)");
    ERR_clear_error();
    return {};
}

Result<void> trust_the_machine(SSL_CTX* context) {
    if (SSL_CTX_set_default_verify_paths(context) != 1) return invalid("the trusted certificates of this machine cannot be read");
    ERR_clear_error();
    return {};
}

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

Result<std::shared_ptr<const TlsContext>> TlsContext::for_server(const TlsIdentity& identity) {
    ERR_clear_error();
    Pointer context(make_context(TLS_server_method()));
    if (!context) return fail(Errc::internal, "OpenSSL cannot make a TLS context: " + openssl_reason());
    SSL_CTX_set_alpn_select_cb(context.get(), select_http11, nullptr);

    if (auto used = use_identity(context.get(), identity); !used) return tl::unexpected(used.error());
    return std::shared_ptr<const TlsContext>(new TlsContext(std::move(context)));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::for_client(const ClientTrust& trust) {
    ERR_clear_error();
    Pointer context(make_context(TLS_client_method()));
    if (!context) return fail(Errc::internal, "OpenSSL cannot make a TLS context: " + openssl_reason());
    const auto trusted = trust.system_roots ? trust_the_machine(context.get()) : trust_only(context.get(), trust.ca_pem);
    if (!trusted) return tl::unexpected(trusted.error());
    if (!trust.identity.certificate_chain_pem.empty() || !trust.identity.private_key_pem.empty()) {
        if (auto used = use_identity(context.get(), trust.identity); !used) return tl::unexpected(used.error());
    }
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    return std::shared_ptr<const TlsContext>(new TlsContext(std::move(context)));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::for_client(const std::string& ca_pem) {
    ClientTrust trust{};
    trust.ca_pem = ca_pem;
    return for_client(trust);
}

std::string openssl_reason() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    if (code == 0) return "unknown reason";
    const char* reason = ERR_reason_error_string(code);
    return reason == nullptr ? "OpenSSL error " + std::to_string(code) : reason;
}

}  // namespace fluxgate::http
