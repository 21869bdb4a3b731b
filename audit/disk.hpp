#pragma once

// The few file operations the audit log is made of, behind one small interface, so that a test can put a disk in their place that
// fails, lies, loses its power or kills the process at any of them. The real one is POSIX. Each is one step: nothing here is durable
// because a function returned, but by `File::sync` (what was written) and `Disk::sync_directory` (that a name is there, or gone).
// What is made of these steps is in audit/durable_file.hpp and audit/wal.hpp. Rules: docs/explanation/audit-log.md.
//
// Paths are relative to the directory of the log, with '/'; "" is that directory itself.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace fluxgate::audit {

// An open file. A resource; one thread at a time. Errors io, with the path.
class File {
public:
    virtual ~File() = default;
    // All of `bytes` or an error; after an error what lies there is undefined. Beyond the end: the file grows.
    virtual Result<void> write_at(std::uint64_t offset, std::string_view bytes) = 0;
    // Returns when all that was written will survive a loss of power (fdatasync). Never ask again after an error: the kernel may have
    // dropped the pages, and a second call would "succeed" (fsyncgate).
    virtual Result<void> sync() = 0;
    // Takes room for that many bytes from the start now, so that a full disk is met here; what was not written reads as zeros.
    virtual Result<void> allocate(std::uint64_t bytes) = 0;
    virtual Result<void> truncate(std::uint64_t bytes) = 0;
    virtual Result<std::uint64_t> size() = 0;
    // How many bytes were there; fewer than asked for at the end of the file only.
    virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) = 0;
};

struct DirectoryEntry {
    std::string name{};
    bool is_directory = false;
    std::uint64_t bytes = 0;

    friend bool operator==(const DirectoryEntry&, const DirectoryEntry&) = default;
};

// The directories whose names this process has made durable itself. That a directory is there says nothing: a killed process may have left
// its name in the cache only. Any thread.
class DurableDirectories {
public:
    bool contains(const std::string& path) const;
    void insert(const std::string& path);

private:
    mutable std::mutex mutex_;
    std::set<std::string> paths_;
};

// Any thread may call it, but for files, see there. Errors io, with the path.
class Disk {
public:
    enum class Access { read, write };

    virtual ~Disk() = default;
    // Makes the directory of the log if it is missing (its parent must be there), durably, and takes it for this process alone until the
    // Disk ends. Error contradictory when another process has it. Readers do not take it.
    virtual Result<void> take() = 0;
    // Regular files and directories, sorted by name; others, also links to such, are left out: in a stranger's folder they lead anywhere,
    // and in circles. A missing directory is an error.
    virtual Result<std::vector<DirectoryEntry>> list(const std::string& path) = 0;
    virtual Result<bool> exists(const std::string& path) = 0;
    virtual Result<void> make_directory(const std::string& path) = 0;  // there already: fine
    // New and empty, mode 0640; a name that is there is an error.
    virtual Result<std::unique_ptr<File>> create(const std::string& path) = 0;
    // No link, and to be read, a regular file; anything else is an error.
    virtual Result<std::unique_ptr<File>> open(const std::string& path, Access access) = 0;
    virtual Result<void> rename(const std::string& from, const std::string& to) = 0;  // over what is there
    virtual Result<void> link(const std::string& from, const std::string& to) = 0;    // a second name; `to` is there: error contradictory
    virtual Result<void> remove(const std::string& path) = 0;                         // a file
    virtual Result<void> sync_directory(const std::string& path) = 0;

    DurableDirectories& durable_directories() { return durable_directories_; }  // for audit/durable_file.hpp

private:
    DurableDirectories durable_directories_;
};

std::unique_ptr<Disk> make_posix_disk(std::filesystem::path directory);

}  // namespace fluxgate::audit
