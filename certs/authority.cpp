#include "certs/authority.hpp"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/rand.h>

#include <fmt/format.h>

#include <optional>
#include <string_view>

#include "base/digest.hpp"
#include "certs/openssl.hpp"

namespace fluxgate::certs {

namespace {

constexpr auto kClockSkew = std::chrono::minutes{5};

struct Draft {
    CertificatePtr certificate;
    KeyPtr key;
};

Result<Draft> start_draft(const std::string& common_name, WallTime now, std::chrono::hours valid_for);
bool add_extension(X509& certificate, X509& issuer, int nid, const std::string& value);
bool add_names(X509& certificate, const LeafRequest& request, std::string& bad_name);
Result<KeyPair> sign(Draft draft, EVP_PKEY& signing_key);
Result<KeyPtr> read_key(const std::string& pem);
Result<CertificatePtr> read_certificate(const std::string& pem);
std::string key_type(EVP_PKEY* key);
std::string printable_name(const X509_NAME* name);
std::optional<WallTime> to_wall_time(const ASN1_TIME* time);
std::string printable_ip(const ASN1_OCTET_STRING& address);

tl::unexpected<Error> openssl_failed(std::string_view doing) {
    return fail(Errc::internal, fmt::format("OpenSSL failed {}: {}", doing, openssl_reason()));
}

}  // namespace

Result<KeyPair> make_authority(const std::string& common_name, WallTime now, std::chrono::hours valid_for) {
    auto draft = start_draft(common_name, now, valid_for);
    if (!draft) return tl::unexpected(draft.error());
    X509& certificate = *draft->certificate;
    X509_set_issuer_name(&certificate, X509_get_subject_name(&certificate));
    // pathlen 0: this root signs servers, never another authority.
    if (!add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_extension(certificate, certificate, NID_subject_key_identifier, "hash")) {
        return openssl_failed("describing the authority");
    }
    EVP_PKEY& key = *draft->key;
    return sign(std::move(*draft), key);
}

Result<KeyPair> issue_server_certificate(const KeyPair& authority, const LeafRequest& request, WallTime now) {
    if (request.dns_names.empty() && request.ip_addresses.empty()) {
        return fail(Errc::invalid_argument, "a server certificate needs a DNS name or an IP address: Go clients ignore the common name");
    }
    auto issuer = read_certificate(authority.certificate_pem);
    if (!issuer) return tl::unexpected(issuer.error());
    auto issuer_key = read_key(authority.private_key_pem);
    if (!issuer_key) return tl::unexpected(issuer_key.error());
    if (auto pair = check_pair(authority); !pair) return tl::unexpected(pair.error());

    auto draft = start_draft(request.common_name, now, request.valid_for);
    if (!draft) return tl::unexpected(draft.error());
    X509& certificate = *draft->certificate;
    X509_set_issuer_name(&certificate, X509_get_subject_name(issuer->get()));
    if (!add_extension(certificate, **issuer, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(certificate, **issuer, NID_key_usage, "critical,digitalSignature") ||
        !add_extension(certificate, **issuer, NID_ext_key_usage, "serverAuth") ||
        !add_extension(certificate, **issuer, NID_subject_key_identifier, "hash") ||
        !add_extension(certificate, **issuer, NID_authority_key_identifier, "keyid:always")) {
        return openssl_failed("describing the server");
    }
    std::string bad_name;
    if (!add_names(certificate, request, bad_name)) {
        return fail(Errc::invalid_argument, fmt::format("\"{}\" is neither a DNS name nor a literal IP address", bad_name));
    }
    return sign(std::move(*draft), **issuer_key);
}

Result<CertificateInfo> inspect(const std::string& certificate_pem) {
    auto certificate = read_certificate(certificate_pem);
    if (!certificate) return tl::unexpected(certificate.error());
    CertificateInfo info;
    info.subject = printable_name(X509_get_subject_name(certificate->get()));
    const auto not_before = to_wall_time(X509_get0_notBefore(certificate->get()));
    const auto not_after = to_wall_time(X509_get0_notAfter(certificate->get()));
    if (!not_before || !not_after) return fail(Errc::invalid_certificate, "the certificate's validity is not a readable date");
    info.not_before = *not_before;
    info.not_after = *not_after;
    info.key_type = key_type(X509_get0_pubkey(certificate->get()));
    unsigned char* der = nullptr;
    const int der_bytes = i2d_X509(certificate->get(), &der);
    if (der_bytes < 0) return openssl_failed("writing a certificate as DER");
    info.fingerprint = "sha256:" + sha256_hex({reinterpret_cast<const char*>(der), static_cast<std::size_t>(der_bytes)});
    OPENSSL_free(der);

    const NamesPtr names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate->get(), NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME& name = *sk_GENERAL_NAME_value(names.get(), i);
        if (name.type == GEN_DNS) {
            const auto* text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name.d.dNSName));
            info.dns_names.emplace_back(text, static_cast<std::size_t>(ASN1_STRING_length(name.d.dNSName)));
        } else if (name.type == GEN_IPADD) {
            info.ip_addresses.push_back(printable_ip(*name.d.iPAddress));
        }
    }
    ERR_clear_error();
    return info;
}

