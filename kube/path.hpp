#pragma once

// Field paths the way people write them: .spec.template.spec.containers[name="web"].image, .metadata.labels["a.b/c"], [0].

#include <cstddef>
#include <string>
#include <string_view>

namespace fluxgate::kube {

// Appends `.name`, or `["name"]` when the name is no plain identifier (letters, digits, '_', '-').
void append_field(std::string& path, std::string_view name);
void append_index(std::string& path, std::size_t index);                           // [3]
void append_key(std::string& path, std::string_view key, std::string_view value);  // [name="web"]

// One step of a JSON pointer (RFC 6901): a slash, and the step with '~' and '/' escaped.
void append_pointer_step(std::string& pointer, std::string_view step);

// Control characters, quotes and backslashes escaped as in JSON, in double quotes: a JSON string, if the text is UTF-8.
void append_quoted(std::string& out, std::string_view text);
std::string quoted(std::string_view text);

}  // namespace fluxgate::kube
