#pragma once

// What the tests of the log share: records, a folder that goes away, and a door that holds a thread up.

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
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/log.hpp"
#include "audit/record.hpp"
#include "audit/wal.hpp"
#include "base/error.hpp"
#include "tests/support/simulated_disk.hpp"

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

// Every sync of a file waits at the gate.
inline void hold_syncs_at(SimulatedDisk& disk, Gate& gate) {
    disk.before_each_step([&gate](Step step, const std::string&) {
        if (step == Step::sync) gate.pass();
    });
}

// All records of a write-ahead log, by sequence.
inline std::map<std::uint64_t, std::string> records_in(audit::Disk& disk) {
    std::map<std::uint64_t, std::string> found;
    const auto read = read_wal(disk, 1, [&](std::uint64_t sequence, std::string_view text) -> Result<void> {
        found.emplace(sequence, text);
        return {};
    });
    if (!read) throw std::runtime_error(to_string(read.error()));
    return found;
}
inline std::map<std::uint64_t, std::string> records_in(SimulatedDisk& disk) { return records_in(*disk.observe()); }

}  // namespace fluxgate::audit::testing
