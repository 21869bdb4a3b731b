#include "base/signed_note.hpp"

#include <algorithm>
#include <charconv>
#include <memory>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "base/base64.hpp"
#include "base/utf8.hpp"

namespace fluxgate {

namespace {

constexpr char kEd25519 = 0x01;  // the type byte of C2SP
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kSignatureBytes = 64;
constexpr std::size_t kNameCharactersMax = 253;
constexpr std::string_view kPrivatePrefix = "PRIVATE+KEY+";
constexpr std::string_view kDash = "\u2014 ";

using KeyBytes = std::array<std::uint8_t, kKeyBytes>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

bool is_key_name(std::string_view name) {
    return !name.empty() && name.size() <= kNameCharactersMax &&
           std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f && c != '+'; });
}

std::string typed(const KeyBytes& key) { return std::string(1, kEd25519) + std::string(key.begin(), key.end()); }

std::uint32_t read_id(std::string_view four_bytes) {
    std::uint32_t id = 0;
    for (const char byte : four_bytes.substr(0, 4)) id = id << 8 | static_cast<std::uint8_t>(byte);
    return id;
}

std::string write_id(std::uint32_t id) {
    return {static_cast<char>(id >> 24), static_cast<char>(id >> 16), static_cast<char>(id >> 8), static_cast<char>(id)};
}

// SHA-256 over name, line feed and typed public key, its first four bytes.
std::uint32_t id_of(std::string_view name, const KeyBytes& public_key) {
    const std::string text = std::string(name) + "\n" + typed(public_key);
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    SHA256(bytes_of(text), text.size(), digest.data());
    return read_id({reinterpret_cast<const char*>(digest.data()), 4});
}

// "NAME+ID+BASE64", the three parts of both kinds of keys.
struct KeyText {
    std::string_view name{};
    std::uint32_t id = 0;
    KeyBytes key{};
};

Result<KeyText> split_key(std::string_view text, std::string_view expected) {
    const auto bad = [&](std::string_view why) { return fail(Errc::invalid_argument, fmt::format("{}; expected {}", why, expected)); };
    const std::size_t first = text.find('+');
    const std::size_t second = first == std::string_view::npos ? first : text.find('+', first + 1);
    if (second == std::string_view::npos) return bad("is no key: two '+' are missing");
    KeyText parts{.name = text.substr(0, first)};
    if (!is_key_name(parts.name)) return bad("the name of the key is empty, too long, or has other characters than printable ASCII");
    const std::string_view id = text.substr(first + 1, second - first - 1);
    const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), parts.id, 16);
    const bool lower_case = std::none_of(id.begin(), id.end(), [](char c) { return c >= 'A' && c <= 'F'; });
    if (id.size() != 8 || error != std::errc() || end != id.data() + id.size() || !lower_case)
        return bad("the id of the key is not eight hexadecimal digits");
    const auto decoded = from_base64(text.substr(second + 1));
    if (!decoded || decoded->empty()) return bad("the key itself is no base64");
    if (decoded->front() != kEd25519) return bad("the key is of another algorithm than Ed25519");
    if (decoded->size() != kKeyBytes + 1) return bad("the key is not 32 bytes long");
    std::transform(decoded->begin() + 1, decoded->end(), parts.key.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
    return parts;
}

constexpr std::string_view kBadId = "the id does not belong to this name and key: a part was changed or copied from elsewhere";

// What any part of a note may hold: UTF-8 without control characters but the line feed.
Result<void> check_characters(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto first = static_cast<unsigned char>(text[i]);
        if ((first < ' ' && first != '\n') || first == 0x7f)
            return fail(Errc::invalid_argument,
                        fmt::format("a note holds no control characters but line feeds; byte {} is {:#04x}", i, first));
        const std::size_t size = utf8_length(text.substr(i));
        if (size == 0) return fail(Errc::invalid_utf8, fmt::format("byte {} of the note is no UTF-8", i));
        i += size;
    }
    return {};
}

bool holds(const VerifierKey& key, std::string_view text, std::string_view signature) {
    const Key pkey(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.public_key.data(), key.public_key.size()), &EVP_PKEY_free);
    const DigestContext context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    return pkey && context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, pkey.get()) == 1 &&
           EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(text), text.size()) == 1;
}

Result<SignedNote::Signature> read_signature(std::string_view line) {
    const auto bad = [&] {
        return fail(Errc::invalid_argument, "a line of the signatures is no \"\u2014 NAME BASE64\"; the note was cut or edited");
    };
    if (!line.starts_with(kDash)) return bad();
    line.remove_prefix(kDash.size());
    const std::size_t space = line.find(' ');
    if (space == 0 || space == std::string_view::npos || line.substr(0, space).find('+') != std::string_view::npos) return bad();
    const auto bytes = from_base64(line.substr(space + 1));
    if (!bytes || bytes->size() < 5) return bad();
    return SignedNote::Signature{std::string(line.substr(0, space)), read_id(*bytes), bytes->substr(4)};
}

}  // namespace

Result<VerifierKey> VerifierKey::parse(std::string_view text) {
    if (text.starts_with(kPrivatePrefix)) {
        // Not shown again: it is a secret that stands where everybody can read it.
        return fail(Errc::invalid_argument,
                    "is a private key; a verifier key is expected here. Whoever could read this can sign: make a new key");
    }
    const auto parts = split_key(text, "a verifier key NAME+ID+KEY, as `fluxgate grant keygen` prints it");
    if (!parts) return tl::unexpected(parts.error());
    if (parts->id != id_of(parts->name, parts->key)) return fail(Errc::invalid_argument, std::string(kBadId));
    return VerifierKey{std::string(parts->name), parts->id, parts->key};
}

