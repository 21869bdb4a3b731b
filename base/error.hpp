#pragma once

// The one way a fallible function of Fluxgate says "no": a stable code for programs and tests, a sentence for people
// that says what to do next, and the place the sentence is about.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace fluxgate {

// Stable: the names (see `to_string`) appear in answers, records, logs and metrics.
enum class Errc : std::uint8_t {
    // bytes that are not what they claim to be
    invalid_json,
    invalid_utf8,
    duplicate_key,
    trailing_data,
    too_deep,
    too_many_nodes,
    too_large,
    missing_field,
    wrong_type,
    contradictory,
    unsupported_version,
    invalid_field_set,
    invalid_quantity,
    invalid_yaml,
    // configuration
    invalid_policy,
    not_implemented,
    invalid_argument,
    invalid_certificate,
    // the environment
    io,
    audit_unavailable,
    deadline_exceeded,
    overloaded,
    peer,
    // our own mistake
    internal,
};

std::string_view to_string(Errc code);

// A value: copy it, compare it, print it.
struct Error {
    Errc code = Errc::internal;
    std::string message;  // one sentence: what is wrong, what was expected, what to do
    std::string where;    // JSON pointer, `file:line:column`, path or object key; empty when there is none

    friend bool operator==(const Error&, const Error&) = default;
};

// "where: message (code)"; without `where`: "message (code)".
std::string to_string(const Error& error);

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(Errc code, std::string message, std::string where = {}) {
    return tl::unexpected<Error>(Error{code, std::move(message), std::move(where)});
}

}  // namespace fluxgate
