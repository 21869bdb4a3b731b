#include "http/wire.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <system_error>

namespace fluxgate::http {

namespace {

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }
std::string describe(int error) { return std::system_category().message(error); }

// OpenSSL's own socket BIO uses write(2), which raises SIGPIPE when the peer is gone.
int bio_write(BIO* bio, const char* data, int size) {
    BIO_clear_retry_flags(bio);
    ssize_t sent = 0;
    do {
        sent = ::send(static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio))), data, static_cast<std::size_t>(size),
                      MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && would_block(errno)) BIO_set_retry_write(bio);
    return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* data, int size) {
    BIO_clear_retry_flags(bio);
    ssize_t received = 0;
    do {
        received = ::recv(static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio))), data, static_cast<std::size_t>(size), 0);
    } while (received < 0 && errno == EINTR);
    if (received < 0 && would_block(errno)) BIO_set_retry_read(bio);
    if (received == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return static_cast<int>(received);
}

long bio_control(BIO* bio, int command, long, void*) {
    switch (command) {
        case BIO_CTRL_FLUSH: return 1;
        case BIO_CTRL_EOF: return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
        default: return 0;
    }
}

const BIO_METHOD* socket_method() {
    struct Free {
        void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
    };
    static const std::unique_ptr<BIO_METHOD, Free> method = [] {
        std::unique_ptr<BIO_METHOD, Free> made(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "fluxgate socket"));
        if (made) {
            BIO_meth_set_write(made.get(), bio_write);
            BIO_meth_set_read(made.get(), bio_read);
            BIO_meth_set_ctrl(made.get(), bio_control);
        }
        return made;
    }();
    return method.get();
}

SSL* make_tls(const TlsContext& context, int descriptor) {
    ERR_clear_error();
    SSL* tls = SSL_new(context.native());
    BIO* bio = BIO_new(socket_method());
    if (tls == nullptr || bio == nullptr) {
        SSL_free(tls);
        BIO_free(bio);
        return nullptr;
    }
    BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(descriptor)));
    BIO_set_init(bio, 1);
    SSL_set_bio(tls, bio, bio);
    return tls;
}

int clamp_to_int(std::size_t size) { return static_cast<int>(std::min<std::size_t>(size, INT_MAX)); }

}  // namespace

Wire::Wire(Wire&& other) noexcept
    : descriptor_(other.descriptor_), tls_(std::exchange(other.tls_, nullptr)), reason_(std::move(other.reason_)) {}

Wire::~Wire() { release_tls(); }

bool Wire::accept_tls(const TlsContext& context) {
    tls_ = make_tls(context, descriptor_);
    if (tls_ == nullptr) return false;
    SSL_set_accept_state(tls_);
    return true;
}

bool Wire::connect_tls(const TlsContext& context, const std::string& name) {
    tls_ = make_tls(context, descriptor_);
    if (tls_ == nullptr) return false;
    SSL_set_connect_state(tls_);
    X509_VERIFY_PARAM* rules = SSL_get0_param(tls_);
    if (X509_VERIFY_PARAM_set1_ip_asc(rules, name.c_str()) == 1) return true;  // RFC 6066 3: no SNI for addresses
    ERR_clear_error();
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return X509_VERIFY_PARAM_set1_host(rules, name.data(), name.size()) == 1 && SSL_set_tlsext_host_name(tls_, name.c_str()) == 1;
}

Io Wire::handshake() {
    ERR_clear_error();
    const int result = SSL_do_handshake(tls_);
    if (result == 1) return Io::done;
    const long verified = SSL_get_verify_result(tls_);
    const Io io = outcome(result);
    if (io == Io::failed && verified != X509_V_OK) {
        reason_ += " (";
        reason_ += X509_verify_cert_error_string(verified);
        reason_ += ")";
    }
    return io;
}

Transfer Wire::read(char* to, std::size_t size) {
    if (tls_ != nullptr) {
        ERR_clear_error();
        const int result = SSL_read(tls_, to, clamp_to_int(size));
        if (result > 0) return {Io::done, static_cast<std::size_t>(result)};
        return {outcome(result)};
    }
    ssize_t received = 0;
    do {
        received = ::recv(descriptor_, to, size, 0);
    } while (received < 0 && errno == EINTR);
    if (received > 0) return {Io::done, static_cast<std::size_t>(received)};
    if (received == 0) return {Io::closed};
    if (would_block(errno)) return {Io::want_read};
    reason_ = describe(errno);
    return {Io::failed};
}

Transfer Wire::write(std::string_view bytes) {
    if (tls_ != nullptr) {
        ERR_clear_error();
        const int result = SSL_write(tls_, bytes.data(), clamp_to_int(bytes.size()));
        if (result > 0) return {Io::done, static_cast<std::size_t>(result)};
        return {outcome(result)};
    }
    ssize_t sent = 0;
    do {
        sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) return {Io::done, static_cast<std::size_t>(sent)};
    if (would_block(errno)) return {Io::want_write};
    reason_ = describe(errno);
    return {Io::failed};
}

void Wire::finish() {
    if (tls_ != nullptr) {
        ERR_clear_error();
        SSL_shutdown(tls_);
        ERR_clear_error();
    }
    ::shutdown(descriptor_, SHUT_WR);
}

Transfer Wire::discard() {
    std::array<char, 16u << 10> scratch;  // NOLINT: never read
    ssize_t received = 0;
    do {
        received = ::recv(descriptor_, scratch.data(), scratch.size(), 0);
    } while (received < 0 && errno == EINTR);
    if (received > 0) return {Io::done, static_cast<std::size_t>(received)};
    if (received == 0) return {Io::closed};
    return {would_block(errno) ? Io::want_read : Io::failed};
}

void Wire::release_tls() { SSL_free(std::exchange(tls_, nullptr)); }

bool Wire::holds_bytes() const { return tls_ != nullptr && SSL_has_pending(tls_) == 1; }

Io Wire::outcome(int result) {
    const int system_error = errno;
    switch (SSL_get_error(tls_, result)) {
        case SSL_ERROR_WANT_READ: return Io::want_read;
        case SSL_ERROR_WANT_WRITE: return Io::want_write;
        case SSL_ERROR_ZERO_RETURN: return Io::closed;
        case SSL_ERROR_SYSCALL:
            if (system_error == 0 || result == 0) return Io::closed;
            ERR_clear_error();
            reason_ = describe(system_error);
            return Io::failed;
        default:
            // Gone without close_notify: whether something is missing is for HTTP's own framing to say.
            if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
                ERR_clear_error();
                return Io::closed;
            }
            reason_ = openssl_reason();
            return Io::failed;
    }
}

}  // namespace fluxgate::http
