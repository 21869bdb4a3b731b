#include "cli/input/document_stream.hpp"

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::size_t kRoom = 1u << 20;

// LINE text, or LINE! text for the beginning of one that is too large.
std::vector<std::string> cut_in_blocks(const std::string& text, std::size_t bytes_max, std::size_t block_bytes) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
    REQUIRE(std::fwrite(text.data(), 1, text.size(), file.get()) == text.size());
    std::rewind(file.get());
    DocumentStream stream(file.get(), bytes_max, block_bytes);
    std::vector<std::string> documents;
    for (DocumentText document; stream.next(document);)
        documents.push_back(std::to_string(document.line) + (document.too_large ? "! " : " ") + std::string(document.text));
    CHECK(stream.failed() == 0);
    CHECK(stream.bytes_read() == text.size());
    return documents;
}

// However many bytes are read at once.
std::vector<std::string> cut(const std::string& text, std::size_t bytes_max = kRoom) {
    auto documents = cut_in_blocks(text, bytes_max, DocumentStream::kBlockBytes);
    constexpr std::size_t kShort = 200;
    for (std::size_t block = 1; block < 8 && text.size() < kShort; ++block) CHECK(cut_in_blocks(text, bytes_max, block) == documents);
    return documents;
}

struct Row {
    std::string what;
    std::string text;
    std::vector<std::string> documents;
};

}  // namespace

TEST_CASE("YAML is cut at lines that begin with a separator") {
    for (const Row& row : std::vector<Row>{
             {"nothing", "", {}},
             {"one document", "a: 1\n", {"1 a: 1\n"}},
             {"two", "a: 1\n---\nb: 2\n", {"1 a: 1\n", "2 ---\nb: 2\n"}},
             {"only separators", "---\n---\n---\n", {"1 ---\n", "2 ---\n", "3 ---\n"}},
             {"a separator with a comment", "a: 1\n--- # next\nb: 2\n", {"1 a: 1\n", "2 --- # next\nb: 2\n"}},
             {"a separator with a value", "a: 1\n--- {b: 2}\n", {"1 a: 1\n", "2 --- {b: 2}\n"}},
             {"a separator with a tab", "a: 1\n---\t\nb: 2\n", {"1 a: 1\n", "2 ---\t\nb: 2\n"}},
             {"a separator at the very end", "a: 1\n---", {"1 a: 1\n", "2 ---"}},
             {"two hyphens at the very end", "a: 1\n--", {"1 a: 1\n--"}},
             {"no line break at the end", "a: 1\n---\nb: 2", {"1 a: 1\n", "2 ---\nb: 2"}},
             {"four hyphens", "a: 1\n----\n---x\n", {"1 a: 1\n----\n---x\n"}},
             {"hyphens within a block", "a: |\n  x\n  ---\n  y\n---\nb: 2\n", {"1 a: |\n  x\n  ---\n  y\n", "5 ---\nb: 2\n"}},
             {"CRLF", "a: 1\r\n---\r\nb: 2\r\n", {"1 a: 1\r\n", "2 ---\r\nb: 2\r\n"}},
             {"a byte order mark",
              "\xef\xbb\xbf"
              "a: 1\n---\nb: 2\n",
              {"1 \xef\xbb\xbf"
               "a: 1\n",
               "2 ---\nb: 2\n"}},
             {"empty lines first", "\n\n---\na: 1\n", {"1 \n\n", "3 ---\na: 1\n"}},
         }) {
        INFO(row.what);
        CHECK(cut(row.text) == row.documents);
    }
}

