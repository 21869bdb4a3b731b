#include "base/signed_note.hpp"

#include "base/base64.hpp"
#include "tests/support/catch.hpp"

using namespace fluxgate;

namespace {

// Published with Go's golang.org/x/mod/sumdb/note, in its documentation.
constexpr std::string_view kPeter = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
constexpr std::string_view kPeterSigns = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
constexpr std::string_view kText = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
constexpr std::string_view kPeterLine =
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
// Published with the specification of signed notes.
constexpr std::string_view kFoo = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

std::string peters_note() { return std::string(kText) + "\n" + std::string(kPeterLine); }

VerifierKey key(std::string_view text) {
    const auto parsed = VerifierKey::parse(text);
    REQUIRE(parsed);
    return *parsed;
}
SignerKey signer(std::string name) {
    auto made = SignerKey::generate(std::move(name));
    REQUIRE(made);
    return *made;
}
std::string signed_by(std::string_view text, const SignerKey& by) {
    const auto note = sign_note(text, by);
    REQUIRE(note);
    return *note;
}

}  // namespace

TEST_CASE("published verifier keys are read and written") {
    for (const std::string_view text : {kPeter, kFoo}) {
        INFO(text);
        CHECK(key(text).text() == text);
    }
    CHECK(key(kPeter).name == "PeterNeumann");
    CHECK(key(kPeter).id == 0xc74f20a3);
}

TEST_CASE("the published private key signs the published note") {
    const auto peter = SignerKey::parse(kPeterSigns);
    REQUIRE(peter);
    CHECK(peter->text() == kPeterSigns);
    CHECK(peter->verifier() == key(kPeter));
    CHECK(signed_by(kText, *peter) == peters_note());
    const auto note = SignedNote::parse(peters_note());
    REQUIRE(note);
    CHECK(note->text == kText);
    CHECK(note->verify({key(kFoo), key(kPeter)}) == std::vector{key(kPeter)});
}

TEST_CASE("what is no verifier key is refused, with the reason") {
    struct Row {
        std::string_view name;
        std::string text;
        std::string_view says;
    };
    const std::string peter(kPeter);
    const Row rows[] = {
        {"nothing", "", "two '+' are missing"},
        {"a name alone", "PeterNeumann", "two '+' are missing"},
        {"without a name", peter.substr(peter.find('+')), "the name of the key"},
        {"a space in the name", "Peter Neumann" + peter.substr(12), "the name of the key"},
        {"another name", "PeterNewmann" + peter.substr(12), "the id does not belong"},
        {"another id", "PeterNeumann+c74f20a4" + peter.substr(21), "the id does not belong"},
        {"a short id", "PeterNeumann+c74f20a" + peter.substr(21), "eight hexadecimal digits"},
        {"an id with a sign", "PeterNeumann+-74f20a3" + peter.substr(21), "eight hexadecimal digits"},
        {"an id in capitals", "PeterNeumann+C74F20A3" + peter.substr(21), "eight hexadecimal digits"},
        {"an id of other letters", "PeterNeumann+c74g20a3" + peter.substr(21), "eight hexadecimal digits"},
        {"no key", "PeterNeumann+c74f20a3+", "no base64"},
        {"a key that is no base64", "PeterNeumann+c74f20a3+ARpc!", "no base64"},
        {"a key with a line feed", peter + "\n", "no base64"},
        {"a short key", "PeterNeumann+c74f20a3+ARpc", "not 32 bytes"},
        {"a long key", "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==", "no base64"},
        {"an unknown algorithm", "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "another algorithm"},
        {"a private key", std::string(kPeterSigns), "is a private key"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto parsed = VerifierKey::parse(row.text);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().code == Errc::invalid_argument);
        INFO(parsed.error().message);
        CHECK(parsed.error().message.find(row.says) != std::string::npos);
    }
}

TEST_CASE("what is no private key is refused, and its text is not shown") {
    const std::string peter(kPeterSigns);
    for (const std::string& text : {std::string(), std::string(kPeter), peter.substr(0, 40), peter + "\n",
                                    "PRIVATE+KEY+PeterNewmann" + peter.substr(24), peter.substr(0, peter.size() - 4) + "AAAA"}) {
        INFO(text);
        const auto parsed = SignerKey::parse(text);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().code == Errc::invalid_argument);
        CHECK(parsed.error().message.find("YEKFALV") == std::string::npos);
    }
}

TEST_CASE("a new key has a name that everybody can read, and no two are the same") {
    for (const std::string& name : {std::string(), std::string("bob smith"), std::string("bob+1@example.com"), std::string("bj\xc3\xb8rn"),
                                    std::string("bob\n"), std::string(254, 'a')}) {
        INFO(name);
        CHECK_FALSE(SignerKey::generate(name));
    }
    const SignerKey one = signer("bob@example.com");
    const SignerKey two = signer("bob@example.com");
    CHECK_FALSE(one.verifier() == two.verifier());
    const auto read = SignerKey::parse(one.text());
    REQUIRE(read);
    CHECK(read->verifier() == one.verifier());
    CHECK(key(one.verifier().text()) == one.verifier());
}

