#pragma once

// Reads the header of one request, and the frame of a chunked body, with Beast's parser underneath: only what the server
// needs is kept, as offsets into the connection's buffer, so that reading a header allocates nothing.
// Rules: RFC 9112 (framing), RFC 9110 (fields).

#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "http/input_buffer.hpp"

namespace fluxgate::http {

// Why a request is refused. A value; the texts are literals.
struct Refusal {
    int status;
    std::string_view code;
    std::string_view text;
};

// Lives for one request.
class RequestHead : private boost::beast::http::basic_parser<true> {
public:
    enum class Progress : std::uint8_t { needs_more, complete, refused };

    RequestHead(std::size_t header_bytes_max, std::size_t body_bytes_max);

    // Looks at what arrived so far, from the buffer's start. `complete` when the header is.
    Progress read_header(InputBuffer& in);

    // After the header of a chunked request: takes the frames out of what arrived, so that the decoded body lies at
    // [header_bytes(), header_bytes() + body_bytes()) and unread bytes directly behind it.
    Progress read_chunks(InputBuffer& in);

    const Refusal& refusal() const { return *refusal_; }
    std::size_t header_bytes() const { return header_bytes_; }
    std::size_t body_bytes() const { return body_bytes_; }  // decoded so far; for a body with a length see `length()`
    bool is_chunked() const { return chunked(); }
    std::optional<std::uint64_t> length() const;
    bool has_length() const { return length().has_value(); }
    bool keeps_alive() const { return http11_ && keep_alive(); }
    bool is_http11() const { return http11_; }
    bool expects_continue() const { return expects_continue_; }
    bool is_head() const { return is_head_; }

    std::string_view method(const InputBuffer& in) const { return in.view(method_.offset, method_.size); }
    std::string_view path(const InputBuffer& in) const { return in.view(path_.offset, path_.size); }
    std::string_view query(const InputBuffer& in) const { return in.view(query_.offset, query_.size); }
    std::string_view content_type(const InputBuffer& in) const { return in.view(content_type_.offset, content_type_.size); }

private:
    using Parser = boost::beast::http::basic_parser<true>;
    using ErrorCode = boost::beast::error_code;
    using Text = boost::beast::string_view;
    struct Span {
        std::size_t offset = 0;
        std::size_t size = 0;
    };

    Progress refuse(int status, std::string_view code, std::string_view text);
    Progress refuse(ErrorCode error);
    Progress check_header();
    Span span_of(Text text) const { return {static_cast<std::size_t>(text.data() - base_), text.size()}; }

    void on_request_impl(boost::beast::http::verb, Text method, Text target, int version, ErrorCode& error) override;
    void on_field_impl(boost::beast::http::field field, Text name, Text value, ErrorCode& error) override;
    void on_header_impl(ErrorCode& error) override;
    void on_body_init_impl(boost::optional<std::uint64_t> const&, ErrorCode& error) override;
    std::size_t on_body_impl(Text body, ErrorCode& error) override;
    void on_chunk_header_impl(std::uint64_t, Text, ErrorCode& error) override;
    std::size_t on_chunk_body_impl(std::uint64_t, Text body, ErrorCode& error) override;
    void on_finish_impl(ErrorCode& error) override;
    void on_response_impl(int, Text, int, ErrorCode&) override {}

    std::size_t header_bytes_max_;
    char* base_ = nullptr;  // of the buffer while `put` runs
    std::size_t base_size_ = 0;
    std::size_t header_bytes_ = 0;
    std::size_t body_bytes_ = 0;
    std::optional<Refusal> refusal_;
    Span method_;
    Span path_;
    Span query_;
    Span content_type_;
    unsigned hosts_ = 0;
    bool http11_ = false;
    bool is_head_ = false;
    bool needs_length_ = false;
    bool odd_transfer_encoding_ = false;
    bool expects_continue_ = false;
    bool expects_other_ = false;
    bool header_read_ = false;
};

}  // namespace fluxgate::http