TEST_CASE("JSON is cut where a value ends") {
    for (const Row& row : std::vector<Row>{
             {"lines", "{\"a\":1}\n{\"a\":2}\n", {"1 {\"a\":1}\n", "2 {\"a\":2}\n"}},
             {"without a line break", "{\"a\":1}{\"a\":2} {\"a\":3}", {"1 {\"a\":1}", "1 {\"a\":2} ", "1 {\"a\":3}"}},
             {"lines of CRLF", "{\"a\":1}\r\n{\"a\":2}\r\n", {"1 {\"a\":1}\r\n", "2 {\"a\":2}\r\n"}},
             {"over many lines", "{\n\"a\": {\n}\n}\n{\n \"a\": 2\n}\n", {"1 {\n\"a\": {\n}\n}\n", "5 {\n \"a\": 2\n}\n"}},
             {"an array over many lines", "[\n{\"a\":1},\n{\"a\":2}\n]\n{}\n", {"1 [\n{\"a\":1},\n{\"a\":2}\n]\n", "5 {}\n"}},
             {"brackets and quotes in strings", R"({"a":"}\"{\\"}{"b":"]"})", {R"(1 {"a":"}\"{\\"})", R"(1 {"b":"]"})"}},
             {"a broken line",
              "{\"a\":1}\n{\"a\":\n{\"a\":3\n{\"a\":4}\n",
              {"1 {\"a\":1}\n", "2 {\"a\":\n", "3 {\"a\":3\n", "4 {\"a\":4}\n"}},
             {"a string that is not closed", "{\"a\":\"x\n{\"a\":2}\n", {"1 {\"a\":\"x\n", "2 {\"a\":2}\n"}},
             {"more behind a value", "{\"a\":1} x\n{\"a\":2}\n", {"1 {\"a\":1} x\n", "2 {\"a\":2}\n"}},
             {"a separator behind it", "{\"a\":1}\n---\n{\"a\":2}\n", {"1 {\"a\":1}\n", "2 ---\n{\"a\":2}\n"}},
             {"YAML behind it", "{\"a\":1}\nb: 2\n", {"1 {\"a\":1}\n", "2 b: 2\n"}},
             {"a template", "{{- if .x }}\na: 1\n{{- end }}\n---\nb: 2\n", {"1 {{- if .x }}\na: 1\n{{- end }}\n", "4 ---\nb: 2\n"}},
         }) {
        INFO(row.what);
        CHECK(cut(row.text) == row.documents);
    }
}

TEST_CASE("a document that is too large costs only itself") {
    const std::string large = "a: " + std::string(20, 'x') + "\n";
    CHECK(cut("a: 1\n---\n" + large + "---\nb: 2\n", 10) == std::vector<std::string>{"1 a: 1\n", "2! ---\na: xxx", "4 ---\nb: 2\n"});
    CHECK(cut(large, 10) == std::vector<std::string>{"1! a: xxxxxxx"});
    CHECK(cut("{\"a\":1}\n{\"a\":\"xxxxxxxxxx\"}\n{\"a\":2}\n", 10) ==
          std::vector<std::string>{"1 {\"a\":1}\n", "2! {\"a\":\"xxxx", "3 {\"a\":2}\n"});
    CHECK(cut("a: 1\n---\nb: 2\n", 1) == std::vector<std::string>{"1! a", "2! -"});
    CHECK(cut("a: 1\n---\nb: 2\n", 5) == std::vector<std::string>{"1 a: 1\n", "2! ---\nb"});
}

TEST_CASE("files may be longer than what is read at once") {
    constexpr std::size_t kBlock = 1u << 20;
    // The separator at every place around the end of a block.
    for (std::size_t shift = 0; shift < 8; ++shift) {
        INFO(shift);
        const std::string first = "a: " + std::string(kBlock - 7 + shift - 4, 'x') + "\n";
        const auto documents = cut(first + "---\nb: 2\n---\nc: 3\n", 3 * kBlock);
        REQUIRE(documents.size() == 3);
        CHECK(documents[0] == "1 " + first);
        CHECK(documents[1] == "2 ---\nb: 2\n");
        CHECK(documents[2] == "4 ---\nc: 3\n");
        const auto cut_short = cut("z: 0\n---\n" + first + first + "---\nb: 2\n---\nc: 3\n", kBlock / 2);
        REQUIRE(cut_short.size() == 4);
        CHECK(cut_short[1].substr(0, 7) == "2! ---\n");
        CHECK(cut_short[2] == "5 ---\nb: 2\n");
    }
    std::string lines;
    constexpr int kLines = 200'000;
    for (int i = 0; i < kLines; ++i) lines += "{\"number\":" + std::to_string(i) + "}\n";
    const auto documents = cut(lines, 100);
    REQUIRE(documents.size() == kLines);
    CHECK(documents.back() == "200000 {\"number\":199999}\n");
}

TEST_CASE("lines that are never closed do not make the rest be read again for each") {
    std::string lines;
    constexpr int kLines = 100'000;
    for (int i = 0; i < kLines; ++i) lines += "{\"a\":{\"b\":1\n";
    CHECK(cut(lines, 100'000'000).size() == kLines);
}

}  // namespace fluxgate::cli