TEST_CASE("a changed byte breaks a note, wherever it is") {
    const SignerKey bob = signer("bob@example.com");
    const std::string note = signed_by("apiVersion: fluxgate.dev/v1alpha1\n\nname: inc-4711 — Ü\n", bob);
    const auto valid_keys = [&](const std::string& text) -> std::size_t {
        const auto parsed = SignedNote::parse(text);
        if (!parsed) return 0;
        const auto keys = parsed->verify({bob.verifier()});
        return keys ? keys->size() : 0;
    };
    REQUIRE(valid_keys(note) == 1);
    for (std::size_t i = 0; i < note.size(); ++i) {
        for (const int bit : {0x01, 0x04, 0x20, 0x80}) {
            std::string changed = note;
            changed[i] = static_cast<char>(changed[i] ^ bit);
            INFO(i << " " << bit);
            CHECK(valid_keys(changed) == 0);
        }
        std::string cut = note;
        cut.erase(i, 1);
        INFO("without byte " << i);
        CHECK(valid_keys(cut) == 0);
    }
}

TEST_CASE("signatures of strangers count for nothing, a broken one by a known key is an error") {
    const SignerKey bob = signer("bob@example.com");
    const SignerKey carol = signer("carol@example.com");
    const SignerKey impostor = signer("bob@example.com");
    const std::string text = "text\n";
    const auto line = [&](const SignerKey& by, std::string_view over) {
        const auto made = by.signature_line(over);
        REQUIRE(made);
        return *made;
    };
    struct Row {
        std::string_view name;
        std::string lines;
        std::vector<VerifierKey> valid;
        bool error = false;
    };
    const std::string broken = "— bob@example.com " + line(bob, "other\n").substr(std::string_view("— bob@example.com ").size());
    const Row rows[] = {
        {"one known", line(bob, text), {bob.verifier()}},
        {"two known", line(carol, text) + line(bob, text), {carol.verifier(), bob.verifier()}},
        {"one known twice", line(bob, text) + line(bob, text), {bob.verifier()}},
        {"a stranger", line(impostor, text), {}},
        {"a stranger's broken one beside a known one", line(impostor, "other\n") + line(bob, text), {bob.verifier()}},
        {"a known key's broken one", broken, {}, true},
        {"a known key's broken one beside another's", line(carol, text) + broken, {}, true},
        {"of an algorithm nobody knows", "— bob@example.com AAAAAAAA\n" + line(bob, text), {bob.verifier()}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto note = SignedNote::parse(text + "\n" + row.lines);
        REQUIRE(note);
        const auto valid = note->verify({bob.verifier(), carol.verifier()});
        CHECK(valid.has_value() == !row.error);
        if (valid) CHECK(*valid == row.valid);
        if (!valid) CHECK(valid.error().code == Errc::contradictory);
    }
}

TEST_CASE("what is no note is refused") {
    const std::string line(kPeterLine);
    std::string many = "text\n\n";
    for (std::size_t i = 0; i <= SignedNote::kSignaturesMax; ++i) many += line;
    struct Row {
        std::string_view name;
        std::string note;
        Errc code = Errc::invalid_argument;
    };
    const Row rows[] = {
        {"nothing", ""},
        {"a text alone", "text\n"},
        {"no signature", "text\n\n"},
        {"no empty line", "text\n" + line},
        {"no line feed at the end", "text\n\n" + line.substr(0, line.size() - 1)},
        {"a line that is no signature", "text\n\n" + line + "more\n"},
        {"a hyphen for the dash", "text\n\n- " + line.substr(4)},
        {"no name", "text\n\n—  x08go/Zo\n"},
        {"a name with '+'", "text\n\n— a+b x08go/Zo\n"},
        {"no base64", "text\n\n— a x08go/Z\n"},
        {"an id alone", "text\n\n— a x08gow==\n"},
        {"a carriage return", "text\r\n\n" + line},
        {"a tab", "te\txt\n\n" + line},
        {"a NUL", std::string("te\0xt\n\n", 7) + line},
        {"no UTF-8", "te\xc3xt\n\n" + line, Errc::invalid_utf8},
        {"overlong UTF-8", "te\xc0\xaft\n\n" + line, Errc::invalid_utf8},
        {"a surrogate", "te\xed\xa0\x80t\n\n" + line, Errc::invalid_utf8},
        {"beyond Unicode", "te\xf4\x90\x80\x80t\n\n" + line, Errc::invalid_utf8},
        {"too many signatures", many, Errc::too_large},
        {"too many bytes", std::string(SignedNote::kBytesMax, 'a') + "\n\n" + line, Errc::too_large},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto note = SignedNote::parse(row.note);
        REQUIRE_FALSE(note);
        CHECK(note.error().code == row.code);
    }
}

TEST_CASE("only a text that every reader takes is signed") {
    const SignerKey bob = signer("bob@example.com");
    for (const std::string& text :
         {std::string(), std::string("text"), std::string("te\txt\n"), std::string(SignedNote::kBytesMax, 'a') + "\n"}) {
        CHECK_FALSE(sign_note(text, bob));
    }
    const auto note = SignedNote::parse(signed_by("two\n\nparagraphs\n\n", bob));
    REQUIRE(note);
    CHECK(note->text == "two\n\nparagraphs\n\n");
    CHECK(note->verify({bob.verifier()}) == std::vector{bob.verifier()});
}
