#pragma once

// Cuts a stream of manifests into documents, so that a broken one costs only itself and memory follows the largest one. YAML is cut
// where a line starts with `---`, which nothing inside a document may do; JSON values that follow each other (JSON Lines, `jq -c`)
// are cut where they end.

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace fluxgate::cli {

struct DocumentText {
    std::string_view text;   // valid until the next call of `next`
    int line = 1;            // of its first character
    bool too_large = false;  // more than `bytes_max`: `text` is its beginning, the rest was passed over
};

// A resource for one thread. `file` must be open for reading and is not closed.
class DocumentStream {
public:
    static constexpr std::size_t kBlockBytes = 1u << 20;

    // At least `block_bytes`, not none, are asked of the file at once.
    DocumentStream(std::FILE* file, std::size_t bytes_max, std::size_t block_bytes = kBlockBytes)
        : file_(file), bytes_max_(bytes_max), block_bytes_(block_bytes) {}

    // False at the end; then `failed` says whether reading failed (errno of it), or the file simply ended.
    bool next(DocumentText& document);
    int failed() const { return error_; }
    std::uint64_t bytes_read() const { return bytes_read_; }

private:
    bool fill();
    std::size_t find_boundary(std::size_t& from, bool json) const;
    std::size_t find_next(bool json);
    std::size_t find_end_of_json(std::size_t first);
    std::size_t find_end();
    void advance(std::size_t bytes);
    void pass_over_rest();
    std::string_view rest() const { return std::string_view(buffer_).substr(begin_); }

    std::FILE* file_;
    std::size_t bytes_max_;
    std::size_t block_bytes_;
    std::string buffer_;
    std::size_t begin_ = 0;  // of the document given out last, and what follows
    std::size_t given_ = 0;  // its size
    bool cut_ = false;       // it was longer than that
    bool is_json_ = false;   // it begins like it
    int line_ = 1;           // at begin_
    bool ended_ = false;
    int error_ = 0;
    std::uint64_t bytes_read_ = 0;
};

}  // namespace fluxgate::cli
