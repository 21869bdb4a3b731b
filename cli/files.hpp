#pragma once

// Small whole files: certificates, keys, recordings, tests; and files that appear whole or not at all.

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace fluxgate::cli {

// What is read at once when nothing says more: a Secret or a ConfigMap holds at most 1 MiB.
inline constexpr std::size_t kFileBytesMax = 1u << 20;

// Only a regular file, through links too: a device or a pipe may have no end. Errors: io, too_large, with the reason and the path.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max = kFileBytesMax);
// `mode` as for chmod: 0600 for keys.
Result<void> write_file(const std::filesystem::path& path, std::string_view text, unsigned mode);

// A file that appears whole or not at all: written beside its place under a name that nobody can foresee, and renamed into it. Until
// `finish` what was there stays, and an aborted run leaves nothing. What is there and no regular file (a pipe, /dev/null) is written
// to directly; a link is refused, because it may lead anywhere.
class NewFile {
public:
    // Mode 0644 as the umask has it. Error io.
    static Result<NewFile> create(const std::filesystem::path& path);
    static Result<NewFile> create(const std::filesystem::path& path, unsigned mode);
    NewFile(NewFile&& other) noexcept;
    NewFile& operator=(NewFile&&) = delete;
    ~NewFile();

    std::ostream& stream() { return stream_; }
    // Once. Error io: then it is as if nothing had been written.
    Result<void> finish();

private:
    explicit NewFile(std::filesystem::path path) : path_(std::move(path)) {}

    std::filesystem::path path_;
    std::filesystem::path beside_;  // empty: nothing to remove
    std::ofstream stream_;
};

// All or nothing, with the mode that the file has; through a link, over what it leads to.
Result<void> replace_file(const std::filesystem::path& path, std::string_view text);

// May these outputs be written? Refuses one that is given twice, that is among the `inputs` (a file, or a manifest in or below a
// folder), or that a policy folder would take for a policy. Errors: invalid_argument.
Result<void> check_outputs(const std::vector<std::string>& outputs, const std::vector<std::string>& inputs,
                           const std::vector<std::string>& policies);

}  // namespace fluxgate::cli
