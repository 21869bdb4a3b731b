#include "audit/durable_file.hpp"

#include <utility>

namespace fluxgate::audit {

namespace {

std::string parent_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

// The other name a file has while it is written. One process writes a log, so one such name is enough, and what a crash left is
// written over.
std::string beside(const std::string& path) { return path + ".new"; }

Result<void> remove_beside(Disk& disk, const std::string& path) {
    const auto there = disk.exists(beside(path));
    if (!there) return tl::unexpected(there.error());
    return *there ? disk.remove(beside(path)) : Result<void>();
}

Result<void> write_beside(Disk& disk, const std::string& path, std::string_view bytes) {
    if (auto removed = remove_beside(disk, path); !removed) return removed;
    auto file = disk.create(beside(path));
    if (!file) return tl::unexpected(file.error());
    if (auto written = (*file)->write_at(0, bytes); !written) return written;
    return (*file)->sync();
}

Result<void> require_same(Disk& disk, const std::string& path, std::string_view bytes) {
    auto file = disk.open(path, Disk::Access::write);
    if (!file) return tl::unexpected(file.error());
    std::string found(bytes.size() + 1, '\0');
    const auto got = (*file)->read_at(0, found);
    if (!got) return tl::unexpected(got.error());
    if (std::string_view(found).substr(0, *got) != bytes)
        return fail(Errc::contradictory, "a file that never changes is there with other bytes: somebody changed the audit log", path);
    // Whoever wrote it may have been killed before it was durable, or after its sync had failed: then what we see is in the cache only, and
    // a sync alone would not write it any more.
    if (auto written = (*file)->write_at(0, bytes); !written) return written;
    if (auto synced = (*file)->sync(); !synced) return synced;
    if (auto removed = remove_beside(disk, path); !removed) return removed;
    return disk.sync_directory(parent_of(path));
}

}  // namespace

Result<void> create_durably(Disk& disk, const std::string& path, std::string_view bytes) {
    if (auto made = make_directories_durably(disk, parent_of(path)); !made) return made;
    const auto there = disk.exists(path);
    if (!there) return tl::unexpected(there.error());
    if (*there) return require_same(disk, path, bytes);
    if (auto written = write_beside(disk, path, bytes); !written) return written;
    // link refuses a name that is there, which rename would replace.
    if (auto linked = disk.link(beside(path), path); !linked) return linked;
    if (auto removed = disk.remove(beside(path)); !removed) return removed;
    return disk.sync_directory(parent_of(path));
}

Result<void> replace_durably(Disk& disk, const std::string& path, std::string_view bytes) {
    if (auto made = make_directories_durably(disk, parent_of(path)); !made) return made;
    if (auto written = write_beside(disk, path, bytes); !written) return written;
    if (auto renamed = disk.rename(beside(path), path); !renamed) return renamed;
    return disk.sync_directory(parent_of(path));
}

Result<void> make_directories_durably(Disk& disk, const std::string& path) {
    if (path.empty() || disk.durable_directories().contains(path)) return {};
    if (auto made = make_directories_durably(disk, parent_of(path)); !made) return made;
    if (auto made = disk.make_directory(path); !made) return made;
    if (auto synced = disk.sync_directory(parent_of(path)); !synced) return synced;
    disk.durable_directories().insert(path);
    return {};
}

Result<std::string> read_whole(Disk& disk, const std::string& path, std::size_t bytes_max) {
    auto file = disk.open(path, Disk::Access::read);
    if (!file) return tl::unexpected(file.error());
    const auto size = (*file)->size();
    if (!size) return tl::unexpected(size.error());
    if (*size > bytes_max) return fail(Errc::too_large, "the file is larger than such a file can be", path);
    std::string bytes(*size, '\0');
    const auto got = (*file)->read_at(0, bytes);
    if (!got) return tl::unexpected(got.error());
    bytes.resize(*got);
    return bytes;
}

Result<std::optional<std::string>> read_if_there(Disk& disk, const std::string& path, std::size_t bytes_max) {
    auto there = disk.exists(path);
    if (!there) return tl::unexpected(there.error());
    if (!*there) return std::optional<std::string>();
    auto text = read_whole(disk, path, bytes_max);
    if (text) return std::optional<std::string>(*std::move(text));
    // A server may have removed it since it was looked for.
    there = disk.exists(path);
    if (there && !*there) return std::optional<std::string>();
    return tl::unexpected(text.error());
}

}  // namespace fluxgate::audit