Result<void> check_pair(const KeyPair& pair) {
    auto certificate = read_certificate(pair.certificate_pem);
    if (!certificate) return tl::unexpected(certificate.error());
    auto key = read_key(pair.private_key_pem);
    if (!key) return tl::unexpected(key.error());
    if (X509_check_private_key(certificate->get(), key->get()) != 1) {
        ERR_clear_error();
        return fail(Errc::invalid_certificate,
                    "the private key does not belong to the certificate: both files must come from the same renewal");
    }
    return {};
}

namespace {

Result<Draft> start_draft(const std::string& common_name, WallTime now, std::chrono::hours valid_for) {
    // RFC 5280 limits a common name to 64 characters; OpenSSL would fail without saying so.
    if (common_name.empty() || common_name.size() > 64) {
        return fail(Errc::invalid_argument, "a certificate's common name has 1 to 64 characters");
    }
    if (valid_for <= std::chrono::hours{0}) return fail(Errc::invalid_argument, "a certificate is valid for at least an hour");
    Draft draft{CertificatePtr(X509_new()), KeyPtr(EVP_EC_gen("P-256"))};
    if (!draft.certificate || !draft.key) return openssl_failed("making a P-256 key");
    X509* certificate = draft.certificate.get();

    // 127 random bits: unique without a counter to keep, and positive as RFC 5280 4.1.2.2 wants.
    const NumberPtr serial(BN_new());
    if (!serial || BN_rand(serial.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) != 1 ||
        BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate)) == nullptr) {
        return openssl_failed("choosing a serial number");
    }
    const TimePtr not_before(
        ASN1_TIME_set(nullptr, std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(now - kClockSkew))));
    const TimePtr not_after(
        ASN1_TIME_set(nullptr, std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(now + valid_for))));
    const auto* name = reinterpret_cast<const unsigned char*>(common_name.data());
    if (!not_before || !not_after || X509_set_version(certificate, X509_VERSION_3) != 1 ||
        X509_set1_notBefore(certificate, not_before.get()) != 1 || X509_set1_notAfter(certificate, not_after.get()) != 1 ||
        X509_set_pubkey(certificate, draft.key.get()) != 1 ||
        X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName, MBSTRING_UTF8, name,
                                   static_cast<int>(common_name.size()), -1, 0) != 1) {
        return openssl_failed("filling in a certificate");
    }
    return draft;
}

bool add_extension(X509& certificate, X509& issuer, int nid, const std::string& value) {
    X509V3_CTX context{};
    X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
    const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    return extension && X509_add_ext(&certificate, extension.get(), -1) == 1;
}

// Built from objects, not from OpenSSL's "DNS:a,IP:b" text: a comma in a name must not become a second name.
bool add_names(X509& certificate, const LeafRequest& request, std::string& bad_name) {
    const NamesPtr names(sk_GENERAL_NAME_new_null());
    const auto add = [&](int type, const std::string& text) {
        bad_name = text;
        constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.*_";
        if (type == GEN_DNS && (text.empty() || text.size() > 253 || text.find_first_not_of(kAllowed) != std::string::npos)) return false;
        GENERAL_NAME* name = a2i_GENERAL_NAME(nullptr, nullptr, nullptr, type, text.c_str(), 0);
        if (name == nullptr) return false;
        if (sk_GENERAL_NAME_push(names.get(), name) > 0) return true;
        GENERAL_NAME_free(name);
        return false;
    };
    for (const std::string& text : request.dns_names) {
        if (!add(GEN_DNS, text)) return ERR_clear_error(), false;
    }
    for (const std::string& text : request.ip_addresses) {
        if (!add(GEN_IPADD, text)) return ERR_clear_error(), false;
    }
    return X509_add1_ext_i2d(&certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) == 1;
}

