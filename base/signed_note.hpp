#pragma once

// C2SP signed notes with Ed25519 keys (https://c2sp.org/signed-note): texts that stock tools verify. Checkpoints of the audit log
// and break-glass grants are such notes. Values; pure but for `SignerKey::generate`, which asks the system for randomness.
//
// A note is a text that ends with a line feed, an empty line, and one line for each signature: "— NAME BASE64", where the bytes are
// the key's id and the signature of the text. Keys are written as Go's golang.org/x/mod/sumdb/note writes them.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace fluxgate {

// "alice@example.com+1d2c3b4a+AYdgX…": name, key id, type and public key in base64.
struct VerifierKey {
    std::string name{};
    std::uint32_t id = 0;
    std::array<std::uint8_t, 32> public_key{};

    // Error invalid_argument: no verifier key, an id that does not fit, another algorithm than Ed25519.
    static Result<VerifierKey> parse(std::string_view text);
    std::string text() const;

    friend bool operator==(const VerifierKey&, const VerifierKey&) = default;
};

// A private key. Its text, "PRIVATE+KEY+NAME+ID+BASE64", is a secret: it belongs into a file that only its owner can read.
class SignerKey {
public:
    // A new key. Errors: invalid_argument (a name that no key can have: empty, more than 253 characters, a space, '+', something
    // else than printable ASCII), internal (no randomness).
    static Result<SignerKey> generate(std::string name);
    // Error invalid_argument; the message never holds the text.
    static Result<SignerKey> parse(std::string_view text);
    std::string text() const;
    const VerifierKey& verifier() const { return verifier_; }

    // The line of a signature over `text`, with its line feed.
    Result<std::string> signature_line(std::string_view text) const;

private:
    static Result<SignerKey> make(std::string name, const std::array<std::uint8_t, 32>& seed);

    VerifierKey verifier_;
    std::array<std::uint8_t, 32> seed_{};
};

struct SignedNote {
    struct Signature {
        std::string name{};
        std::uint32_t id = 0;
        std::string bytes{};

        friend bool operator==(const Signature&, const Signature&) = default;
    };

    // What a checkpoint or a grant can need, many times over.
    static constexpr std::size_t kBytesMax = 64u << 10;
    static constexpr std::size_t kSignaturesMax = 100;  // as Go's reader

    std::string text{};  // ends with a line feed
    std::vector<Signature> signatures{};

    // Checks the form, not the signatures. Errors: invalid_argument, too_large, invalid_utf8.
    static Result<SignedNote> parse(std::string_view note);

    // The keys whose signatures hold, each once, in the order of the note. Signatures of unknown keys count for nothing. Error
    // contradictory: a signature by one of `keys` does not hold, so somebody changed the note.
    Result<std::vector<VerifierKey>> verify(const std::vector<VerifierKey>& keys) const;
};

// `text` as a note with one signature. Errors: invalid_argument (no line feed at its end, control characters), invalid_utf8, too_large.
Result<std::string> sign_note(std::string_view text, const SignerKey& key);

}  // namespace fluxgate
