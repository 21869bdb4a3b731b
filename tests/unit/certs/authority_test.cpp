#include "certs/authority.hpp"

#include <openssl/x509.h>

#include <ctime>

#include "certs/openssl.hpp"
#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::certs;

namespace {

const WallTime kNow = std::chrono::sys_days{std::chrono::year{2026} / 3 / 1} + std::chrono::hours{12};

CertificatePtr parse(const std::string& pem) {
    const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    return CertificatePtr(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

// What OpenSSL's own verification says at `when`, for a TLS server with this name; X509_V_OK if all is well.
int verify(const KeyPair& authority, const KeyPair& leaf, WallTime when, const std::string& host, const std::string& ip = "") {
    const CertificatePtr root = parse(authority.certificate_pem);
    const CertificatePtr server = parse(leaf.certificate_pem);
    const std::unique_ptr<X509_STORE, Freer<X509_STORE_free>> store(X509_STORE_new());
    const std::unique_ptr<X509_STORE_CTX, Freer<X509_STORE_CTX_free>> context(X509_STORE_CTX_new());
    REQUIRE(X509_STORE_add_cert(store.get(), root.get()) == 1);
    REQUIRE(X509_STORE_CTX_init(context.get(), store.get(), server.get(), nullptr) == 1);
    X509_VERIFY_PARAM* rules = X509_STORE_CTX_get0_param(context.get());
    X509_VERIFY_PARAM_set_purpose(rules, X509_PURPOSE_SSL_SERVER);
    X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    X509_VERIFY_PARAM_set_time(rules, std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(when)));
    if (!host.empty()) X509_VERIFY_PARAM_set1_host(rules, host.c_str(), host.size());
    if (!ip.empty()) X509_VERIFY_PARAM_set1_ip_asc(rules, ip.c_str());
    X509_verify_cert(context.get());
    return X509_STORE_CTX_get_error(context.get());
}

const LeafRequest kRequest{.common_name = "fluxgate",
                           .dns_names = {"fluxgate.fluxgate-system.svc", "fluxgate.fluxgate-system.svc.cluster.local"},
                           .ip_addresses = {"127.0.0.1", "::1", "2001:db8::1"},
                           .valid_for = std::chrono::hours{24 * 30}};

}  // namespace

TEST_CASE("an issued certificate verifies against its authority, for its names, in its time") {
    const KeyPair authority = make_authority("Fluxgate", kNow).value();
    const KeyPair other = make_authority("Fluxgate", kNow).value();
    const KeyPair leaf = issue_server_certificate(authority, kRequest, kNow).value();
    using std::chrono::hours;
    using std::chrono::minutes;
    struct Row {
        std::string name;
        int result;
        int expected;
    };
    const std::string host = kRequest.dns_names[0];
    const std::vector<Row> rows{
        {"first name", verify(authority, leaf, kNow, host), X509_V_OK},
        {"second name", verify(authority, leaf, kNow, kRequest.dns_names[1]), X509_V_OK},
        {"IPv4 address", verify(authority, leaf, kNow, "", "127.0.0.1"), X509_V_OK},
        {"IPv6 address", verify(authority, leaf, kNow, "", "2001:db8::1"), X509_V_OK},
        {"another name", verify(authority, leaf, kNow, "fluxgate"), X509_V_ERR_HOSTNAME_MISMATCH},
        {"another address", verify(authority, leaf, kNow, "", "127.0.0.2"), X509_V_ERR_IP_ADDRESS_MISMATCH},
        {"a clock four minutes behind", verify(authority, leaf, kNow - minutes{4}, host), X509_V_OK},
        {"an hour before", verify(authority, leaf, kNow - hours{1}, host), X509_V_ERR_CERT_NOT_YET_VALID},
        {"the last hour", verify(authority, leaf, kNow + hours{24 * 30 - 1}, host), X509_V_OK},
        {"an hour after", verify(authority, leaf, kNow + hours{24 * 30 + 1}, host), X509_V_ERR_CERT_HAS_EXPIRED},
        {"another authority of the same name", verify(other, leaf, kNow, host), X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
    };
    for (const Row& row : rows) {
        INFO(row.name << ": " << X509_verify_cert_error_string(row.result));
        CHECK(row.result == row.expected);
    }
}

TEST_CASE("a server certificate cannot sign another one") {
    const KeyPair authority = make_authority("Fluxgate", kNow).value();
    const KeyPair leaf = issue_server_certificate(authority, kRequest, kNow).value();
    const KeyPair child = issue_server_certificate(leaf, kRequest, kNow).value();
    CHECK(verify(leaf, child, kNow, kRequest.dns_names[0]) != X509_V_OK);
}

TEST_CASE("inspecting a certificate gives back what was asked for") {
    const KeyPair authority = make_authority("Fluxgate, \"demo\"", kNow, std::chrono::hours{48}).value();
    const KeyPair leaf = issue_server_certificate(authority, kRequest, kNow).value();
    const CertificateInfo info = inspect(leaf.certificate_pem).value();
    CHECK(info.subject == "CN=fluxgate");
    CHECK(info.dns_names == kRequest.dns_names);
    CHECK(info.ip_addresses == kRequest.ip_addresses);
    CHECK(info.not_before == kNow - std::chrono::minutes{5});
    CHECK(info.not_after == kNow + kRequest.valid_for);
    CHECK(info.key_type == "EC P-256");
    CHECK(info.fingerprint.size() == std::string("sha256:").size() + 64);
    const CertificateInfo root = inspect(authority.certificate_pem).value();
    CHECK(root.dns_names.empty());
    CHECK(root.fingerprint != info.fingerprint);
    CHECK(root.not_after == kNow + std::chrono::hours{48});
    CHECK(root.subject.find("Fluxgate") != std::string::npos);
    CHECK(inspect(leaf.certificate_pem + authority.certificate_pem)->subject == "CN=fluxgate");
}

TEST_CASE("two certificates never share a serial number or a key") {
    const KeyPair authority = make_authority("Fluxgate", kNow).value();
    const KeyPair one = issue_server_certificate(authority, kRequest, kNow).value();
    const KeyPair two = issue_server_certificate(authority, kRequest, kNow).value();
    CHECK(ASN1_INTEGER_cmp(X509_get0_serialNumber(parse(one.certificate_pem).get()),
                           X509_get0_serialNumber(parse(two.certificate_pem).get())) != 0);
    CHECK(one.private_key_pem != two.private_key_pem);
    CHECK(one.private_key_pem.find("-----BEGIN PRIVATE KEY-----") == 0);
}

TEST_CASE("what cannot become a certificate is refused with a reason") {
    const KeyPair authority = make_authority("Fluxgate", kNow).value();
    struct Row {
        std::string name;
        LeafRequest request;
    };
    const std::vector<Row> rows{
        {"no name", {.common_name = "x"}},
        {"a name with a comma", {.common_name = "x", .dns_names = {"a,DNS:evil.example"}}},
        {"an empty name", {.common_name = "x", .dns_names = {""}}},
        {"an address that is none", {.common_name = "x", .ip_addresses = {"127.0.0.256"}}},
        {"an empty common name", {.common_name = "", .dns_names = {"a"}}},
        {"a common name beyond RFC 5280", {.common_name = std::string(65, 'x'), .dns_names = {"a"}}},
        {"no time to live", {.common_name = "x", .dns_names = {"a"}, .valid_for = std::chrono::hours{0}}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto result = issue_server_certificate(authority, row.request, kNow);
        REQUIRE_FALSE(result.has_value());
        CHECK(result.error().code == Errc::invalid_argument);
    }
}

TEST_CASE("a pair is a pair only if the key belongs to the certificate, and the message says which half is wrong") {
    const KeyPair one = make_authority("one", kNow).value();
    const KeyPair two = make_authority("two", kNow).value();
    struct Row {
        std::string name;
        KeyPair pair;
        std::string says;
    };
    const std::string cut = one.certificate_pem.substr(0, one.certificate_pem.size() / 2);
    const std::vector<Row> rows{
        {"the other key", {one.certificate_pem, two.private_key_pem}, "does not belong"},
        {"no certificate", {"", one.private_key_pem}, "the certificate is not"},
        {"half a certificate", {cut, one.private_key_pem}, "the certificate is not"},
        {"garbage in PEM",
         {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", one.private_key_pem},
         "the certificate is not"},
        {"no key", {one.certificate_pem, ""}, "the private key is not"},
        {"a certificate for a key", {one.certificate_pem, one.certificate_pem}, "the private key is not"},
        {"an encrypted key",
         {one.certificate_pem,
          "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAi=\n-----END ENCRYPTED PRIVATE KEY-----\n"},
         "the private key is not"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto result = check_pair(row.pair);
        REQUIRE_FALSE(result.has_value());
        CHECK(result.error().code == Errc::invalid_certificate);
        CHECK(result.error().message.find(row.says) != std::string::npos);
        CHECK(result.error().message.find(one.private_key_pem.substr(30, 40)) == std::string::npos);
    }
    CHECK(check_pair(one).has_value());
    CHECK(check_pair({one.certificate_pem + two.certificate_pem, one.private_key_pem}).has_value());
    CHECK(inspect("garbage").error().code == Errc::invalid_certificate);
    CHECK(issue_server_certificate({one.certificate_pem, two.private_key_pem}, kRequest, kNow).error().code == Errc::invalid_certificate);
    CHECK(issue_server_certificate({"garbage", two.private_key_pem}, kRequest, kNow).error().code == Errc::invalid_certificate);
}
