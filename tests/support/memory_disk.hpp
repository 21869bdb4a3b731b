#pragma once

// A folder of an audit log in memory: nothing fails, everything is durable at once. For tests that make many logs, and change them.

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "audit/disk.hpp"

namespace fluxgate::audit::testing {

// The bytes of a file. Who opened it keeps them, whatever becomes of the name; a copy is another file.
class MemoryBytes {
public:
    MemoryBytes() = default;
    MemoryBytes(const MemoryBytes& other) : shared_(std::make_shared<std::string>(*other.shared_)) {}
    MemoryBytes(MemoryBytes&&) = default;
    MemoryBytes& operator=(MemoryBytes&&) = default;
    MemoryBytes& operator=(std::string bytes) {
        shared_ = std::make_shared<std::string>(std::move(bytes));
        return *this;
    }
    std::string* operator->() const { return shared_.get(); }
    std::string& operator*() const { return *shared_; }
    const std::shared_ptr<std::string>& shared() const { return shared_; }

private:
    std::shared_ptr<std::string> shared_ = std::make_shared<std::string>();
};

class MemoryDisk final : public Disk {
public:
    std::map<std::string, MemoryBytes> files{};  // by path; tests may change it
    std::set<std::string> directories{};         // those made; those that a file is in are there too

    Result<void> take() override { return {}; }

    Result<std::vector<DirectoryEntry>> list(const std::string& path) override {
        if (const auto there = exists(path); !*there) return fail(Errc::io, "no such directory", path);
        const std::string prefix = path.empty() ? "" : path + "/";
        std::map<std::string, DirectoryEntry> found;
        for (auto file = files.lower_bound(prefix); file != files.end() && file->first.starts_with(prefix); ++file) {
            const std::string rest = file->first.substr(prefix.size());
            const std::size_t slash = rest.find('/');
            const bool is_directory = slash != std::string::npos;
            const std::string name = rest.substr(0, slash);
            found[name] = {name, is_directory, is_directory ? 0 : file->second->size()};
        }
        for (const std::string& directory : directories) {
            if (!directory.starts_with(prefix) || directory.size() == prefix.size()) continue;
            const std::string name = directory.substr(prefix.size(), directory.find('/', prefix.size()) - prefix.size());
            found[name] = {name, true, 0};
        }
        std::vector<DirectoryEntry> entries;
        for (auto& [name, entry] : found) entries.push_back(std::move(entry));
        return entries;
    }
    Result<bool> exists(const std::string& path) override {
        if (path.empty() || files.contains(path) || directories.contains(path)) return true;
        const auto below = files.lower_bound(path + "/");
        return below != files.end() && below->first.starts_with(path + "/");
    }
    Result<void> make_directory(const std::string& path) override {
        directories.insert(path);
        return {};
    }
    Result<std::unique_ptr<File>> create(const std::string& path) override {
        if (!files.try_emplace(path).second) return fail(Errc::io, "the file is there already", path);
        return std::make_unique<MemoryFile>(files[path].shared());
    }
    Result<std::unique_ptr<File>> open(const std::string& path, Access) override {
        if (!files.contains(path)) return fail(Errc::io, "no such file", path);
        return std::make_unique<MemoryFile>(files[path].shared());
    }
    Result<void> rename(const std::string& from, const std::string& to) override {
        if (!files.contains(from)) return fail(Errc::io, "no such file", from);
        files[to] = std::move(files[from]);
        files.erase(from);
        return {};
    }
    Result<void> link(const std::string& from, const std::string& to) override {
        if (!files.contains(from)) return fail(Errc::io, "no such file", from);
        if (files.contains(to)) return fail(Errc::contradictory, "the file is there already", to);
        files[to] = *files[from];
        return {};
    }
    Result<void> remove(const std::string& path) override {
        if (files.erase(path) == 0) return fail(Errc::io, "no such file", path);
        return {};
    }
    Result<void> sync_directory(const std::string&) override { return {}; }

private:
    class MemoryFile final : public File {
    public:
        explicit MemoryFile(std::shared_ptr<std::string> bytes) : bytes_(std::move(bytes)) {}
        Result<void> write_at(std::uint64_t offset, std::string_view bytes) override {
            bytes_->resize(std::max<std::size_t>(bytes_->size(), offset + bytes.size()));
            std::copy(bytes.begin(), bytes.end(), bytes_->begin() + static_cast<std::ptrdiff_t>(offset));
            return {};
        }
        Result<void> sync() override { return {}; }
        Result<void> allocate(std::uint64_t bytes) override {
            bytes_->resize(std::max<std::size_t>(bytes_->size(), bytes));
            return {};
        }
        Result<void> truncate(std::uint64_t bytes) override {
            bytes_->resize(bytes);
            return {};
        }
        Result<std::uint64_t> size() override { return bytes_->size(); }
        Result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
            if (offset >= bytes_->size()) return 0;
            const std::size_t count = std::min(into.size(), bytes_->size() - offset);
            std::memcpy(into.data(), bytes_->data() + offset, count);
            return count;
        }

    private:
        std::shared_ptr<std::string> bytes_;
    };
};

}  // namespace fluxgate::audit::testing
