#include "audit/verify.hpp"

#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/grouped.hpp"
#include "cli/audit/folder.hpp"
#include "cli/commands.hpp"
#include "cli/files.hpp"
#include "cli/messages.hpp"
#include "cli/output/result_json.hpp"
#include "cli/output/style.hpp"
#include "cli/output/text.hpp"
#include "cli/progress.hpp"

namespace fluxgate::cli {

namespace {

using audit::Finding;
using audit::Verification;
using nlohmann::ordered_json;

constexpr std::string_view kCommand = "audit verify";

struct Flags {
    std::string folder;
    std::string key;
    std::vector<std::string> checkpoints;
    std::string format = "text";
};

std::string root_text(const audit::Checkpoint& checkpoint) {
    return base64({reinterpret_cast<const char*>(checkpoint.root.data()), checkpoint.root.size()});
}

std::string conclusion(const Verification& found) {
    if (found.good()) return "The audit log is whole.";
    const std::string errors = grouped(found.findings.errors(), "error");
    if (found.as_signed()) return fmt::format("The audit log is as it was signed, but what it tells is NOT complete: {}.", errors);
    return fmt::format("The audit log is NOT whole: {}.", errors);
}

void print_text(const Verification& found) {
    const Style style = Style::of(stdout);
    for (const Finding& finding : found.findings.kept()) {
        const bool is_error = finding.level == Finding::Level::error;
        fmt::print("{} {}: {} ({})\n", style.paint(is_error ? Colour::red : Colour::yellow, is_error ? "error" : "note "),
                   visible(finding.where), visible(finding.message), finding.name);
    }
    const std::uint64_t all = found.findings.errors() + found.findings.notes();
    if (all > found.findings.kept().size()) fmt::print("and {} more\n", grouped(all - found.findings.kept().size()));
    if (all > 0) fmt::print("\n");

    if (found.checkpoint) {
        fmt::print("log         {}\ncheckpoint  {} entries, root {}\n", visible(found.checkpoint->origin), grouped(found.checkpoint->size),
                   root_text(*found.checkpoint));
        fmt::print("key         {}\n", found.key.empty() ? "none that is known" : visible(found.key));
    }
    fmt::print("checked     {} entries, {} not under a checkpoint yet, {}\n", grouped(found.entries), grouped(found.unpublished, "record"),
               grouped(found.blobs, "blob"));
    const audit::RecordTotals& totals = found.totals;
    fmt::print("records     {} denied, {} allowed, {} of {}\n", grouped(totals.denied), grouped(totals.allowed),
               grouped(totals.events, "event"), grouped(totals.replicas, "replica"));
    if (totals.first) fmt::print("times       {} to {}\n", format_rfc3339(*totals.first), format_rfc3339(*totals.last));
    if (found.as_signed()) {
        for (const std::string& sentence : found.proves()) fmt::print("\nproves: {}", visible(sentence));
        fmt::print("\n");
    }
    for (const std::string& sentence : found.leaves_open()) fmt::print("\nleaves open: {}", visible(sentence));
    fmt::print("\n\n{}\n", style.paint(found.good() ? Colour::green : Colour::red, conclusion(found)));
}

void print_json(const Verification& found) {
    ordered_json findings = ordered_json::array();
    for (const Finding& finding : found.findings.kept()) {
        findings.push_back({{"level", finding.level == Finding::Level::error ? "error" : "note"},
                            {"name", finding.name},
                            {"where", finding.where},
                            {"message", finding.message}});
        if (finding.index) findings.back()["index"] = *finding.index;
    }
    ordered_json out{
        {"whole", found.good()}, {"asSigned", found.as_signed()}, {"errors", found.findings.errors()}, {"notes", found.findings.notes()}};
    if (found.checkpoint) {
        out["checkpoint"] = {
            {"origin", found.checkpoint->origin}, {"size", found.checkpoint->size}, {"root", root_text(*found.checkpoint)}};
        out["key"] = found.key;
    }
    out["pinned"] = found.pinned;
    out["minimumIndex"] = found.minimum_index;
    out["entries"] = found.entries;
    out["unpublished"] = found.unpublished;
    out["blobs"] = found.blobs;
    out["olderCheckpoints"] = found.older_checkpoints;
    out["records"] = {{"denied", found.totals.denied},
                      {"allowed", found.totals.allowed},
                      {"events", found.totals.events},
                      {"heartbeats", found.totals.heartbeats},
                      {"replicas", found.totals.replicas}};
    if (found.totals.first) {
        out["from"] = format_rfc3339(*found.totals.first);
        out["to"] = format_rfc3339(*found.totals.last);
    }
    out["findings"] = std::move(findings);
    out["proves"] = found.as_signed() ? found.proves() : std::vector<std::string>();
    out["leavesOpen"] = found.leaves_open();
    fmt::print("{}\n", out.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

int run_verify(const Flags& flags) {
    audit::VerifyOptions options;
    if (!flags.key.empty()) {
        const auto key = verifier_key_of(flags.key);
        if (!key) return refuse(kCommand, "--key: " + to_string(key.error()));
        options.key = *key;
    }
    for (const std::string& path : flags.checkpoints) {
        auto note = read_file(path, SignedNote::kBytesMax);
        if (!note) return refuse(kCommand, "--checkpoint: " + to_string(note.error()));
        options.checkpoints.emplace_back(path, *std::move(note));
    }
    Progress progress("verified", stderr);
    options.progress = [&](std::uint64_t done, std::uint64_t total) { progress.show(done, total, done); };
    const auto disk = open_audit_folder(flags.folder);
    if (!disk) return refuse(kCommand, to_string(disk.error()));
    const auto found = audit::verify_log(**disk, options);
    progress.clear();
    if (!found) return refuse(kCommand, to_string(found.error()));
    (flags.format == "json" ? print_json : print_text)(*found);
    return found->good() ? kClean : kFindings;
}

}  // namespace

void add_audit_verify(CLI::App& audit, Run& run) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = audit.add_subcommand("verify", "is the log what was signed, and is it complete?");
    add_audit_folder(*command, flags->folder);
    command->add_option("--key", flags->key, "the log's verifier key, or a file with it; without one the folder vouches for itself")
        ->type_name("KEY|FILE");
    command->add_option("--checkpoint", flags->checkpoints, "an older checkpoint, which must be the beginning of this log; again for more")
        ->allow_extra_args(false)
        ->take_all()
        ->type_name("FILE");
    command->add_option("-o,--output", flags->format, "how")->check(CLI::IsMember({"text", "json"}))->capture_default_str();
    command->footer(
        "Works offline. Exits 0 if the log is whole, with notes or without; 1 if not: every error names a file or an index; 2 if the "
        "folder\n"
        "cannot be read. What a good result proves, and what it does not, stands at its end.\n\n"
        "  fluxgate audit verify --audit audit --key log.vkey --checkpoint checkpoint-of-last-quarter");
    command->callback([flags, &run] { run = [flags] { return run_verify(*flags); }; });
}

}  // namespace fluxgate::cli
