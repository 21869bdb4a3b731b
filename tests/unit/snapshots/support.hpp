#pragma once

// Objects as texts, for the tests of this folder.

#include <string>
#include <string_view>

#include "kube/json.hpp"
#include "tests/support/catch.hpp"

namespace fluxgate::snapshots::testing {

// Owns what its `Json` looks into.
class Object {
public:
    explicit Object(std::string_view text) : text_(kube::with_slack(text)), reader_(Limits{}) {
        INFO(text);
        const auto json = reader_.read(text_);
        REQUIRE(json.has_value());
        json_ = *json;
    }
    Object(const Object&) = delete;
    kube::Json operator*() const { return json_; }

private:
    std::string text_;
    kube::JsonReader reader_;
    kube::Json json_;
};

// {"metadata":{"name":…,"namespace":…},…}; `more` are further members, each followed by none: R"("spec":{…})".
inline std::string object(std::string_view key, std::string_view more = {}) {
    const std::size_t slash = key.find('/');
    std::string text = R"({"metadata":{"name":")" + std::string(key.substr(slash == key.npos ? 0 : slash + 1)) + "\"";
    if (slash != key.npos) text += R"(,"namespace":")" + std::string(key.substr(0, slash)) + "\"";
    text += "}";
    if (!more.empty()) text.append(",").append(more);
    return text + "}";
}

}  // namespace fluxgate::snapshots::testing
