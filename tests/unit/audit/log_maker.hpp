#pragma once

// Audit folders for the tests of readers, on any Disk: records go into a real write-ahead log, and, when asked, into tiles under a signed
// checkpoint. The tiles are written here file by file, not by the integrator, so that a mistake of one is seen by the other.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/blobs.hpp"
#include "audit/checkpoint.hpp"
#include "audit/durable_file.hpp"
#include "audit/layout.hpp"
#include "audit/record.hpp"
#include "audit/tiles.hpp"
#include "audit/tree_edge.hpp"
#include "audit/wal.hpp"
#include "base/limits.hpp"
#include "base/signed_note.hpp"
#include "tests/support/catch.hpp"

namespace fluxgate::audit::testing {

inline constexpr WallTime kBegin{std::chrono::microseconds{1'796'436'600'000'000}};  // 2026-12-05T…
inline constexpr std::string_view kOrigin = "fluxgate/test/fluxgate-0/1";

inline Record review(std::chrono::seconds after = {}, const std::string& decision = "denied") {
    Record record;
    record.id = "b855796f";
    record.time = kBegin + after;
    record.decision = decision;
    record.write_class = "exceptional";
    record.operation = "UPDATE";
    record.group = "apps";
    record.version = "v1";
    record.resource = "deployments";
    record.kind = "Deployment";
    record.namespace_name = "production";
    record.name = "web";
    record.username = "alice@example.com";
    record.cluster = "test";
    record.replica = "fluxgate-0";
    if (decision == "denied") record.violations.push_back({"production", "only-git", ".spec.replicas", "9", "3", "Deny"});
    return record;
}

inline Record event(const std::string& name, std::chrono::seconds after = {}) {
    Record record;
    record.id = name + "-1";
    record.time = kBegin + after;
    record.event = name;
    record.cluster = "test";
    record.replica = "fluxgate-0";
    return record;
}

// One thread; the disk outlives it.
class LogMaker {
public:
    explicit LogMaker(Disk& disk, std::uint64_t first_sequence = 1)
        : disk_(disk), key_(*SignerKey::generate(std::string(kOrigin))), next_(first_sequence) {
        wal_ = *Wal::open(disk_, {.segment_bytes = 64u << 10, .covered = first_sequence - 1});
    }

    const SignerKey& key() const { return key_; }
    std::string key_text() const { return key_.verifier().text(); }
    void use_key(SignerKey key) { key_ = std::move(key); }
    std::uint64_t size() const { return edge_.size(); }
    const std::string& text(std::uint64_t index) const { return texts_[index]; }

    // Into the write-ahead log, as one batch.
    void append(std::vector<Record> records) {
        std::vector<std::string> texts;
        for (Record& record : records) {
            const EncodedRecord encoded = encode(record, Limits{}.record_bytes_max);
            if (!encoded.blob.empty()) REQUIRE(store_blob(disk_, encoded.blob).has_value());
            texts.push_back(encoded.text(next_++));
        }
        const std::vector<std::string_view> views(texts.begin(), texts.end());
        REQUIRE(wal_->append(views).has_value());
        waiting_.insert(waiting_.end(), texts.begin(), texts.end());
    }
    void append(const Record& record) { append(std::vector{record}); }

    // What was appended goes under a checkpoint.
    void publish() { publish(waiting_.size()); }
    void publish(std::size_t count) {
        for (std::size_t at = 0; at < count; ++at) add(waiting_[at]);
        waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
        if (!bundle_.empty()) put(bundle_path(edge_.size() / kTileWidth, edge_.size() % kTileWidth), bundle_);
        for (unsigned level = 0; level < edge_.partial_tiles().size(); ++level) {
            const auto& hashes = edge_.partial_tiles()[level];
            if (!hashes.empty()) put(tile_path(level, edge_.size() >> (8 * (level + 1)), hashes.size()), tile_bytes(hashes));
        }
        checkpoint_ = *sign_checkpoint(edge_.size(), edge_.root(), key_);
        put(std::string(kVerifierKeyPath), key_text() + "\n");
        put(std::string(kCheckpointPath), checkpoint_);
    }
    const std::string& checkpoint() const { return checkpoint_; }

    void put(const std::string& path, std::string_view bytes) { REQUIRE(replace_durably(disk_, path, bytes).has_value()); }

private:
    void add(const std::string& text) {
        add_to_bundle(bundle_, text);
        const auto added =
            edge_.add(leaf_hash(text), [&](unsigned level, std::uint64_t number, const std::vector<Hash>& hashes) -> Result<void> {
                put(tile_path(level, number, kTileWidth), tile_bytes(hashes));
                if (level > 0) return {};
                put(bundle_path(number, kTileWidth), bundle_);
                bundle_.clear();
                return {};
            });
        REQUIRE(added.has_value());
        texts_.push_back(text);
    }

    Disk& disk_;
    SignerKey key_;
    std::uint64_t next_;
    std::unique_ptr<Wal> wal_;
    std::vector<std::string> waiting_;
    std::vector<std::string> texts_;
    TreeEdge edge_;
    std::string bundle_;
    std::string checkpoint_;
};

}  // namespace fluxgate::audit::testing
