#pragma once

// Different things have different types, even if both hold a string. An Id owns its text, is not empty, and is made
// only by `parse`, so a value of the type is proof that the text was checked.

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace fluxgate {

// Tag supplies `static constexpr std::string_view name` (for errors) and `static bool accepts(std::string_view)`.
template <class Tag>
class Id {
public:
    static Result<Id> parse(std::string_view text) {
        if (text.empty() || !Tag::accepts(text)) {
            return fail(Errc::invalid_argument, std::string(Tag::name) + " \"" + std::string(text.substr(0, 80)) + "\" is not valid");
        }
        return Id(std::string(text));
    }

    const std::string& text() const { return text_; }
    friend bool operator==(const Id&, const Id&) = default;
    friend auto operator<=>(const Id&, const Id&) = default;

private:
    explicit Id(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

}  // namespace fluxgate