std::string VerifierKey::text() const { return fmt::format("{}+{:08x}+{}", name, id, base64(typed(public_key))); }

Result<SignerKey> SignerKey::make(std::string name, const KeyBytes& seed) {
    const Key pkey(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()), &EVP_PKEY_free);
    SignerKey key;
    std::size_t size = kKeyBytes;
    if (!pkey || EVP_PKEY_get_raw_public_key(pkey.get(), key.verifier_.public_key.data(), &size) != 1 || size != kKeyBytes)
        return fail(Errc::internal, "the key cannot be made by OpenSSL");
    key.seed_ = seed;
    key.verifier_.name = std::move(name);
    key.verifier_.id = id_of(key.verifier_.name, key.verifier_.public_key);
    return key;
}

Result<SignerKey> SignerKey::generate(std::string name) {
    if (!is_key_name(name)) {
        return fail(Errc::invalid_argument,
                    fmt::format("\"{}\" cannot name a key; expected 1 to {} characters of printable ASCII without spaces and '+', such as "
                                "bob@example.com",
                                name, kNameCharactersMax));
    }
    KeyBytes seed{};
    if (RAND_priv_bytes(seed.data(), static_cast<int>(seed.size())) != 1) return fail(Errc::internal, "the system has no randomness");
    return make(std::move(name), seed);
}

Result<SignerKey> SignerKey::parse(std::string_view text) {
    constexpr std::string_view kExpected = "a private key PRIVATE+KEY+NAME+ID+KEY, as `fluxgate grant keygen` writes it";
    if (!text.starts_with(kPrivatePrefix)) return fail(Errc::invalid_argument, fmt::format("is no private key; expected {}", kExpected));
    const auto parts = split_key(text.substr(kPrivatePrefix.size()), kExpected);
    if (!parts) return tl::unexpected(parts.error());
    auto key = make(std::string(parts->name), parts->key);
    if (key && key->verifier_.id != parts->id) return fail(Errc::invalid_argument, std::string(kBadId));
    return key;
}

std::string SignerKey::text() const {
    return fmt::format("{}{}+{:08x}+{}", kPrivatePrefix, verifier_.name, verifier_.id, base64(typed(seed_)));
}

Result<std::string> SignerKey::signature_line(std::string_view text) const {
    const Key pkey(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed_.data(), seed_.size()), &EVP_PKEY_free);
    const DigestContext context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    std::string bytes(kSignatureBytes, '\0');
    std::size_t size = bytes.size();
    if (!pkey || !context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, pkey.get()) != 1 ||
        EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(bytes.data()), &size, bytes_of(text), text.size()) != 1)
        return fail(Errc::internal, "the text cannot be signed by OpenSSL");
    return fmt::format("{}{} {}\n", kDash, verifier_.name, base64(write_id(verifier_.id) + bytes));
}

Result<SignedNote> SignedNote::parse(std::string_view note) {
    if (note.size() > kBytesMax) return fail(Errc::too_large, fmt::format("the note has more than {} bytes", kBytesMax));
    if (auto checked = check_characters(note); !checked) return tl::unexpected(checked.error());
    const std::size_t gap = note.rfind("\n\n");
    if (gap == std::string_view::npos || !note.ends_with('\n') || gap + 2 == note.size()) {
        return fail(Errc::invalid_argument, "is no signed note: expected a text, an empty line and signatures, each ended by a line feed");
    }
    SignedNote parsed{.text = std::string(note.substr(0, gap + 1))};
    for (std::string_view rest = note.substr(gap + 2); !rest.empty();) {
        const std::size_t end = rest.find('\n');
        auto signature = read_signature(rest.substr(0, end));
        if (!signature) return tl::unexpected(signature.error());
        if (parsed.signatures.size() == kSignaturesMax)
            return fail(Errc::too_large, fmt::format("the note has more than {} signatures", kSignaturesMax));
        parsed.signatures.push_back(std::move(*signature));
        rest.remove_prefix(end + 1);
    }
    return parsed;
}

Result<std::vector<VerifierKey>> SignedNote::verify(const std::vector<VerifierKey>& keys) const {
    std::vector<VerifierKey> valid;
    for (const Signature& signature : signatures) {
        bool known = false;
        bool held = false;
        for (const VerifierKey& key : keys) {
            if (key.name != signature.name || key.id != signature.id) continue;
            known = true;
            if (!holds(key, text, signature.bytes)) continue;
            held = true;
            if (std::find(valid.begin(), valid.end(), key) == valid.end()) valid.push_back(key);
        }
        if (known && !held) {
            return fail(Errc::contradictory,
                        fmt::format("the signature of {} does not fit the text: one of the two was changed", signature.name));
        }
    }
    return valid;
}

Result<std::string> sign_note(std::string_view text, const SignerKey& key) {
    if (text.empty() || !text.ends_with('\n')) return fail(Errc::invalid_argument, "a text to be signed ends with a line feed");
    auto line = key.signature_line(text);
    if (!line) return line;
    std::string note = std::string(text) + "\n" + *line;
    // What no reader takes must not be handed out.
    if (auto read = SignedNote::parse(note); !read) return tl::unexpected(read.error());
    return note;
}

}  // namespace fluxgate
