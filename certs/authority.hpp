#pragma once

// A certificate authority small enough for a demo and for tests: ECDSA P-256, SHA-256, X.509 v3 (RFC 5280) with subject
// alternative names, because Go clients ignore the common name. And reading: what a pair is good for.

#include <chrono>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace fluxgate::certs {

struct KeyPair {
    std::string certificate_pem;
    std::string private_key_pem;  // PKCS#8; written with mode 0600, never logged
};

struct LeafRequest {
    std::string common_name;
    std::vector<std::string> dns_names = {};
    std::vector<std::string> ip_addresses = {};  // literal IPv4 or IPv6
    std::chrono::hours valid_for{24 * 30};
};

// A fresh self-signed root. `now` is the start of validity (less five minutes for clocks that disagree).
Result<KeyPair> make_authority(const std::string& common_name, WallTime now, std::chrono::hours valid_for = std::chrono::hours{24 * 365});

// A server certificate signed by `authority`.
Result<KeyPair> issue_server_certificate(const KeyPair& authority, const LeafRequest& request, WallTime now);

struct CertificateInfo {
    std::string subject;
    std::vector<std::string> dns_names;
    std::vector<std::string> ip_addresses;
    WallTime not_before;
    WallTime not_after;
    std::string key_type;     // "EC P-256", "RSA 2048", …
    std::string fingerprint;  // "sha256:…" of its DER, as `openssl x509 -fingerprint -sha256` has it, without colons
};

// Reads the first certificate of a PEM text. Error: invalid_certificate.
Result<CertificateInfo> inspect(const std::string& certificate_pem);

// Ok if the key belongs to the first certificate. Error: invalid_certificate, with which half is wrong.
Result<void> check_pair(const KeyPair& pair);

}  // namespace fluxgate::certs
