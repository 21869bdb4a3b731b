#include "audit/publisher.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "audit/layout.hpp"
#include "audit/wal.hpp"

namespace fluxgate::audit {

namespace {

// Of one checkpoint while catching up: what is in memory at a time.
constexpr std::size_t kBatchEntries = 4'096;
constexpr std::size_t kBatchBytes = 8u << 20;

constexpr std::string_view kKeyChanged = "signing-key-changed";

Result<std::uint64_t> sequence_of(std::string_view entry) {
    const auto json = nlohmann::json::parse(entry, nullptr, false);
    const auto at = nlohmann::json::json_pointer("/data/sequence");
    if (!json.is_object() || !json.contains(at) || !json[at].is_number_unsigned()) {
        return fail(Errc::contradictory,
                    "the last entry of the provable log is no record, so nobody knows where to go on: nothing will be signed",
                    std::string(kCheckpointPath));
    }
    return json[at].get<std::uint64_t>();
}

}  // namespace

Publisher::Publisher(Disk& disk, Log& log, SigningKey key, Options options)
    : disk_(disk), log_(log), options_(std::move(options)), key_(std::move(key)), thread_([this] { run(); }) {}

Publisher::~Publisher() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

void Publisher::run() {
    auto done = open();
    // In the last round nothing is waited for any more.
    for (bool goes_on = true; done && goes_on;) {
        goes_on = wait();
        done = publish_what_is_durable();
    }
    if (!done) options_.on_broken(done.error());
}

// False: the last round.
bool Publisher::wait() {
    std::unique_lock lock(mutex_);
    return !wake_.wait_for(lock, options_.interval, [this] { return stopping_; });
}

Result<void> Publisher::open() {
    auto opened = Integrator::open(disk_, key_);
    if (!opened) return tl::unexpected(opened.error());
    integrator_ = std::move(*opened);
    integrator_->on_bytes([this](std::int64_t bytes) { log_.add_other_bytes(bytes); });
    if (const auto& last = integrator_->last_entry()) {
        const auto sequence = sequence_of(*last);
        if (!sequence) return tl::unexpected(sequence.error());
        next_sequence_ = *sequence + 1;
        log_.set_covered(*sequence);
    }
    options_.on_checkpoint(integrator_->checkpoint());
    if (integrator_->rotation_is_pending()) return look_for_statement();
    // The statement was recorded, but the process was killed before it could be taken out of the file. A file that cannot be written (a
    // mounted Secret) keeps it, which does no harm.
    static_cast<void>(key_.statement_is_recorded());
    return {};
}

Result<void> Publisher::look_for_statement() {
    statement_is_due_ = true;
    bool found = false;
    auto looked = each_durable(log_.next_sequence(), [&](std::uint64_t, std::string_view text) {
        found = is_statement(text);
        return !found;
    });
    if (!looked) return looked;
    if (!found) options_.on_rotation(*key_.rotation);
    return {};
}

bool Publisher::is_statement(std::string_view text) const {
    if (!key_.rotation || text.find(kKeyChanged) == std::string_view::npos) return false;
    const auto json = nlohmann::json::parse(text, nullptr, false);
    const auto is = [&](const char* pointer, std::string_view value) {
        const nlohmann::json::json_pointer at(pointer);
        return json.contains(at) && json[at].is_string() && json[at].get_ref<const std::string&>() == value;
    };
    return json.is_object() && is("/data/event", kKeyChanged) && is("/data/facts/to", key_.rotation->to.text()) &&
           is("/data/facts/note", key_.rotation->note);
}

Result<void> Publisher::publish_what_is_durable() {
    const std::uint64_t end = log_.next_sequence();
    while (next_sequence_ < end) {
        const auto batch = read_batch(end);
        if (!batch) return tl::unexpected(batch.error());
        const std::vector<std::string_view> entries(batch->texts.begin(), batch->texts.end());
        if (auto added = integrator_->add(entries); !added) return added;
        next_sequence_ += entries.size();
        if (batch->has_statement) statement_is_due_ = false;
        if (statement_is_due_) continue;
        const bool rotates = integrator_->rotation_is_pending();
        const auto checkpoint = integrator_->publish();
        if (!checkpoint) return tl::unexpected(checkpoint.error());
        log_.set_covered(next_sequence_ - 1);
        if (rotates) static_cast<void>(key_.statement_is_recorded());  // see `open`
        options_.on_checkpoint(*checkpoint);
    }
    return {};
}

Result<Publisher::Batch> Publisher::read_batch(std::uint64_t end) {
    Batch batch;
    std::size_t bytes = 0;
    auto read = each_durable(end, [&](std::uint64_t, std::string_view text) {
        batch.has_statement = batch.has_statement || is_statement(text);
        batch.texts.emplace_back(text);
        bytes += text.size();
        return batch.texts.size() < kBatchEntries && bytes < kBatchBytes;
    });
    if (!read) return tl::unexpected(read.error());
    if (batch.texts.empty()) {
        return fail(
            Errc::contradictory,
            fmt::format("record {} was acknowledged, but the write-ahead log does not hold it: nothing more will be signed; end this log "
                        "and begin a new one with `fluxgate audit epoch`",
                        next_sequence_),
            std::string(kWalDirectory));
    }
    return batch;
}

// From the next record to be published up to `end`, which is not durable yet though it may be readable. `use` returns whether to go on.
Result<void> Publisher::each_durable(std::uint64_t end, const std::function<bool(std::uint64_t sequence, std::string_view text)>& use) {
    bool enough = false;
    std::uint64_t expected = next_sequence_;
    auto read = read_wal(disk_, next_sequence_, [&](std::uint64_t sequence, std::string_view text) -> Result<void> {
        enough = sequence >= end || sequence != expected++ || !use(sequence, text);
        return enough ? Result<void>(fail(Errc::internal, "enough")) : Result<void>();
    });
    if (read || enough) return {};
    if (read.error().code != Errc::contradictory) return read;
    return fail(
        Errc::contradictory,
        fmt::format("{}; records from {} on are lost, and nothing will be signed over that hole: end this log and begin a new one with "
                    "`fluxgate audit epoch`",
                    read.error().message, next_sequence_),
        read.error().where);
}

}  // namespace fluxgate::audit
