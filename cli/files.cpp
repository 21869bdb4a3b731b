#include "cli/files.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <unistd.h>

namespace fluxgate::cli {

// By `read`, because an iterator throws where a folder stands in the place of the file.
Result<std::string> read_file(const std::filesystem::path& path) {
    std::ifstream stream(path, std::ios::binary);
    std::string text;
    char piece[16'384];
    while (stream) {
        stream.read(piece, sizeof piece);
        text.append(piece, static_cast<std::size_t>(stream.gcount()));
    }
    if (!stream.eof()) return fail(Errc::io, std::string("cannot read the file: ") + std::strerror(errno), path.string());
    return text;
}

// Made with its mode from the start: a key must at no moment be readable by others.
Result<void> write_file(const std::filesystem::path& path, std::string_view text, unsigned mode) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0) return fail(Errc::io, std::string("cannot write the file: ") + std::strerror(errno), path.string());
    bool good = true;
    while (good && !text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        good = written > 0;
        if (good) text.remove_prefix(static_cast<std::size_t>(written));
    }
    const std::string reason = good ? "" : std::strerror(errno);
    if (::close(fd) != 0) good = false;
    if (!good) return fail(Errc::io, "cannot write the file: " + reason, path.string());
    return {};
}

Result<void> replace_file(const std::filesystem::path& path, std::string_view text) {
    std::error_code error;
    const std::filesystem::path target = std::filesystem::canonical(path, error);
    if (error) return fail(Errc::io, "cannot replace the file: " + error.message(), path.string());
    const auto mode = std::filesystem::status(target, error).permissions();
    const std::filesystem::path beside = target.string() + ".new";
    if (auto written = write_file(beside, text, static_cast<unsigned>(mode)); !written) return written;
    std::filesystem::permissions(beside, mode, error);  // whatever the umask took away
    if (!error) std::filesystem::rename(beside, target, error);
    if (!error) return {};
    std::error_code ignored;
    std::filesystem::remove(beside, ignored);
    return fail(Errc::io, "cannot replace the file: " + error.message(), path.string());
}

}  // namespace fluxgate::cli
