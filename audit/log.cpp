#include "audit/log.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "audit/blobs.hpp"

namespace fluxgate::audit {

namespace {

// What is written at once: enough for one sync to serve hundreds of records, little enough that the first of a long queue need not wait
// for the last.
constexpr std::size_t kBatchBytes = 1u << 20;
constexpr std::size_t kSequenceDigitsMax = 20;

std::size_t text_bytes_max(const EncodedRecord& record) { return record.before.size() + kSequenceDigitsMax + record.after.size(); }

Error unavailable(const std::string& why) { return {Errc::audit_unavailable, "the audit log cannot take records: " + why, {}}; }

// One caller's exception must not keep the others waiting for ever.
void tell(const Log::Done& done, Result<std::uint64_t> result) {
    try {
        done(std::move(result));
    } catch (...) {
    }
}

}  // namespace

Result<std::unique_ptr<Log>> Log::open(Disk& disk, Wal::Options wal, Options options) {
    auto opened = Wal::open(disk, wal);
    if (!opened) return tl::unexpected(opened.error());
    std::unique_ptr<Log> log(new Log(disk, std::move(*opened), std::move(options)));
    log->thread_ = std::thread([raw = log.get()] { raw->run(); });
    return log;
}

Log::Log(Disk& disk, std::unique_ptr<Wal> wal, Options options)
    : disk_(disk),
      wal_(std::move(wal)),
      options_(std::move(options)),
      recovered_(wal_->recovered()),
      next_sequence_(wal_->next_sequence()) {}

Log::~Log() { close(); }

void Log::close() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    more_durable_.notify_all();
    if (thread_.joinable()) thread_.join();
}

// Turning a record into text is most of the work: not for one that cannot wait anyway.
void Log::append(Record record, Done done) {
    std::string refusal;
    {
        std::lock_guard lock(mutex_);
        refusal = refusal_now();
    }
    if (!refusal.empty()) return tell(done, tl::unexpected(unavailable(refusal)));
    append(encode(record, options_.record_bytes_max), std::move(done));
}

void Log::append(EncodedRecord record, Done done) {
    std::string refusal;
    if (text_bytes_max(record) > kWalPayloadBytesMax) {
        refusal = fmt::format("this one has up to {} bytes, {} is the most", text_bytes_max(record), kWalPayloadBytesMax);
    } else {
        std::lock_guard lock(mutex_);
        refusal = refusal_now();
        if (refusal.empty()) waiting_.push_back({std::move(record), std::move(done)});
    }
    if (!refusal.empty()) return tell(done, tl::unexpected(unavailable(refusal)));
    wake_.notify_one();
}

// Why no record can wait now; empty if one can. Under the lock.
std::string Log::refusal_now() const {
    if (broken_) return "it broke and waits for a restart";
    if (stopping_) return "it is closing";
    if (!full_.empty()) return full_;
    if (waiting_.size() >= options_.queue_max) return "too many records wait for the disk";
    return {};
}

void Log::set_covered(std::uint64_t sequence) {
    {
        std::lock_guard lock(mutex_);
        covered_ = std::max(covered_, sequence);
        others_said_something_ = true;
    }
    wake_.notify_one();
}

void Log::add_other_bytes(std::int64_t bytes) {
    {
        std::lock_guard lock(mutex_);
        other_bytes_ += bytes;
        others_said_something_ = true;
    }
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

// --- the log's thread -------------------------------------------------------------------------------------------------
void Log::run() {
    for (;;) {
        Batch batch;
        {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [&] { return stopping_ || !waiting_.empty() || others_said_something_; });
            if (broken_ || (stopping_ && waiting_.empty())) return;
            batch.swap(waiting_);
        }
        take_in_what_others_said();
        if (!batch.empty()) write(std::move(batch));
    }
}

void Log::take_in_what_others_said() {
    bool full = false;
    {
        std::lock_guard lock(mutex_);
        wal_->set_covered(covered_);
        wal_->add_other_bytes(std::exchange(other_bytes_, 0));
        if (!std::exchange(others_said_something_, false)) return;
        full = !full_.empty();
    }
    if (full) look_for_room();
}

void Log::look_for_room() {
    const auto room = wal_->make_room_for(0);
    if (!room) {
        if (room.error().code != Errc::too_large) refuse({}, room.error());
        return;
    }
    {
        std::lock_guard lock(mutex_);
        full_.clear();
    }
    options_.on_room(true, {});
}

void Log::write(Batch batch) {
    std::span<Waiting> rest(batch);
    while (!rest.empty()) {
        std::size_t count = 0;
        for (std::size_t bytes = 0; count < rest.size() && bytes < kBatchBytes; ++count) bytes += text_bytes_max(rest[count].record);
        const std::uint64_t first = wal_->next_sequence();
        const auto written = write_or_say_why(rest.first(count));
        if (!written) return refuse(rest, written.error());
        {
            std::lock_guard lock(mutex_);
            next_sequence_ = first + count;
        }
        more_durable_.notify_all();
        for (std::size_t i = 0; i < count; ++i) tell(rest[i].done, first + i);
        rest = rest.subspan(count);
    }
}

// What throws in here is our own mistake or a lack of memory, and how much was written is unknown: as bad as a failed write.
Result<void> Log::write_or_say_why(std::span<Waiting> records) {
    try {
        if (auto stored = store_blobs(records); !stored) return stored;
        std::vector<std::string> texts;
        texts.reserve(records.size());
        for (const Waiting& waiting : records) texts.push_back(waiting.record.text(wal_->next_sequence() + texts.size()));
        const std::vector<std::string_view> views(texts.begin(), texts.end());
        return wal_->append(views);
    } catch (const std::exception& exception) {
        return fail(Errc::internal, std::string("an error inside Fluxgate: ") + exception.what());
    }
}

Result<void> Log::store_blobs(std::span<Waiting> records) {
    for (const Waiting& waiting : records) {
        const std::string& blob = waiting.record.blob;
        if (blob.empty()) continue;
        if (auto room = wal_->make_room_for(blob.size()); !room) return room;
        if (auto stored = store_blob(disk_, blob); !stored) return tl::unexpected(stored.error());
        wal_->add_other_bytes(static_cast<std::int64_t>(blob.size()));
    }
    return {};
}

// Who was being written and who waits is told why, and so is the owner.
void Log::refuse(std::span<const Waiting> records, const Error& why) {
    const bool full = why.code == Errc::too_large;
    Batch behind;
    {
        std::lock_guard lock(mutex_);
        if (full)
            full_ = to_string(why);
        else
            broken_ = true;
        behind.swap(waiting_);
    }
    more_durable_.notify_all();
    if (full) options_.on_room(false, why.message);
    for (const Waiting& waiting : records) tell(waiting.done, tl::unexpected(unavailable(to_string(why))));
    for (const Waiting& waiting : behind) tell(waiting.done, tl::unexpected(unavailable(to_string(why))));
    if (!full) options_.on_broken(why);
}

}  // namespace fluxgate::audit
