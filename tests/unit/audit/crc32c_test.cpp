#include "audit/crc32c.hpp"

#include <string>

#include "tests/support/catch.hpp"
#include "tests/support/random.hpp"

using namespace fluxgate::audit;

TEST_CASE("the checksums are those of the published vectors") {
    struct Row {
        const char* name;
        std::string bytes;
        std::uint32_t checksum;
    };
    const Row rows[] = {
        {"nothing", "", 0},
        {"the nine digits", "123456789", 0xe3069283},
        {"32 zeros, RFC 3720 B.4", std::string(32, '\0'), 0x8a9136aa},
        {"32 ones, RFC 3720 B.4", std::string(32, '\xff'), 0x62a8ab43},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(crc32c(row.bytes) == row.checksum);
        CHECK(crc32c_portable(row.bytes) == row.checksum);
    }
}

TEST_CASE("the processor's instruction and Boost agree on any bytes, wherever they are divided") {
    fluxgate::testing::Random random(1);
    for (int i = 0; i < 2'000; ++i) {
        std::string bytes(random.below(100), '\0');
        for (char& byte : bytes) byte = static_cast<char>(random.next());
        const std::string_view view(bytes);
        const std::size_t middle = random.below(bytes.size() + 1);
        CHECK(crc32c(view.substr(0, middle), view.substr(middle)) == crc32c_portable(view));
    }
}
