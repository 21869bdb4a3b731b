#include "audit/disk.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fluxgate::audit {

namespace {

class Descriptor {
public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    int get() const { return fd_; }
    bool good() const { return fd_ >= 0; }

private:
    int fd_;
};

tl::unexpected<Error> io_error(const char* doing, const std::filesystem::path& path) {
    return fail(Errc::io, std::string("cannot ") + doing + ": " + std::strerror(errno), path.string());
}

class PosixFile final : public File {
public:
    PosixFile(Descriptor descriptor, std::filesystem::path path) : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

    Result<void> write_at(std::uint64_t offset, std::string_view bytes) override {
        while (!bytes.empty()) {
            const ssize_t written = ::pwrite(descriptor_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
            if (written < 0) {
                if (errno == EINTR) continue;
                return io_error("write to the audit log", path_);
            }
            if (written == 0) return fail(Errc::io, "cannot write to the audit log: nothing was taken", path_.string());
            bytes.remove_prefix(static_cast<std::size_t>(written));
            offset += static_cast<std::uint64_t>(written);
        }
        return {};
    }

    Result<void> sync() override {
        if (::fdatasync(descriptor_.get()) != 0) return io_error("make the audit log durable", path_);
        return {};
    }

    Result<void> allocate(std::uint64_t bytes) override {
        int error = EINTR;
        while (error == EINTR) error = ::posix_fallocate(descriptor_.get(), 0, static_cast<off_t>(bytes));
        if (error == 0) return {};
        errno = error;
        return io_error("take room for the audit log", path_);
    }

    Result<void> truncate(std::uint64_t bytes) override {
        if (::ftruncate(descriptor_.get(), static_cast<off_t>(bytes)) != 0) return io_error("cut a file of the audit log", path_);
        return {};
    }

    Result<std::uint64_t> size() override {
        struct stat status {};
        if (::fstat(descriptor_.get(), &status) != 0) return io_error("read the audit log", path_);
        return static_cast<std::uint64_t>(status.st_size);
    }

    Result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
        std::size_t done = 0;
        while (done < into.size()) {
            const ssize_t got = ::pread(descriptor_.get(), into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
            if (got < 0) {
                if (errno == EINTR) continue;
                return io_error("read the audit log", path_);
            }
            if (got == 0) break;
            done += static_cast<std::size_t>(got);
        }
        return done;
    }

private:
    Descriptor descriptor_;
    std::filesystem::path path_;
};

class PosixDisk final : public Disk {
public:
    explicit PosixDisk(std::filesystem::path directory) : root_(std::move(directory)) {}

    Result<void> take() override {
        const bool made = ::mkdir(root_.c_str(), 0750) == 0;
        if (!made && errno != EEXIST) return io_error("create the audit directory", root_);
        // Also when it was there: who made it may have been killed before its name was durable. But the directory above, which "/.." finds
        // for "audit" and "audit/" alike, need not be ours to read.
        if (auto synced = sync(root_ / ".."); !synced && (made || ::access((root_ / "..").c_str(), R_OK) == 0)) return synced;
        taken_ = Descriptor(::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!taken_.good()) return io_error("open the audit directory", root_);
        if (::flock(taken_.get(), LOCK_EX | LOCK_NB) == 0) return {};
        if (errno == EWOULDBLOCK)
            return fail(Errc::contradictory, "another process writes its audit log here; give each its own directory", root_.string());
        return io_error("lock the audit directory", root_);
    }

    Result<std::vector<DirectoryEntry>> list(const std::string& path) override {
        std::vector<DirectoryEntry> entries;
        std::error_code error;
        for (std::filesystem::directory_iterator entry(root_ / path, error), end; !error && entry != end; entry.increment(error)) {
            // A file can go away while the list is made.
            std::error_code gone;
            if (entry->is_symlink(gone)) continue;
            if (entry->is_directory(gone)) {
                entries.push_back({entry->path().filename().string(), true, 0});
            } else if (entry->is_regular_file(gone)) {
                const auto bytes = entry->file_size(gone);
                if (!gone) entries.push_back({entry->path().filename().string(), false, bytes});
            }
        }
        if (error) return fail(Errc::io, "cannot list a directory of the audit log: " + error.message(), (root_ / path).string());
        std::sort(entries.begin(), entries.end(), [](const auto& left, const auto& right) { return left.name < right.name; });
        return entries;
    }

    Result<bool> exists(const std::string& path) override {
        if (::access((root_ / path).c_str(), F_OK) == 0) return true;
        if (errno == ENOENT) return false;
        return io_error("look for a file of the audit log", root_ / path);
    }

    Result<void> make_directory(const std::string& path) override {
        if (::mkdir((root_ / path).c_str(), 0750) != 0 && errno != EEXIST) return io_error("create a directory", root_ / path);
        return {};
    }

    Result<std::unique_ptr<File>> create(const std::string& path) override {
        return open_file(path, O_RDWR | O_CREAT | O_EXCL, "create a file of the audit log");
    }

    Result<std::unique_ptr<File>> open(const std::string& path, Access access) override {
        return open_file(path, access == Access::read ? O_RDONLY : O_RDWR, "open a file of the audit log");
    }

    Result<void> rename(const std::string& from, const std::string& to) override {
        if (::rename((root_ / from).c_str(), (root_ / to).c_str()) != 0) return io_error("rename a file of the audit log", root_ / to);
        return {};
    }

    Result<void> link(const std::string& from, const std::string& to) override {
        if (::link((root_ / from).c_str(), (root_ / to).c_str()) == 0) return {};
        if (errno == EEXIST) return fail(Errc::contradictory, "a file that must be new is there already", (root_ / to).string());
        return io_error("name a file of the audit log", root_ / to);
    }

    Result<void> remove(const std::string& path) override {
        if (::unlink((root_ / path).c_str()) != 0) return io_error("remove a file of the audit log", root_ / path);
        return {};
    }

    Result<void> sync_directory(const std::string& path) override { return sync(root_ / path); }

private:
    Result<std::unique_ptr<File>> open_file(const std::string& path, int flags, const char* doing) const {
        // Nobody writes at the other end of a pipe: without O_NONBLOCK we would wait for ever.
        Descriptor descriptor(::open((root_ / path).c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640));
        if (!descriptor.good()) return io_error(doing, root_ / path);
        struct stat status {};
        if (::fstat(descriptor.get(), &status) != 0) return io_error(doing, root_ / path);
        if (flags == O_RDONLY && !S_ISREG(status.st_mode))
            return fail(Errc::io, std::string("cannot ") + doing + ": it is no file", (root_ / path).string());
        return std::make_unique<PosixFile>(std::move(descriptor), root_ / path);
    }

    static Result<void> sync(const std::filesystem::path& directory) {
        const Descriptor descriptor(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!descriptor.good() || ::fsync(descriptor.get()) != 0) return io_error("make a directory of the audit log durable", directory);
        return {};
    }

    std::filesystem::path root_;
    Descriptor taken_;
};

}  // namespace

bool DurableDirectories::contains(const std::string& path) const {
    const std::lock_guard lock(mutex_);
    return paths_.contains(path);
}

void DurableDirectories::insert(const std::string& path) {
    const std::lock_guard lock(mutex_);
    paths_.insert(path);
}

std::unique_ptr<Disk> make_posix_disk(std::filesystem::path directory) { return std::make_unique<PosixDisk>(std::move(directory)); }

}  // namespace fluxgate::audit
