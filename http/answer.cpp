#include "http/answer.hpp"

#include <array>
#include <charconv>
#include <chrono>

namespace fluxgate::http {

namespace {

std::string_view reason_phrase(int status) {
    switch (status) {
        case 200: return "OK";
        case 204: return "No Content";
        case 400: return "Bad Request";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 408: return "Request Timeout";
        case 411: return "Length Required";
        case 413: return "Content Too Large";
        case 415: return "Unsupported Media Type";
        case 417: return "Expectation Failed";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 503: return "Service Unavailable";
        default: return "Status";  // RFC 9112 4: clients ignore it
    }
}

void append_number(std::string& out, std::size_t number) {
    std::array<char, 24> digits;  // NOLINT: written before it is read
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

}  // namespace

void append_answer(std::string& out, const Response& response, const AnswerFrame& frame) {
    const bool may_have_body = response.status != 204 && response.status != 304;
    out += "HTTP/1.1 ";
    append_number(out, static_cast<std::size_t>(response.status));
    out += ' ';
    out += reason_phrase(response.status);
    out += "\r\nDate: ";
    out += frame.date;
    out += "\r\n";
    if (frame.close) out += "Connection: close\r\n";
    out += frame.fields;
    if (may_have_body) {
        if (!response.content_type.empty()) {
            out += "Content-Type: ";
            out += response.content_type;
            out += "\r\n";
        }
        out += "Content-Length: ";
        append_number(out, response.body.size());
        out += "\r\n";
    }
    out += "\r\n";
    if (may_have_body && !frame.head) out += response.body;
}

std::string refusal_body(std::string_view code, std::string_view text) {
    std::string body = R"({"error":")";
    body += text;
    body += R"(","code":")";
    body += code;
    body += "\"}\n";
    return body;
}

std::string http_date() {
    static constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    const auto today = std::chrono::floor<std::chrono::days>(now);
    const std::chrono::year_month_day day{today};
    const std::chrono::hh_mm_ss time{now - today};
    std::string text;
    const auto two_digits = [&text](long number) {
        text += static_cast<char>('0' + number / 10);
        text += static_cast<char>('0' + number % 10);
    };
    text += kDays.at(std::chrono::weekday{today}.c_encoding());
    text += ", ";
    two_digits(static_cast<long>(static_cast<unsigned>(day.day())));
    text += ' ';
    text += kMonths.at(static_cast<unsigned>(day.month()) - 1);
    text += ' ';
    append_number(text, static_cast<std::size_t>(static_cast<int>(day.year())));
    text += ' ';
    two_digits(time.hours().count());
    text += ':';
    two_digits(time.minutes().count());
    text += ':';
    two_digits(time.seconds().count());
    text += " GMT";
    return text;
}

}  // namespace fluxgate::http
