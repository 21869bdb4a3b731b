#include "cli/files.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "policy/policy_config_map.hpp"

namespace fluxgate::cli {

// Opened without waiting, because a pipe without a writer would make it wait for ever.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max) {
    const auto refuse = [&](const std::string& why) { return fail(Errc::io, "cannot read the file: " + why, path.string()); };
    const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) return refuse(std::strerror(errno));
    struct stat status {};
    const bool known = ::fstat(fd, &status) == 0;
    if (!known || !S_ISREG(status.st_mode)) {
        const std::string why = !known ? std::strerror(errno) : S_ISDIR(status.st_mode) ? std::strerror(EISDIR) : "it is no regular file";
        ::close(fd);
        return refuse(why);
    }
    std::string text;
    char piece[16'384];
    ssize_t got = 0;
    while (text.size() <= bytes_max && (got = ::read(fd, piece, sizeof piece)) > 0) text.append(piece, static_cast<std::size_t>(got));
    const int reason = errno;
    ::close(fd);
    if (got < 0) return refuse(std::strerror(reason));
    if (text.size() > bytes_max)
        return fail(Errc::too_large, fmt::format("cannot read the file: it has more than {} bytes", bytes_max), path.string());
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

Result<NewFile> NewFile::create(const std::filesystem::path& path) {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    return create(path, 0644 & ~mask);
}

Result<NewFile> NewFile::create(const std::filesystem::path& path, unsigned mode) {
    const auto refuse = [&](const std::string& why) { return fail(Errc::io, "cannot write the file: " + why, path.string()); };
    NewFile file(path);
    struct stat status {};
    const bool there = ::lstat(path.c_str(), &status) == 0;
    if (there && S_ISLNK(status.st_mode)) return refuse("it is a link; name the file that it leads to");
    if (there && S_ISDIR(status.st_mode)) return refuse(std::strerror(EISDIR));
    if (there && !S_ISREG(status.st_mode)) {
        file.stream_.open(path, std::ios::binary);
        if (!file.stream_) return refuse(std::strerror(errno));
        return file;
    }
    std::string name = (path.parent_path() / ".fluxgate-XXXXXX").string();
    const int fd = ::mkostemp(name.data(), O_CLOEXEC);
    if (fd < 0) return refuse(std::strerror(errno));
    file.beside_ = name;
    const bool moded = ::fchmod(fd, mode) == 0;
    const int reason = errno;
    ::close(fd);
    if (!moded) return refuse(std::strerror(reason));
    file.stream_.open(file.beside_, std::ios::binary);
    if (!file.stream_) return refuse(std::strerror(errno));
    return file;
}

NewFile::NewFile(NewFile&& other) noexcept
    : path_(std::move(other.path_)), beside_(std::exchange(other.beside_, {})), stream_(std::move(other.stream_)) {}

NewFile::~NewFile() {
    std::error_code ignored;
    if (!beside_.empty()) std::filesystem::remove(beside_, ignored);
}

Result<void> NewFile::finish() {
    errno = 0;
    stream_.close();
    const auto refuse = [&](const std::string& why) { return fail(Errc::io, "cannot write the file: " + why, path_.string()); };
    if (!stream_) return refuse(errno == 0 ? "not all of it was written" : std::strerror(errno));
    if (beside_.empty()) return {};
    std::error_code error;
    std::filesystem::rename(beside_, path_, error);
    if (error) return refuse(error.message());
    beside_.clear();
    return {};
}

Result<void> replace_file(const std::filesystem::path& path, std::string_view text) {
    std::error_code error;
    const std::filesystem::path target = std::filesystem::canonical(path, error);
    if (error) return fail(Errc::io, "cannot write the file: " + error.message(), path.string());
    const auto mode = std::filesystem::status(target, error).permissions();
    auto file = NewFile::create(target, static_cast<unsigned>(mode));
    if (!file) return tl::unexpected(file.error());
    file->stream() << text;
    return file->finish();
}

namespace {

namespace fs = std::filesystem;

fs::path resolved(const fs::path& path) {
    std::error_code error;
    return fs::weakly_canonical(fs::absolute(path, error), error);  // on its own it leaves alone what is not there
}

bool is_same_file(const fs::path& one, const fs::path& other) {
    std::error_code error;
    if (fs::exists(one, error) && fs::exists(other, error)) return fs::equivalent(one, other, error);
    return resolved(one) == resolved(other);
}

bool is_below(const fs::path& path, const fs::path& folder) {
    const fs::path from = resolved(folder);
    const fs::path to = resolved(path);
    return std::mismatch(from.begin(), from.end(), to.begin(), to.end()).first == from.end();
}

// Nothing that is kept: a pipe, /dev/null.
bool is_device(const fs::path& path) {
    std::error_code error;
    return fs::exists(path, error) && fs::is_other(path, error);
}

}  // namespace

Result<void> check_outputs(const std::vector<std::string>& outputs, const std::vector<std::string>& inputs,
                           const std::vector<std::string>& policies) {
    const auto refuse = [](const std::string& output, const std::string& why) {
        return fail(Errc::invalid_argument, fmt::format("{}: {}; write to another file", output, why));
    };
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        const fs::path output = outputs[i];
        if (is_device(output)) continue;
        for (std::size_t k = 0; k < i; ++k) {
            if (is_same_file(output, outputs[k])) return refuse(outputs[i], "two outputs would be written to it");
        }
        std::error_code error;
        const bool is_input = policy::is_policy_file_name(output.filename().string()) && fs::exists(output, error);
        for (const std::string& input : inputs) {
            const bool read = fs::is_directory(input, error) ? is_input && is_below(output, input) : is_same_file(output, input);
            if (read) return refuse(outputs[i], "it is among what is judged");
        }
        for (const std::string& folder : policies) {
            const bool in_it = policy::is_policy_file_name(output.filename().string()) && is_below(output, folder);
            if (in_it || is_same_file(output, folder)) return refuse(outputs[i], "it would be read as a policy");
        }
    }
    return {};
}

}  // namespace fluxgate::cli
