#include <openssl/ssl.h>

#include "tests/unit/http/support.hpp"

using namespace fluxgate;
using namespace fluxgate::http;
using namespace fluxgate::http::testing;

namespace {

std::shared_ptr<const TlsContext> client_context() { return TlsContext::for_client(pki().authority.certificate_pem).value(); }

// What a handshake over memory agrees on: version, cipher and ALPN, or why it failed.
struct Agreed {
    bool done = false;
    std::string version;
    std::string cipher;
    std::string alpn;
};

Agreed shake_hands(const TlsContext& server_side, const TlsContext& client_side, const std::vector<std::string>& alpn) {
    const std::unique_ptr<SSL, decltype(&SSL_free)> server(SSL_new(server_side.native()), &SSL_free);
    const std::unique_ptr<SSL, decltype(&SSL_free)> client(SSL_new(client_side.native()), &SSL_free);
    BIO* one = nullptr;
    BIO* two = nullptr;
    REQUIRE(BIO_new_bio_pair(&one, 0, &two, 0) == 1);
    SSL_set_bio(server.get(), one, one);
    SSL_set_bio(client.get(), two, two);
    SSL_set_accept_state(server.get());
    SSL_set_connect_state(client.get());
    std::string wire;
    for (const std::string& name : alpn) wire += static_cast<char>(name.size()) + name;
    if (!wire.empty())
        SSL_set_alpn_protos(client.get(), reinterpret_cast<const unsigned char*>(wire.data()), static_cast<unsigned>(wire.size()));
    for (int i = 0; i < 20; ++i) {
        const int c = SSL_do_handshake(client.get());
        const int s = SSL_do_handshake(server.get());
        if (c == 1 && s == 1) {
            const unsigned char* chosen = nullptr;
            unsigned size = 0;
            SSL_get0_alpn_selected(client.get(), &chosen, &size);
            return {true, SSL_get_version(client.get()), SSL_get_cipher_name(client.get()),
                    std::string(reinterpret_cast<const char*>(chosen), size)};
        }
    }
    return {};
}

}  // namespace

TEST_CASE("ALPN selects http/1.1 or nothing") {
    const auto server = TlsContext::for_server(pki().identity).value();
    CHECK(shake_hands(*server, *client_context(), {"h2", "http/1.1"}).alpn == "http/1.1");
    CHECK(shake_hands(*server, *client_context(), {"http/1.1"}).alpn == "http/1.1");
    const Agreed only_h2 = shake_hands(*server, *client_context(), {"h2"});
    CHECK(only_h2.done);
    CHECK(only_h2.alpn.empty());
    const Agreed none = shake_hands(*server, *client_context(), {});
    CHECK(none.done);
    CHECK(none.alpn.empty());
}

TEST_CASE("TLS 1.3 and 1.2 are spoken with forward secrecy and authenticated encryption, older versions are not") {
    const auto server = TlsContext::for_server(pki().identity).value();
    const Agreed newest = shake_hands(*server, *client_context(), {});
    CHECK(newest.version == "TLSv1.3");
    CHECK(newest.cipher == "TLS_AES_128_GCM_SHA256");

    const auto older = client_context();
    SSL_CTX_set_max_proto_version(older->native(), TLS1_2_VERSION);
    const Agreed tls12 = shake_hands(*server, *older, {});
    CHECK(tls12.version == "TLSv1.2");
    CHECK(tls12.cipher.find("ECDHE-ECDSA-AES") == 0);
    CHECK(tls12.cipher.find("GCM") != std::string::npos);

    const auto weak = client_context();
    SSL_CTX_set_max_proto_version(weak->native(), TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(weak->native(), "ECDHE-ECDSA-AES128-SHA@SECLEVEL=0");
    CHECK_FALSE(shake_hands(*server, *weak, {}).done);
}

TEST_CASE("a TLS 1.1 client is refused with an alert and reported, TLS 1.2 is served") {
    Running running;
    const auto older = client_context();
    SSL_CTX_set_security_level(older->native(), 0);
    SSL_CTX_set_cipher_list(older->native(), "ALL@SECLEVEL=0");
    SSL_CTX_set_min_proto_version(older->native(), TLS1_1_VERSION);
    SSL_CTX_set_max_proto_version(older->native(), TLS1_1_VERSION);
    RawClient refused(running.server->port(), true, older);
    CHECK_FALSE(refused.handshaken());
    INFO(refused.reason());
    CHECK(refused.reason().find("protocol version") != std::string::npos);
    CHECK(eventually([&] { return running.events->count(Event::Kind::handshake_failed) == 1; }));

    const auto tls12 = client_context();
    SSL_CTX_set_max_proto_version(tls12->native(), TLS1_2_VERSION);
    RawClient served(running.server->port(), true, tls12);
    REQUIRE(served.handshaken());
    for (int i = 0; i < 3; ++i) {
        REQUIRE(served.send(post("x")));
        CHECK(served.read()->status == 200);
    }
}

TEST_CASE("a client that does not trust our certificate is reported as a failed handshake") {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Running running;
        const auto stranger = TlsContext::for_client(make_pki("elsewhere").authority.certificate_pem).value();
        SSL_CTX_set_max_proto_version(stranger->native(), version);
        RawClient client(running.server->port(), true, stranger);
        CHECK_FALSE(client.handshaken());
        CHECK(eventually([&] { return running.events->count(Event::Kind::handshake_failed) == 1; }));
        CHECK(running.events->last_detail().find("unknown ca") != std::string::npos);
    }
}

TEST_CASE("a chain is sent whole") {
    // The authority itself as second link: any certificate will do to see that the chain travels.
    TlsIdentity identity = pki().identity;
    identity.certificate_chain_pem += pki().authority.certificate_pem;
    const auto server = TlsContext::for_server(identity).value();
    STACK_OF(X509)* chain = nullptr;
    REQUIRE(SSL_CTX_get0_chain_certs(server->native(), &chain) == 1);
    CHECK(sk_X509_num(chain) == 1);
    CHECK(shake_hands(*server, *client_context(), {}).done);
}
