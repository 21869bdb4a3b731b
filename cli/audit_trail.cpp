#include "cli/audit_trail.hpp"

#include <utility>

#include "audit/layout.hpp"
#include "audit/signing_key.hpp"
#include "audit/stored_records.hpp"

namespace fluxgate::cli {

namespace {

// Of the last record under the checkpoint; 0 if there is none.
Result<std::uint64_t> covered_sequence(audit::Disk& disk) {
    // A process that was killed may have left the checkpoint's name in the cache only, and what it covers may be removed from now on.
    if (auto synced = disk.sync_directory(""); !synced) return tl::unexpected(synced.error());
    std::uint64_t sequence = 0;
    const audit::RecordRange newest{.newest_first = true, .published_only = true};
    const auto read = audit::each_record(disk, newest, [&](const audit::StoredRecord& stored) -> Result<bool> {
        const auto record = audit::parse_record(stored.text);
        if (!record) return tl::unexpected(record.error());
        sequence = record->sequence;
        return false;
    });
    if (!read) return tl::unexpected(read.error());
    return sequence;
}

}  // namespace

Result<std::unique_ptr<AuditTrail>> AuditTrail::open(Options options) {
    std::unique_ptr<AuditTrail> trail(new AuditTrail(std::move(options)));
    trail->disk_ = audit::make_posix_disk(trail->options_.directory);
    if (auto taken = trail->disk_->take(); !taken) return tl::unexpected(taken.error());
    if (auto opened = trail->open_log(); !opened) return fail(Errc::audit_unavailable, opened.error().message, opened.error().where);
    return trail;
}

Result<void> AuditTrail::open_log() {
    const auto covered = covered_sequence(*disk_);
    if (!covered) return tl::unexpected(covered.error());
    auto ended = audit::last_ended_epoch(*disk_);
    if (!ended) return tl::unexpected(ended.error());
    epoch_ = ended->number + 1;
    auto log = audit::Log::open(*disk_, {.disk_bytes_max = options_.disk_bytes_max, .covered = *covered},
                                {.queue_max = options_.queue_max, .on_broken = options_.on_broken, .on_room = options_.on_room});
    if (!log) return tl::unexpected(log.error());
    log_ = std::move(*log);
    if (epoch_ > 1 && log_->next_sequence() == 1) ended_epoch_ = *std::move(ended);
    return {};
}

AuditTrail::~AuditTrail() {
    // First what waits becomes durable, so that the last checkpoint is over the last record, "stopped".
    if (log_) log_->close();
    publisher_.reset();
    log_.reset();
}

// A key that cannot be used stops no write: records are taken, and that nobody signs them is said aloud.
void AuditTrail::publish() {
    auto key = find_key();
    if (!key) return options_.on_unpublished(key.error());
    publisher_ = std::make_unique<audit::Publisher>(
        *disk_, *log_, std::move(*key),
        audit::Publisher::Options{
            .on_checkpoint = options_.on_checkpoint, .on_broken = options_.on_unpublished, .on_rotation = options_.on_rotation});
}

// Several replicas, or one Pod after the other, with one key from a Secret would each sign a log of their own under one name: two histories.
// So a new log begins only under the name of its own replica; a log that is there goes on wherever it was moved to.
Result<audit::SigningKey> AuditTrail::find_key() {
    const auto path = options_.key_file.empty() ? options_.directory / audit::kSignerKeyPath : options_.key_file;
    const std::string origin = audit::origin_for(options_.cluster, options_.replica, epoch_);
    auto key = audit::SigningKey::open_or_make(path, origin);
    if (!key) return key;
    const auto goes_on = disk_->exists(std::string(audit::kCheckpointPath));
    if (!goes_on) return tl::unexpected(goes_on.error());
    const std::string own_name = origin.substr(0, origin.rfind('/') + 1);
    const std::string& name = key->key.verifier().name;
    if (!*goes_on && !name.starts_with(own_name))
        return fail(Errc::contradictory,
                    "the key is that of the log " + name +
                        ", and a new log of this replica would be a second one under that name; give each replica a key of its own",
                    path.string());
    return key;
}

}  // namespace fluxgate::cli
