#include "audit/storage.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fluxgate::audit {

namespace {

class Descriptor {
public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    ~Descriptor() { reset(); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    Descriptor(Descriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    int get() const { return fd_; }
    bool good() const { return fd_ >= 0; }

private:
    void reset() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }
    int fd_;
};

tl::unexpected<Error> io_error(const char* doing, const std::filesystem::path& path) {
    return fail(Errc::io, std::string("cannot ") + doing + ": " + std::strerror(errno), path.string());
}

class PosixFile final : public AppendFile {
public:
    PosixFile(Descriptor descriptor, std::filesystem::path path) : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

    Result<void> append(std::string_view bytes) override {
        while (!bytes.empty()) {
            const ssize_t written = ::write(descriptor_.get(), bytes.data(), bytes.size());
            if (written < 0) {
                if (errno == EINTR) continue;
                return io_error("write a record", path_);
            }
            bytes.remove_prefix(static_cast<std::size_t>(written));
        }
        return {};
    }

    Result<void> sync() override {
        if (::fdatasync(descriptor_.get()) != 0) return io_error("make a record durable", path_);
        return {};
    }

private:
    Descriptor descriptor_;
    std::filesystem::path path_;
};

class PosixStorage final : public Storage {
public:
    explicit PosixStorage(std::filesystem::path directory) : path_(std::move(directory)) {}

    Result<void> open_directory() override {
        if (::mkdir(path_.c_str(), 0750) == 0) {
            if (auto synced = sync_parent(); !synced) return synced;
        } else if (errno != EEXIST) {
            return io_error("create the audit directory", path_);
        }
        directory_ = Descriptor(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!directory_.good()) return io_error("open the audit directory", path_);
        if (::flock(directory_.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK)
                return fail(Errc::contradictory, "another process writes its audit log here; give each its own directory", path_.string());
            return io_error("lock the audit directory", path_);
        }
        return {};
    }

    Result<std::vector<std::string>> list() override {
        std::vector<std::string> names;
        std::error_code error;
        for (std::filesystem::directory_iterator entry(path_, error), end; !error && entry != end; entry.increment(error)) {
            std::error_code type_error;
            if (entry->is_regular_file(type_error)) names.push_back(entry->path().filename().string());
        }
        if (error) return fail(Errc::io, "cannot list the audit directory: " + error.message(), path_.string());
        std::sort(names.begin(), names.end());
        return names;
    }

    Result<std::unique_ptr<AppendFile>> create(const std::string& name) override {
        const auto path = path_ / name;
        Descriptor descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0640));
        if (!descriptor.good()) return io_error("create a file of the audit log", path);
        if (::fsync(directory_.get()) != 0) return io_error("make the audit directory durable", path_);
        return std::make_unique<PosixFile>(std::move(descriptor), path);
    }

    Result<std::optional<std::string>> last_line(const std::string& name) override {
        const auto path = path_ / name;
        const Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        struct stat status {};
        if (!descriptor.good() || ::fstat(descriptor.get(), &status) != 0) return io_error("read the audit log", path);
        if (::fdatasync(descriptor.get()) != 0) return io_error("make the audit log durable", path);
        // Backwards in growing windows until one holds a whole line.
        for (off_t window = 64 << 10;; window *= 4) {
            const off_t start = std::max<off_t>(0, status.st_size - window);
            std::string text(static_cast<std::size_t>(status.st_size - start), '\0');
            const ssize_t got = ::pread(descriptor.get(), text.data(), text.size(), start);
            if (got < 0) return io_error("read the audit log", path);
            text.resize(static_cast<std::size_t>(got));
            const std::size_t end = text.rfind('\n');
            if (end == std::string::npos && start == 0) return std::nullopt;
            if (end == std::string::npos) continue;
            const std::size_t begin = end == 0 ? std::string::npos : text.rfind('\n', end - 1);
            if (begin != std::string::npos) return text.substr(begin + 1, end - begin - 1);
            if (start == 0) return text.substr(0, end);
        }
    }

private:
    Result<void> sync_parent() const {
        const auto parent = std::filesystem::path(path_ / "..");  // also right for "audit" and "audit/"
        const Descriptor descriptor(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!descriptor.good() || ::fsync(descriptor.get()) != 0) return io_error("make the audit directory durable", path_);
        return {};
    }

    std::filesystem::path path_;
    Descriptor directory_;
};

}  // namespace

std::unique_ptr<Storage> make_posix_storage(std::filesystem::path directory) {
    return std::make_unique<PosixStorage>(std::move(directory));
}

}  // namespace fluxgate::audit
