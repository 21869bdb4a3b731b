#include "http/request_head.hpp"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <cstring>
#include <limits>

namespace fluxgate::http {

namespace beast_http = boost::beast::http;

RequestHead::RequestHead(std::size_t header_bytes_max, std::size_t body_bytes_max) : header_bytes_max_(header_bytes_max) {
    // Beast's limit counts from the last line it accepted; ours counts the whole header.
    Parser::header_limit(std::numeric_limits<std::uint32_t>::max());
    Parser::body_limit(body_bytes_max);
    Parser::eager(false);
}

RequestHead::Progress RequestHead::read_header(InputBuffer& in) {
    // RFC 9112 2.2: an empty line before the request is forgiven.
    if (header_bytes_ == 0) {
        std::size_t empty = 0;
        while (in.size() >= empty + 2 && in.view(empty, 2) == "\r\n") empty += 2;
        in.consume(empty);
        if (in.size() == 0 || in.view(0, in.size()) == "\r") return Progress::needs_more;
    }
    base_ = in.base();
    base_size_ = in.size();
    const std::size_t offered = std::min(in.size(), header_bytes_max_) - header_bytes_;
    ErrorCode error;
    header_bytes_ += Parser::put({base_ + header_bytes_, offered}, error);
    if (error == beast_http::error::need_more) {
        if (in.size() >= header_bytes_max_) return refuse(431, "header_too_large", "the request header is too large");
        return Progress::needs_more;
    }
    if (error) return refuse(error);
    header_read_ = true;
    return check_header();
}

RequestHead::Progress RequestHead::check_header() {
    if (odd_transfer_encoding_) return refuse(400, "bad_request", "the only Transfer-Encoding is chunked");
    if (is_chunked() && !http11_) return refuse(400, "bad_request", "HTTP/1.0 has no Transfer-Encoding");
    // RFC 9112 3.2
    if (hosts_ > 1 || (http11_ && hosts_ == 0)) return refuse(400, "bad_request", "a request carries exactly one Host");
    if (expects_other_) return refuse(417, "expectation_failed", "the only expectation is 100-continue");
    if (needs_length_ && !has_length() && !is_chunked()) return refuse(411, "length_required", "this method needs Content-Length");
    return Progress::complete;
}

RequestHead::Progress RequestHead::read_chunks(InputBuffer& in) {
    base_ = in.base();
    base_size_ = in.size();
    Parser::eager(true);
    const std::size_t start = header_bytes_ + body_bytes_;
    ErrorCode error;
    // The parser hands decoded bytes to on_chunk_body_impl, which moves them to the left, over frames already read.
    const std::size_t taken = Parser::put({base_ + start, base_size_ - start}, error);
    const std::size_t body_end = header_bytes_ + body_bytes_;
    const std::size_t unread = base_size_ - start - taken;
    std::memmove(base_ + body_end, base_ + start + taken, unread);
    in.truncate(body_end + unread);
    if (error == beast_http::error::need_more || (!error && !Parser::is_done())) {
        // One chunk's size line, or the trailer: as small as a header has to be.
        if (unread > header_bytes_max_) return refuse(400, "bad_request", "a chunk's header is too large");
        return Progress::needs_more;
    }
    if (error) return refuse(error);
    return Progress::complete;
}

std::optional<std::uint64_t> RequestHead::length() const {
    if (!header_read_) return std::nullopt;
    const auto value = Parser::content_length();
    if (!value) return std::nullopt;
    return *value;
}

RequestHead::Progress RequestHead::refuse(int status, std::string_view code, std::string_view text) {
    refusal_ = Refusal{status, code, text};
    return Progress::refused;
}

RequestHead::Progress RequestHead::refuse(ErrorCode error) {
    if (error == beast_http::error::body_limit) return refuse(413, "too_large", "the request body is too large");
    if (error == beast_http::error::bad_transfer_encoding || error == beast_http::error::bad_content_length ||
        error == beast_http::error::multiple_content_length) {
        return refuse(400, "bad_request", "Content-Length and Transfer-Encoding contradict each other or themselves");
    }
    if (error == beast_http::error::bad_version) return refuse(400, "bad_request", "this port speaks HTTP/1.1");
    return refuse(400, "bad_request", "this is not a well-formed HTTP/1.1 request");
}

void RequestHead::on_request_impl(beast_http::verb verb, Text method, Text target, int version, ErrorCode&) {
    http11_ = version == 11;
    is_head_ = verb == beast_http::verb::head;
    needs_length_ = verb == beast_http::verb::post || verb == beast_http::verb::put || verb == beast_http::verb::patch;
    method_ = span_of(method);
    // RFC 9112 3.2.2: a proxy sends the absolute form.
    if (!target.empty() && target.front() != '/') {
        if (const auto scheme = target.find("://"); scheme != Text::npos) {
            const auto slash = target.find_first_of("/?", scheme + 3);
            target = slash == Text::npos ? target.substr(target.size()) : target.substr(slash);
        }
    }
    const auto question = target.find('?');
    path_ = span_of(target.substr(0, question));
    query_ = question == Text::npos ? Span{} : span_of(target.substr(question + 1));
}

void RequestHead::on_field_impl(beast_http::field field, Text, Text value, ErrorCode& error) {
    if (header_read_) return;  // a trailer decides nothing
    // A folded value (RFC 9112 5.2) was joined elsewhere; refusing is what the RFC advises, and keeps spans true.
    const bool inside = value.empty() || (value.data() >= base_ && value.data() + value.size() <= base_ + base_size_);
    if (!inside) {
        error = beast_http::error::bad_obs_fold;
        return;
    }
    switch (field) {
        case beast_http::field::content_type: content_type_ = value.empty() ? Span{} : span_of(value); break;
        case beast_http::field::host: ++hosts_; break;
        case beast_http::field::transfer_encoding: odd_transfer_encoding_ |= !boost::beast::iequals(value, "chunked"); break;
        case beast_http::field::expect: (boost::beast::iequals(value, "100-continue") ? expects_continue_ : expects_other_) = true; break;
        default: break;
    }
}

void RequestHead::on_header_impl(ErrorCode&) {}
void RequestHead::on_body_init_impl(boost::optional<std::uint64_t> const&, ErrorCode&) {}
std::size_t RequestHead::on_body_impl(Text body, ErrorCode&) { return body.size(); }
void RequestHead::on_chunk_header_impl(std::uint64_t, Text, ErrorCode&) {}

std::size_t RequestHead::on_chunk_body_impl(std::uint64_t, Text body, ErrorCode&) {
    std::memmove(base_ + header_bytes_ + body_bytes_, body.data(), body.size());
    body_bytes_ += body.size();
    return body.size();
}

void RequestHead::on_finish_impl(ErrorCode&) {}

}  // namespace fluxgate::http
