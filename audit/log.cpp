#include "audit/log.hpp"

#include <algorithm>
#include <exception>

#include <fmt/format.h>

namespace fluxgate::audit {

namespace {

constexpr std::string_view kPrefix = "records-";
constexpr std::string_view kSuffix = ".jsonl";

std::string file_name(std::uint64_t first_sequence) { return fmt::format("{}{:020}{}", kPrefix, first_sequence, kSuffix); }

tl::unexpected<Error> unavailable(const std::string& why) {
    return fail(Errc::audit_unavailable, "the audit log cannot take records: " + why);
}

// One caller's exception must not keep the others waiting for ever.
void tell(const Log::Done& done, Result<std::uint64_t> result) {
    try {
        done(std::move(result));
    } catch (...) {
    }
}

}  // namespace

Result<std::unique_ptr<Log>> Log::open(std::unique_ptr<Storage> storage, Options options) {
    if (auto opened = storage->open_directory(); !opened) return tl::unexpected(opened.error());
    const auto names = storage->list();
    if (!names) return tl::unexpected(names.error());

    std::uint64_t next_sequence = 1;
    for (auto name = names->rbegin(); name != names->rend(); ++name) {
        if (!name->starts_with(kPrefix) || !name->ends_with(kSuffix)) continue;
        const auto line = storage->last_line(*name);
        if (!line) return tl::unexpected(line.error());
        if (!*line) continue;  // nothing was acknowledged in that file
        const auto record = parse_line(**line);
        if (!record)
            return fail(record.error().code, "the last line is no record, so the sequence cannot go on: " + record.error().message, *name);
        next_sequence = record->sequence + 1;
        break;
    }
    std::unique_ptr<Log> log(new Log(std::move(storage), std::move(options), next_sequence));
    if (auto opened = log->open_next_file(); !opened) return tl::unexpected(opened.error());
    log->thread_ = std::thread([raw = log.get()] { raw->run(); });
    return log;
}

Log::Log(std::unique_ptr<Storage> storage, Options options, std::uint64_t next_sequence)
    : storage_(std::move(storage)), options_(std::move(options)), next_sequence_(next_sequence) {}

Log::~Log() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    more_durable_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Log::append(Record record, Done done) {
    fit(record, options_.record_bytes_max);
    const char* refusal = nullptr;
    {
        std::lock_guard lock(mutex_);
        if (broken_ || stopping_) {
            refusal = broken_ ? "it broke and waits for a restart" : "it is closing";
        } else if (waiting_.size() >= options_.queue_max) {
            refusal = "too many records wait for the disk";
        } else {
            waiting_.push_back({std::move(record), std::move(done)});
        }
    }
    if (refusal) return done(unavailable(refusal));
    wake_.notify_one();
}

bool Log::broken() const {
    std::lock_guard lock(mutex_);
    return broken_;
}

std::uint64_t Log::next_sequence() const {
    std::lock_guard lock(mutex_);
    return next_sequence_;
}

bool Log::wait_for_durable_beyond(std::uint64_t sequence, std::chrono::steady_clock::time_point until) const {
    std::unique_lock lock(mutex_);
    more_durable_.wait_until(lock, until, [&] { return next_sequence_ > sequence + 1 || broken_ || stopping_; });
    return next_sequence_ > sequence + 1;
}

// A file of that first sequence is there when a crash or a torn first write left it without a whole line: its bytes stay, the
// next free name is taken.
Result<void> Log::open_next_file() {
    const auto names = storage_->list();
    if (!names) return tl::unexpected(names.error());
    std::string name = file_name(next_sequence_);
    for (int attempt = 1; std::find(names->begin(), names->end(), name) != names->end(); ++attempt) {
        name = fmt::format("{}{:020}-{}{}", kPrefix, next_sequence_, attempt, kSuffix);
    }
    auto file = storage_->create(name);
    if (!file) return tl::unexpected(file.error());
    file_ = std::move(*file);
    file_bytes_ = 0;
    return {};
}

void Log::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        std::vector<Waiting> batch;
        batch.swap(waiting_);
        lock.unlock();

        std::vector<Record> records;
        records.reserve(batch.size());
        for (Waiting& waiting : batch) records.push_back(std::move(waiting.record));
        const std::uint64_t first = next_sequence_;  // written by this thread only
        const auto written = write_or_say_why(records);

        lock.lock();
        if (written)
            next_sequence_ += batch.size();
        else
            broken_ = true;
        // After a failure nothing behind it may be acknowledged either.
        std::vector<Waiting> refused;
        if (!written) refused.swap(waiting_);
        lock.unlock();
        more_durable_.notify_all();

        for (std::size_t i = 0; i < batch.size(); ++i) {
            if (written)
                tell(batch[i].done, first + i);
            else
                tell(batch[i].done, unavailable(to_string(written.error())));
        }
        for (Waiting& waiting : refused) tell(waiting.done, unavailable(to_string(written.error())));
        if (!written) options_.on_broken(written.error());
        lock.lock();
        if (!written) return;
    }
}

// What throws in here is our own mistake or a lack of memory, and how much was written is unknown: as bad as a failed write.
Result<void> Log::write_or_say_why(const std::vector<Record>& records) {
    try {
        return write(records);
    } catch (const std::exception& exception) {
        return fail(Errc::internal, std::string("an error inside Fluxgate: ") + exception.what());
    }
}

Result<void> Log::write(const std::vector<Record>& records) {
    std::string bytes;
    std::uint64_t sequence = next_sequence_;
    for (const Record& record : records) {
        bytes += to_json(record, sequence++);
        bytes += '\n';
    }
    if (file_bytes_ > 0 && file_bytes_ + bytes.size() > options_.file_bytes_max) {
        if (auto opened = open_next_file(); !opened) return opened;
    }
    file_bytes_ += bytes.size();
    if (auto appended = file_->append(bytes); !appended) return appended;
    return file_->sync();
}

}  // namespace fluxgate::audit
