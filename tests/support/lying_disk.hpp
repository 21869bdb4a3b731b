#pragma once

// Disks that leave out one step of what makes bytes durable, and say that it was done: what a careless log would do. Each stands for a
// mistake that a test of durability must notice.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/disk.hpp"
#include "base/error.hpp"

namespace fluxgate::audit::testing {

enum class Lie {
    none,
    no_directory_sync,
    no_sync_of_the_top_directory,
    no_file_sync,
    late_file_sync,
    no_sync_before_the_name,
    sync_again_after_an_error,
    no_cut,
    no_copy_of_the_cut,
    no_second_write,
};

struct LieRow {
    const char* name;
    Lie lie;
};
inline constexpr LieRow kLies[] = {
    {"directories are not synced", Lie::no_directory_sync},
    {"the directory of a new directory is not synced", Lie::no_sync_of_the_top_directory},
    {"files are not synced", Lie::no_file_sync},
    {"a batch is acknowledged before it is synced", Lie::late_file_sync},
    {"a file gets its name before it is synced", Lie::no_sync_before_the_name},
    {"a failed sync is tried again", Lie::sync_again_after_an_error},
    {"the tail stays where it is", Lie::no_cut},
    {"what is cut off is not kept", Lie::no_copy_of_the_cut},
    {"what the cache shows is taken for written", Lie::no_second_write},
};

class LyingFile final : public File {
public:
    LyingFile(std::unique_ptr<File> file, bool is_new, Lie lie) : file_(std::move(file)), is_new_(is_new), lie_(lie) {}

    Result<void> write_at(std::uint64_t offset, std::string_view bytes) override {
        if (lie_ == Lie::no_second_write) {
            std::string there(bytes.size(), '\0');
            const auto got = file_->read_at(offset, there);
            if (got && *got == bytes.size() && there == bytes) return {};
        }
        if (std::exchange(sync_is_due_, false)) {
            if (auto synced = file_->sync(); !synced) return synced;
        }
        return file_->write_at(offset, bytes);
    }
    Result<void> sync() override {
        if (lie_ == Lie::no_file_sync || (lie_ == Lie::no_sync_before_the_name && std::exchange(is_new_, false))) return {};
        if (lie_ == Lie::late_file_sync) {
            sync_is_due_ = true;
            return {};
        }
        auto synced = file_->sync();
        if (!synced && lie_ == Lie::sync_again_after_an_error) return file_->sync();
        return synced;
    }
    Result<void> allocate(std::uint64_t bytes) override { return file_->allocate(bytes); }
    Result<void> truncate(std::uint64_t bytes) override { return lie_ == Lie::no_cut ? Result<void>() : file_->truncate(bytes); }
    Result<std::uint64_t> size() override { return file_->size(); }
    Result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override { return file_->read_at(offset, into); }

private:
    std::unique_ptr<File> file_;
    bool is_new_;
    Lie lie_;
    bool sync_is_due_ = false;
};

class LyingDisk final : public Disk {
public:
    LyingDisk(std::unique_ptr<Disk> disk, Lie lie) : disk_(std::move(disk)), lie_(lie) {}

    Result<void> take() override { return disk_->take(); }
    Result<std::vector<DirectoryEntry>> list(const std::string& path) override { return disk_->list(path); }
    Result<bool> exists(const std::string& path) override { return disk_->exists(path); }
    Result<void> make_directory(const std::string& path) override { return disk_->make_directory(path); }
    Result<std::unique_ptr<File>> create(const std::string& path) override { return lying(disk_->create(path), true); }
    Result<std::unique_ptr<File>> open(const std::string& path, Access access) override { return lying(disk_->open(path, access), false); }
    Result<void> rename(const std::string& from, const std::string& to) override { return disk_->rename(from, to); }
    Result<void> link(const std::string& from, const std::string& to) override {
        return lie_ == Lie::no_copy_of_the_cut ? Result<void>() : disk_->link(from, to);
    }
    Result<void> remove(const std::string& path) override { return disk_->remove(path); }
    Result<void> sync_directory(const std::string& path) override {
        if (lie_ == Lie::no_directory_sync || (lie_ == Lie::no_sync_of_the_top_directory && path.empty())) return {};
        return disk_->sync_directory(path);
    }

private:
    Result<std::unique_ptr<File>> lying(Result<std::unique_ptr<File>> file, bool is_new) const {
        if (!file) return file;
        return std::make_unique<LyingFile>(std::move(*file), is_new, lie_);
    }

    std::unique_ptr<Disk> disk_;
    Lie lie_;
};

inline std::unique_ptr<Disk> lying_disk(std::unique_ptr<Disk> disk, Lie lie) {
    if (lie == Lie::none) return disk;
    return std::make_unique<LyingDisk>(std::move(disk), lie);
}

}  // namespace fluxgate::audit::testing
