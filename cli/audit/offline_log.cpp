#include "cli/audit/offline_log.hpp"

#include <array>
#include <vector>

#include "audit/layout.hpp"
#include "audit/signing_key.hpp"
#include "base/clock.hpp"
#include "base/limits.hpp"
#include "cli/audit/folder.hpp"
#include "cli/events.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::size_t kAtOnce = 1'024;  // records of a backlog that are held

}  // namespace

std::filesystem::path signing_key_path(const std::string& folder, const std::string& given) {
    return given.empty() ? std::filesystem::path(folder) / audit::kSignerKeyPath : std::filesystem::path(given);
}

Result<OfflineLog> OfflineLog::open(const std::string& folder, const std::filesystem::path& key_path) {
    OfflineLog log;
    auto disk = take_audit_folder(folder);
    if (!disk) return tl::unexpected(disk.error());
    log.disk_ = *std::move(disk);
    auto key = audit::SigningKey::open(key_path);
    if (!key) return tl::unexpected(key.error());
    auto integrator = audit::Integrator::open(*log.disk_, *std::move(key));
    if (!integrator) return tl::unexpected(integrator.error());
    log.integrator_ = *std::move(integrator);
    if (log.integrator_->rotation_is_pending())
        return fail(Errc::contradictory, "the signing key was changed and no server has recorded it yet: start one first", folder);
    if (const auto& entry = log.integrator_->last_entry()) {
        auto last = audit::parse_record(*entry);
        if (!last) return fail(last.error().code, last.error().message, folder);
        log.last_ = *std::move(last);
    }
    auto wal = audit::Wal::open(*log.disk_, {.covered = log.last_.sequence});
    if (!wal) return tl::unexpected(wal.error());
    log.wal_ = *std::move(wal);
    return log;
}

Result<void> OfflineLog::make_durable(audit::Record event) {
    event.time = SystemClock().now();
    event.id = event.event + "-" + std::to_string(event.time.time_since_epoch().count());
    event.cluster = last_.cluster;
    event.replica = last_.replica;
    const std::string text = audit::encode(event, Limits{}.record_bytes_max).text(wal_->next_sequence());
    const std::array<std::string_view, 1> payloads{text};
    return wal_->append(payloads);
}

// As a server does: what a crash left, and was cut off when the log was opened, is said before anything else.
Result<void> OfflineLog::record(audit::Record event) {
    if (wal_->recovered().cut) {
        if (auto durable = make_durable(to_record(cut_event(wal_->recovered()), SystemClock().now(), {}, {})); !durable) return durable;
    }
    if (auto durable = make_durable(std::move(event)); !durable) return durable;
    return publish();
}

Result<void> OfflineLog::publish() {
    std::vector<std::string> waiting;
    const auto integrate = [&]() -> Result<void> {
        const std::vector<std::string_view> views(waiting.begin(), waiting.end());
        auto added = integrator_->add(views);
        waiting.clear();
        return added;
    };
    auto read = audit::read_wal(*disk_, last_.sequence + 1, [&](std::uint64_t, std::string_view text) -> Result<void> {
        waiting.emplace_back(text);
        return waiting.size() < kAtOnce ? Result<void>() : integrate();
    });
    if (read) read = integrate();
    if (!read) return read;
    const auto published = integrator_->publish();
    return published ? Result<void>() : tl::unexpected(published.error());
}

}  // namespace fluxgate::cli
