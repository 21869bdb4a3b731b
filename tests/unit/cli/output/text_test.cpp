#include "cli/output/text.hpp"

#include "tests/support/catch.hpp"

using namespace fluxgate::cli;

TEST_CASE("hidden characters are shown as what they are") {
    struct Row {
        const char* name;
        std::string text;
        std::string shown;
    };
    const Row row = GENERATE(values<Row>({
        {"plain text", "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \\n", "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \\n"},
        {"line ends and tabs", "a\nb\r\tc", "a\\nb\\r\\tc"},
        {"an escape sequence", "\x1b[31mred", "\\x1b[31mred"},
        {"its eight-bit form", "\xc2\x9b\x33m", "\\x9b3m"},
        {"DEL and NUL", std::string("a\x7f\0b", 4), "a\\x7f\\x00b"},
        {"a turn of the direction of writing", "\xe2\x80\xae", "\\u202e"},
        {"a line separator", "\xe2\x80\xa8", "\\u2028"},
        {"a zero width space", "a\xe2\x80\x8b", "a\\u200b"},
        {"a tag", "\xf3\xa0\x81\x81", "\\U000e0041"},
        {"a byte that is no UTF-8",
         "a\xff"
         "b",
         "a\xef\xbf\xbd"
         "b"},
        {"an overlong slash", "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"a surrogate", "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"a character cut short", "\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"a command for Azure Pipelines", "x##vso[task.setvariable]", "x#\\#vso[task.setvariable]"},
        {"a command in the old form", "##[error]", "#\\#[error]"},
        {"three of the signs", "###vso[x]", "##\\#vso[x]"},
        {"a heading", "## a", "## a"},
    }));
    INFO(row.name);
    CHECK(visible(row.text) == row.shown);
}

TEST_CASE("what is too long is cut between characters, with its size") {
    CHECK(visible("\xc3\xa9\xc3\xa9\xc3\xa9", 3) == "\xc3\xa9\xc3\xa9\xc3\xa9");
    CHECK(visible("\xc3\xa9\xc3\xa9\xc3\xa9", 2) == "\xc3\xa9\xc3\xa9… (6 bytes)");
    CHECK(visible(std::string(1 << 20, 'x'), 3) == "xxx… (1048576 bytes)");
}

TEST_CASE("the name of a service account is short, and nobody else's looks like one") {
    struct Row {
        const char* username;
        const char* shown;
    };
    for (const Row& row :
         {Row{"system:serviceaccount:flux-system:kustomize-controller", "flux-system:kustomize-controller"},
          Row{"alice@example.com", "alice@example.com"}, Row{"system:kube-scheduler", "system:kube-scheduler"},
          Row{"system:serviceaccount:system:kube-scheduler", "system:serviceaccount:system:kube-scheduler"},
          Row{"flux-system:kustomize-controller", "\"flux-system:kustomize-controller\""},
          Row{"system:serviceaccount:no-name", "system:serviceaccount:no-name"},
          Row{"system:serviceaccount:a:b:c", "system:serviceaccount:a:b:c"}, Row{"system:serviceaccount:a:", "system:serviceaccount:a:"},
          Row{"system:serviceaccount::b", "system:serviceaccount::b"},
          Row{"https://login.example.com#bob", "https://login.example.com#bob"}, Row{"", ""}}) {
        INFO(row.username);
        CHECK(short_username(row.username) == row.shown);
    }
}
