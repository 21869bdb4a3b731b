#include "audit/proof.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "audit/durable_file.hpp"
#include "audit/layout.hpp"
#include "audit/published_log.hpp"
#include "audit/tile_reader.hpp"
#include "base/base64.hpp"

namespace fluxgate::audit {

namespace {

constexpr std::string_view kHead = "c2sp.org/tlog-proof@v1";
constexpr std::string_view kExtra = "extra ";
constexpr std::string_view kIndex = "index ";
constexpr std::size_t kHashesMax = 64;
constexpr std::size_t kBytesMax = SignedNote::kBytesMax + (64u << 10);

std::optional<std::string_view> take_line(std::string_view& text) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    return line;
}

tl::unexpected<Error> malformed(std::string_view what) {
    return fail(Errc::invalid_argument, fmt::format("this is no {} file: {}", kHead, what));
}

std::optional<Hash> hash_of(std::string_view line) {
    const auto bytes = from_base64(line);
    if (!bytes || bytes->size() != Hash{}.size()) return std::nullopt;
    Hash hash;
    std::copy(bytes->begin(), bytes->end(), hash.begin());
    return hash;
}

}  // namespace

std::string LogProof::text() const {
    std::string text = fmt::format("{}\n{}{}\n", kHead, kIndex, index);
    for (const Hash& hash : hashes) text += base64({reinterpret_cast<const char*>(hash.data()), hash.size()}) + "\n";
    return text + "\n" + checkpoint;
}

Result<LogProof> LogProof::parse(std::string_view text) {
    if (text.size() > kBytesMax) return fail(Errc::too_large, fmt::format("a proof has at most {} bytes", kBytesMax));
    auto line = take_line(text);
    if (line != kHead) return malformed("its first line is another");
    line = take_line(text);
    if (line && line->starts_with(kExtra)) {
        if (!from_base64(line->substr(kExtra.size()))) return malformed("its extra data is no base64");
        line = take_line(text);
    }
    if (!line || !line->starts_with(kIndex)) return malformed("it has no index");
    LogProof proof;
    const std::string_view digits = line->substr(kIndex.size());
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), proof.index);
    if (error != std::errc() || end != digits.data() + digits.size() || std::to_string(proof.index) != digits)
        return malformed("its index is no number");
    for (line = take_line(text); line && !line->empty(); line = take_line(text)) {
        const auto hash = hash_of(*line);
        if (!hash || proof.hashes.size() == kHashesMax) return malformed("its inclusion proof is no list of hashes");
        proof.hashes.push_back(*hash);
    }
    if (!line || text.empty()) return malformed("it has no checkpoint");
    proof.checkpoint = text;
    return proof;
}

Result<ProvenRecord> prove_record(Disk& disk, std::uint64_t index) {
    auto published = read_published_log(disk);
    if (!published) return tl::unexpected(published.error());
    if (!*published) return fail(Errc::invalid_argument, "nothing was published yet: there is no checkpoint", std::string(kCheckpointPath));
    const std::uint64_t size = (*published)->checkpoint.size;
    if (index >= size) {
        return fail(Errc::invalid_argument, fmt::format("there is no entry {} under the checkpoint, which is over {} entries; they count "
                                                        "from 0",
                                                        index, size));
    }
    if (index < (*published)->minimum_index) {
        return fail(Errc::invalid_argument, fmt::format("entry {} was pruned: the entries below {} were given up by retention", index,
                                                        (*published)->minimum_index));
    }
    EntryBundles bundles(disk, size);
    const auto entry = bundles.entry(index);
    if (!entry) return tl::unexpected(entry.error());
    TileReader tiles(disk, size);
    auto hashes = tiles.inclusion(index);
    if (!hashes) return tl::unexpected(hashes.error());
    ProvenRecord proven{{index, *std::move(hashes), (*published)->note}, std::string(*entry)};

    const std::string key_path(kVerifierKeyPath);
    auto key_text = read_whole(disk, key_path, 4'096);
    if (!key_text) return tl::unexpected(key_text.error());
    if (key_text->ends_with('\n')) key_text->pop_back();
    const auto key = VerifierKey::parse(*key_text);
    if (!key) return fail(key.error().code, key.error().message, key_path);
    const auto checked = check_proof(proven.proof, proven.record, *key);
    if (!checked) {
        return fail(checked.error().code, checked.error().message + "; `fluxgate audit verify` says what differs in this folder",
                    bundles.path());
    }
    return proven;
}

Result<Checkpoint> check_proof(const LogProof& proof, std::string_view record, const VerifierKey& key) {
    const auto checkpoint = open_checkpoint(proof.checkpoint, key);
    if (!checkpoint) return tl::unexpected(checkpoint.error());
    if (proof.index >= checkpoint->size)
        return fail(Errc::contradictory,
                    fmt::format("the proof is for entry {}, its checkpoint over {} entries", proof.index, checkpoint->size));
    const auto included = check_inclusion(proof.index, checkpoint->size, leaf_hash(record), checkpoint->root, proof.hashes);
    if (!included) {
        return fail(Errc::contradictory,
                    fmt::format("the text is not entry {} of the log {}: {}", proof.index, checkpoint->origin, included.error().message));
    }
    return checkpoint;
}

}  // namespace fluxgate::audit
