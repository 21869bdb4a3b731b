#pragma once

// The few file operations a durable log needs, behind an interface so that tests can make each of them fail, before or
// after it took effect. The real one is POSIX.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace fluxgate::audit {

// One file open for appending. One thread at a time.
class AppendFile {
public:
    virtual ~AppendFile() = default;
    // All of `bytes` or an error; after an error the end of the file is undefined.
    virtual Result<void> append(std::string_view bytes) = 0;
    // Returns when all appended bytes will survive a loss of power. Never ask again after an error: the kernel may have
    // dropped the pages and a second call would "succeed" (fsyncgate).
    virtual Result<void> sync() = 0;
};

class Storage {
public:
    virtual ~Storage() = default;
    // Creates the directory, durably, if it is missing (its parent must be there) and takes it for this process alone, until the
    // Storage ends. Error io; contradictory when another process has it.
    virtual Result<void> open_directory() = 0;
    // Names of the regular files, sorted.
    virtual Result<std::vector<std::string>> list() = 0;
    // A new, empty file; an existing name is an error. Its directory entry is durable when this returns.
    virtual Result<std::unique_ptr<AppendFile>> create(const std::string& name) = 0;
    // The last line feed-terminated line of a file, without the line feed; nothing if there is none. The file is durable by
    // then: a process that was killed may have left it in the page cache only, and going on behind what a loss of power
    // then takes away would leave a hole.
    virtual Result<std::optional<std::string>> last_line(const std::string& name) = 0;
};

std::unique_ptr<Storage> make_posix_storage(std::filesystem::path directory);

}  // namespace fluxgate::audit
