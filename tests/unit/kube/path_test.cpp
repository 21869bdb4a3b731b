#include "kube/path.hpp"

#include "tests/support/catch.hpp"

using namespace fluxgate::kube;

TEST_CASE("a path reads the way people write it") {
    std::string path;
    append_field(path, "spec");
    append_field(path, "containers");
    append_key(path, "name", "web");
    append_field(path, "ports");
    append_index(path, 3);
    append_field(path, "host_IP-2");
    CHECK(path == R"(.spec.containers[name="web"].ports[3].host_IP-2)");

    path = ".metadata.labels";
    append_field(path, "app.kubernetes.io/name");
    CHECK(path == R"(.metadata.labels["app.kubernetes.io/name"])");
}

TEST_CASE("a name cannot pretend to be a path, a quote or a line") {
    struct Row {
        std::string_view name;
        std::string_view text;
        std::string_view quoted;
    };
    const Row rows[] = {
        {"empty", "", R"([""])"},
        {"a dot", "a.b", R"(["a.b"])"},
        {"a quote", "a\"].b[\"", R"(["a\"].b[\""])"},
        {"a backslash", "a\\", R"(["a\\"])"},
        {"a line end", "a\nb", R"(["a\u000ab"])"},
        {"an escape for terminals", "\x1b[31m", R"(["\u001b[31m"])"},
        {"DEL", "\x7f", R"(["\u007f"])"},
        {"a NUL", std::string_view("a\0b", 3), R"(["a\u0000b"])"},
        {"UTF-8 stays", "größe", R"(["größe"])"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        std::string path;
        append_field(path, row.text);
        CHECK(path == row.quoted);
        CHECK(quoted(row.text) == row.quoted.substr(1, row.quoted.size() - 2));
    }
    std::string path;
    append_key(path, "name", "a\"b");
    CHECK(path == R"([name="a\"b"])");
}
