#pragma once

// What the tests of the log share: records, a folder that goes away, and a disk in memory that can fail at any step, before
// or after it took effect, lose its power, and be held up.

#include <stdlib.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/log.hpp"
#include "audit/record.hpp"
#include "audit/storage.hpp"
#include "base/error.hpp"

namespace fluxgate::audit::testing {

inline Record record_of(const std::string& id) {
    Record record;
    record.id = id;
    record.time = WallTime{std::chrono::microseconds{1'796'436'600'123'456}};
    record.decision = "denied";
    record.write_class = "exceptional";
    record.operation = "UPDATE";
    record.username = "alice@example.com";
    return record;
}

class Folder {
public:
    Folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "fluxgate-test-XXXXXX").string();
        path_ = ::mkdtemp(pattern.data());
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

inline std::string read_text(const std::filesystem::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

inline void write_text(const std::filesystem::path& path, std::string_view text) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

// The answer of one append, waited for.
inline Result<std::uint64_t> append_and_wait(Log& log, Record record) {
    std::promise<Result<std::uint64_t>> promise;
    auto future = promise.get_future();
    log.append(std::move(record), [&promise](Result<std::uint64_t> written) { promise.set_value(std::move(written)); });
    return future.get();
}

// A door that starts shut: who waits at it, waits until it opens.
class Gate {
public:
    void open() {
        std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    void pass() {
        std::unique_lock lock(mutex_);
        ++arrived_;
        changed_.notify_all();
        changed_.wait(lock, [&] { return open_; });
    }
    void wait_for_someone() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return arrived_ > 0; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool open_ = false;
    int arrived_ = 0;
};

enum class Step { open_directory, list, last_line, create, append, sync };
enum class Failing { before, halfway, after };  // halfway: an append of some of the bytes

// Survives the storages that are opened on it, as a disk survives processes. Any thread.
class Disk {
public:
    struct File {
        std::string written;
        std::size_t durable_bytes = 0;
    };
    struct Fault {
        Step step;
        int nth = 1;  // the nth time this step is taken from now on
        Failing failing = Failing::before;
    };

    void fail_at(Fault fault) {
        std::lock_guard lock(mutex_);
        fault_ = fault;
    }
    void hold_syncs_at(Gate* gate) {
        std::lock_guard lock(mutex_);
        gate_ = gate;
    }
    // What was written and not synced is gone.
    void lose_power() {
        std::lock_guard lock(mutex_);
        for (auto& [name, file] : files_) file.written.resize(file.durable_bytes);
    }
    std::map<std::string, File> files() const {
        std::lock_guard lock(mutex_);
        return files_;
    }
    std::string text() const {
        std::string all;
        for (const auto& [name, file] : files()) all += file.written;
        return all;
    }
    int syncs() const {
        std::lock_guard lock(mutex_);
        return syncs_;
    }
    bool synced_again_after_a_failure() const {
        std::lock_guard lock(mutex_);
        return synced_again_;
    }
    std::unique_ptr<Storage> open();

private:
    friend class DiskFile;
    friend class DiskStorage;

    // Takes the step, or fails instead, or afterwards. `effect(part)`: part is false for half of it.
    template <class Effect>
    Result<void> take(Step step, Effect effect) {
        Gate* gate = nullptr;
        {
            std::lock_guard lock(mutex_);
            if (step == Step::sync) gate = gate_;
        }
        if (gate) gate->pass();
        std::lock_guard lock(mutex_);
        if (step == Step::sync) {
            ++syncs_;
            synced_again_ = synced_again_ || failed_sync_;
        }
        const bool hit = fault_ && fault_->step == step && --fault_->nth == 0;
        const Failing failing = hit ? fault_->failing : Failing::after;
        if (hit) failed_sync_ = failed_sync_ || step == Step::sync;
        if (!hit || failing != Failing::before) effect(failing != Failing::halfway);
        if (hit) return fail(Errc::io, "the disk of the test fails here");
        return {};
    }

    mutable std::mutex mutex_;
    std::map<std::string, File> files_;
    std::optional<Fault> fault_;
    Gate* gate_ = nullptr;
    int syncs_ = 0;
    bool failed_sync_ = false;
    bool synced_again_ = false;
};

class DiskFile final : public AppendFile {
public:
    DiskFile(Disk& disk, std::string name) : disk_(disk), name_(std::move(name)) {}

    Result<void> append(std::string_view bytes) override {
        return disk_.take(Step::append,
                          [&](bool whole) { disk_.files_[name_].written += bytes.substr(0, whole ? bytes.size() : bytes.size() / 2); });
    }
    Result<void> sync() override {
        return disk_.take(Step::sync, [&](bool) { disk_.files_[name_].durable_bytes = disk_.files_[name_].written.size(); });
    }

private:
    Disk& disk_;
    std::string name_;
};

class DiskStorage final : public Storage {
public:
    explicit DiskStorage(Disk& disk) : disk_(disk) {}

    Result<void> open_directory() override {
        return disk_.take(Step::open_directory, [](bool) {});
    }
    Result<std::vector<std::string>> list() override {
        std::vector<std::string> names;
        const auto taken = disk_.take(Step::list, [&](bool) {
            for (const auto& [name, file] : disk_.files_) names.push_back(name);
        });
        if (!taken) return tl::unexpected(taken.error());
        return names;
    }
    Result<std::unique_ptr<AppendFile>> create(const std::string& name) override {
        bool there = false;
        const auto taken = disk_.take(Step::create, [&](bool) { there = !disk_.files_.try_emplace(name).second; });
        if (!taken) return tl::unexpected(taken.error());
        if (there) return fail(Errc::io, "the file is there already", name);
        return std::make_unique<DiskFile>(disk_, name);
    }
    Result<std::optional<std::string>> last_line(const std::string& name) override {
        std::optional<std::string> line;
        const auto taken = disk_.take(Step::last_line, [&](bool) {
            Disk::File& file = disk_.files_[name];
            file.durable_bytes = file.written.size();
            const std::size_t end = file.written.rfind('\n');
            if (end == std::string::npos) return;
            const std::size_t before = end == 0 ? std::string::npos : file.written.rfind('\n', end - 1);
            const std::size_t begin = before == std::string::npos ? 0 : before + 1;
            line = file.written.substr(begin, end - begin);
        });
        if (!taken) return tl::unexpected(taken.error());
        return line;
    }

private:
    Disk& disk_;
};

inline std::unique_ptr<Storage> Disk::open() { return std::make_unique<DiskStorage>(*this); }

}  // namespace fluxgate::audit::testing
