#include "base/digest.hpp"

#include "tests/support/catch.hpp"

using fluxgate::sha256_hex;

TEST_CASE("SHA-256 gives the digests of the standard") {
    struct Row {
        std::string_view name;
        std::string text;
        std::string_view digest;
    };
    const Row rows[] = {
        {"nothing", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"one block", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"two blocks", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"a million bytes", std::string(1'000'000, 'a'), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(sha256_hex(row.text) == row.digest);
    }
}

TEST_CASE("a NUL is a byte like any other to the digest") { CHECK(sha256_hex(std::string_view("\0", 1)) != sha256_hex("")); }

TEST_CASE("the digest of parts is that of the parts joined") {
    using fluxgate::sha256;
    CHECK(sha256({"ab", "", "c"}) == sha256({"abc"}));
    CHECK(sha256({}) == sha256({""}));
    CHECK(sha256({"abc"})[0] == 0xba);
}