Result<KeyPair> sign(Draft draft, EVP_PKEY& signing_key) {
    if (X509_sign(draft.certificate.get(), &signing_key, EVP_sha256()) == 0) return openssl_failed("signing");
    const BioPtr certificate(BIO_new(BIO_s_mem()));
    // Secure memory: the buffer is wiped when it is freed.
    const BioPtr key(BIO_new(BIO_s_secmem()));
    if (PEM_write_bio_X509(certificate.get(), draft.certificate.get()) != 1 ||
        PEM_write_bio_PKCS8PrivateKey(key.get(), draft.key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
        return openssl_failed("writing PEM");
    }
    const auto text = [](BIO* bio) {
        char* data = nullptr;
        const long size = BIO_get_mem_data(bio, &data);
        return std::string(data, static_cast<std::size_t>(size));
    };
    return KeyPair{text(certificate.get()), text(key.get())};
}

Result<CertificatePtr> read_certificate(const std::string& pem) {
    const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    CertificatePtr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!certificate)
        return fail(Errc::invalid_certificate, "the certificate is not readable PEM (-----BEGIN CERTIFICATE-----): " + openssl_reason());
    return certificate;
}

Result<KeyPtr> read_key(const std::string& pem) {
    const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    // Without a callback OpenSSL would ask for a passphrase on the terminal.
    const auto no_passphrase = [](char*, int, int, void*) { return -1; };
    KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    if (!key) {
        return fail(Errc::invalid_certificate,
                    "the private key is not readable PEM without a passphrase (-----BEGIN PRIVATE KEY-----): " + openssl_reason());
    }
    return key;
}

std::string key_type(EVP_PKEY* key) {
    if (key == nullptr) return "unknown";
    if (EVP_PKEY_is_a(key, "EC") == 1) {
        std::array<char, 64> group{};
        std::size_t size = 0;
        if (EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) != 1) return "EC";
        const std::string_view name(group.data(), size);
        if (name == "prime256v1") return "EC P-256";
        if (name == "secp384r1") return "EC P-384";
        if (name == "secp521r1") return "EC P-521";
        return "EC " + std::string(name);
    }
    if (EVP_PKEY_is_a(key, "RSA") == 1) return fmt::format("RSA {}", EVP_PKEY_get_bits(key));
    const char* name = EVP_PKEY_get0_type_name(key);
    return name == nullptr ? "unknown" : name;
}

std::string printable_name(const X509_NAME* name) {
    const BioPtr bio(BIO_new(BIO_s_mem()));
    X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

std::optional<WallTime> to_wall_time(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
    const std::chrono::year_month_day day{std::chrono::year{parts.tm_year + 1900},
                                          std::chrono::month{static_cast<unsigned>(parts.tm_mon + 1)},
                                          std::chrono::day{static_cast<unsigned>(parts.tm_mday)}};
    return std::chrono::sys_days{day} + std::chrono::hours{parts.tm_hour} + std::chrono::minutes{parts.tm_min} +
           std::chrono::seconds{parts.tm_sec};
}

std::string printable_ip(const ASN1_OCTET_STRING& address) {
    const unsigned char* bytes = ASN1_STRING_get0_data(&address);
    const int size = ASN1_STRING_length(&address);
    if (size == 4) return fmt::format("{}.{}.{}.{}", bytes[0], bytes[1], bytes[2], bytes[3]);
    if (size != 16) return "malformed address";
    std::array<char, INET6_ADDRSTRLEN> text{};
    return inet_ntop(AF_INET6, bytes, text.data(), text.size()) == nullptr ? "malformed address" : text.data();
}

}  // namespace

}  // namespace fluxgate::certs
