#include "http/input_buffer.hpp"

#include <cstring>
#include <string>

#include "http/message.hpp"
#include "tests/support/catch.hpp"

using namespace fluxgate::http;

namespace {

void append(InputBuffer& buffer, const std::string& text) {
    REQUIRE(buffer.room().size() >= text.size());
    std::memcpy(buffer.room().data(), text.data(), text.size());
    buffer.commit(text.size());
}

}  // namespace

TEST_CASE("an input buffer keeps its bytes while it grows, from the heap to mapped memory and on") {
    InputBuffer buffer;
    std::string expected;
    for (const std::size_t capacity :
         {std::size_t{10}, std::size_t{5'000}, std::size_t{262'143}, std::size_t{262'144}, std::size_t{1u << 20}, std::size_t{9u << 20}}) {
        REQUIRE(buffer.reserve(capacity));
        REQUIRE(buffer.reserve(capacity / 2));
        CHECK(buffer.capacity() == capacity);
        const std::string more(buffer.room().size(), static_cast<char>('a' + expected.size() % 26));
        append(buffer, more);
        expected += more;
        buffer.clear_slack();
        CHECK(buffer.view(0, buffer.size()) == expected);
        CHECK(buffer.view(buffer.size(), kBodySlack) == std::string(kBodySlack, '\0'));
    }
    buffer.release();
    CHECK(buffer.capacity() == 0);
    CHECK(buffer.size() == 0);
    REQUIRE(buffer.reserve(100));
    append(buffer, "again");
    CHECK(buffer.view(0, 5) == "again");
}

TEST_CASE("consuming moves what is left to the front") {
    InputBuffer buffer;
    REQUIRE(buffer.reserve(20));
    append(buffer, "first,second");
    buffer.consume(0);
    buffer.consume(6);
    CHECK(buffer.view(0, buffer.size()) == "second");
    buffer.truncate(3);
    CHECK(buffer.view(0, buffer.size()) == "sec");
    buffer.consume(3);
    CHECK(buffer.size() == 0);
    CHECK(buffer.room().size() == 20);
}
