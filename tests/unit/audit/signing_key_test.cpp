#include "audit/signing_key.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "tests/support/catch.hpp"
#include "tests/unit/audit/support.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using audit::testing::Folder;
using audit::testing::read_text;
using audit::testing::write_text;

namespace {

unsigned mode_of(const std::filesystem::path& path) {
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

}  // namespace

TEST_CASE("a signing key is made once, for its owner alone, and found again") {
    Folder folder;
    const auto made = SigningKey::open_or_make(folder / "log.key", "fluxgate/prod/fluxgate-0/1");
    REQUIRE(made.has_value());
    CHECK(mode_of(folder / "log.key") == 0600);
    CHECK(made->key.verifier().name == "fluxgate/prod/fluxgate-0/1");
    CHECK_FALSE(made->rotation.has_value());
    const auto again = SigningKey::open_or_make(folder / "log.key", "another/name");
    REQUIRE(again.has_value());
    CHECK(again->key.verifier() == made->key.verifier());
    CHECK_FALSE(std::filesystem::exists(folder / "log.key.new"));
}

TEST_CASE("a key file that cannot be trusted is refused, without the key in the message") {
    struct Row {
        std::string_view name;
        std::string text;
        unsigned mode = 0600;
        Errc code = Errc::invalid_argument;
    };
    const SignerKey key = *SignerKey::generate("log");
    const std::string text = key.text() + "\n";
    const std::string other = SignerKey::generate("log")->text() + "\n";
    const Row rows[] = {
        {"readable for everybody", text, 0644},
        {"readable for the group", text, 0640},
        {"writable for everybody", text, 0602},
        {"empty", ""},
        {"no key", "hello\n"},
        {"a verifier key", key.verifier().text() + "\n"},
        {"two keys", text + other},
        {"a cut key", text.substr(0, text.size() / 2)},
        {"a key and something else", text + "\nhello\n"},
        {"larger than a key can be", text + std::string(70'000, 'x')},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Folder folder;
        write_text(folder / "log.key", row.text);
        REQUIRE(::chmod((folder / "log.key").c_str(), row.mode) == 0);
        const auto opened = SigningKey::open_or_make(folder / "log.key", "log");
        REQUIRE_FALSE(opened.has_value());
        CHECK(opened.error().code == row.code);
        CHECK(opened.error().where == (folder / "log.key").string());
        CHECK(to_string(opened.error()).find(text.substr(text.rfind('+') + 1, 20)) == std::string::npos);
        CHECK(read_text(folder / "log.key") == row.text);
    }
    Folder folder;
    CHECK(SigningKey::open(folder / "log.key").error().code == Errc::io);
    CHECK(SigningKey::open_or_make(folder / "no/folder/log.key", "log").error().code == Errc::io);
    CHECK(SigningKey::open_or_make(folder / "log.key", "a b").error().code == Errc::invalid_argument);
}

TEST_CASE("a rotated key has the old name, and a statement of both keys until it is recorded") {
    Folder folder;
    const auto old = SigningKey::open_or_make(folder / "log.key", "log");
    REQUIRE(old.has_value());
    const auto rotated = SigningKey::rotate(folder / "log.key");
    REQUIRE(rotated.has_value());
    CHECK(mode_of(folder / "log.key") == 0600);
    CHECK(rotated->key.verifier().name == "log");
    REQUIRE(rotated->rotation.has_value());
    CHECK(rotated->rotation->from == old->key.verifier());
    CHECK(rotated->rotation->to == rotated->key.verifier());
    CHECK(KeyRotation::parse(rotated->rotation->note) == *rotated->rotation);

    auto opened = SigningKey::open(folder / "log.key");
    REQUIRE(opened.has_value());
    CHECK(opened->key.verifier() == rotated->key.verifier());
    CHECK(opened->rotation == rotated->rotation);
    const auto too_soon = SigningKey::rotate(folder / "log.key");
    REQUIRE_FALSE(too_soon.has_value());
    CHECK(too_soon.error().code == Errc::contradictory);

    REQUIRE(opened->statement_is_recorded().has_value());
    CHECK_FALSE(opened->rotation.has_value());
    CHECK_FALSE(SigningKey::open(folder / "log.key")->rotation.has_value());
    CHECK(SigningKey::open(folder / "log.key")->key.verifier() == rotated->key.verifier());
    CHECK(SigningKey::rotate(folder / "log.key").has_value());
}

TEST_CASE("a statement of rotation counts only if both keys signed it and both are the log's") {
    const SignerKey old_key = *SignerKey::generate("log");
    const SignerKey new_key = *SignerKey::generate("log");
    const SignerKey third = *SignerKey::generate("log");
    const SignerKey foreign = *SignerKey::generate("other");
    const auto text = [](const std::string& origin, const SignerKey& from, const SignerKey& to) {
        return "fluxgate key rotation\n" + origin + "\n" + from.verifier().text() + "\n" + to.verifier().text() + "\n";
    };
    const auto signed_by = [](const std::string& of, const SignerKey& first, const SignerKey& second) {
        return *sign_note(of, first) + *second.signature_line(of);
    };
    const std::string good = text("log", old_key, new_key);
    struct Row {
        std::string_view name;
        std::string note;
        bool holds = false;
    };
    const Row rows[] = {
        {"by both", signed_by(good, old_key, new_key), true},
        {"by both, the new key first", signed_by(good, new_key, old_key), true},
        {"by the old key alone", *sign_note(good, old_key)},
        {"by the new key alone", *sign_note(good, new_key)},
        {"by the old key twice", signed_by(good, old_key, old_key)},
        {"by the new key and a third", signed_by(good, new_key, third)},
        {"by nobody", good},
        {"of another origin", signed_by(text("other", old_key, new_key), old_key, new_key)},
        {"to a key of another log", signed_by(text("log", old_key, foreign), old_key, foreign)},
        {"to the same key", signed_by(text("log", old_key, old_key), old_key, old_key)},
        {"with another title", signed_by("rotation\n" + good, old_key, new_key)},
        {"with a line more", signed_by(good + "more\n", old_key, new_key)},
        {"with a line less", signed_by("fluxgate key rotation\nlog\n" + old_key.verifier().text() + "\n", old_key, new_key)},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(KeyRotation::parse(row.note).has_value() == row.holds);
    }
    const std::string note = rows[0].note;
    for (std::size_t at = 0; at < note.size(); ++at) {
        std::string changed = note;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        INFO("byte " << at);
        CHECK_FALSE(KeyRotation::parse(changed).has_value());
    }
}

TEST_CASE("a log is named after cluster, replica and epoch, in characters that a key name can have") {
    CHECK(origin_for("prod-we-1", "fluxgate-0") == "fluxgate/prod-we-1/fluxgate-0/1");
    CHECK(origin_for("prod", "fluxgate-0", 3) == "fluxgate/prod/fluxgate-0/3");
    CHECK(origin_for("a b+c/d", "\u00e9") == "fluxgate/a-b-c-d/--/1");
    CHECK(origin_for("", "") == "fluxgate/unnamed/unnamed/1");
    CHECK(SignerKey::generate(origin_for(std::string(500, 'x'), std::string(500, 'y'))).has_value());
}
