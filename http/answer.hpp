#pragma once

// Answers as bytes.

#include <string>
#include <string_view>

#include "http/message.hpp"

namespace fluxgate::http {

struct AnswerFrame {
    bool close = false;         // say `Connection: close`
    bool head = false;          // the answer to HEAD: the same header, no body
    std::string_view date;      // IMF-fixdate
    std::string_view fields{};  // further complete header lines
};

void append_answer(std::string& out, const Response& response, const AnswerFrame& frame);

// The JSON body of what the server itself refuses. Both texts are ours and need no escaping.
std::string refusal_body(std::string_view code, std::string_view text);

// RFC 9110 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT", now.
std::string http_date();

}  // namespace fluxgate::http
