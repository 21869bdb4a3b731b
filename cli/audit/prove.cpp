#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "audit/proof.hpp"
#include "audit/tiles.hpp"
#include "cli/audit/folder.hpp"
#include "cli/commands.hpp"
#include "cli/files.hpp"
#include "cli/messages.hpp"
#include "cli/output/text.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::string_view kCommand = "audit prove";
constexpr std::string_view kProofSuffix = ".tlog-proof";

struct Flags {
    std::string folder;
    std::optional<std::uint64_t> index;
    std::string out;
    std::string check;
    std::string record;
    std::string key;
};

// "evidence.tlog-proof" has its record in "evidence.json".
std::string record_path_of(const std::string& proof_path) {
    const bool has_suffix = proof_path.ends_with(kProofSuffix);
    return (has_suffix ? proof_path.substr(0, proof_path.size() - kProofSuffix.size()) : proof_path) + ".json";
}

Result<void> write_new(const std::string& path, std::string_view text) {
    auto file = NewFile::create(path);
    if (!file) return tl::unexpected(file.error());
    file->stream() << text;
    return file->finish();
}

int make(const Flags& flags) {
    if (flags.folder.empty() || flags.out.empty()) return refuse(kCommand, "give --audit DIR, the index and -o FILE; or --check FILE");
    const auto disk = open_audit_folder(flags.folder);
    if (!disk) return refuse(kCommand, to_string(disk.error()));
    const auto proven = audit::prove_record(**disk, *flags.index);
    if (!proven) return refuse(kCommand, to_string(proven.error()));
    const std::string record_path = record_path_of(flags.out);
    // The text without a line feed: the entry is exactly these bytes.
    for (const auto& [path, text] : {std::pair(flags.out, proven->proof.text()), std::pair(record_path, proven->record)}) {
        if (auto written = write_new(path, text); !written) return refuse(kCommand, to_string(written.error()));
    }
    fmt::print(
        "{}  the proof that entry {} is in the log\n{}  the record, byte for byte\n\ncheck it anywhere:\n"
        "  fluxgate audit prove --check {} --record {} --key KEY\n",
        visible(flags.out), *flags.index, visible(record_path), visible(flags.out), visible(record_path));
    return kClean;
}

int check(const Flags& flags) {
    if (flags.record.empty() || flags.key.empty()) return refuse(kCommand, "--check needs --record FILE and --key KEY");
    const auto text = read_file(flags.check);
    if (!text) return refuse(kCommand, to_string(text.error()));
    const auto record = read_file(flags.record);
    if (!record) return refuse(kCommand, to_string(record.error()));
    const auto key = verifier_key_of(flags.key);
    if (!key) return refuse(kCommand, "--key: " + to_string(key.error()));
    const auto proof = audit::LogProof::parse(*text);
    if (!proof) return refuse(kCommand, flags.check + ": " + proof.error().message);
    const auto checkpoint = audit::check_proof(*proof, *record, *key);
    if (!checkpoint) {
        print_problem(fmt::format("{}: the proof does NOT hold: {}", flags.check, checkpoint.error().message));
        return kFindings;
    }
    fmt::print("The proof holds: the text in {} is entry {} of the log {}, which had {} entries when its key signed them.\n",
               visible(flags.record), proof->index, visible(checkpoint->origin), checkpoint->size);
    return kClean;
}

}  // namespace

void add_audit_prove(CLI::App& audit, Run& run) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = audit.add_subcommand("prove", "prove a record to somebody who does not have the log");
    CLI::Option* index =
        command->add_option("index", flags->index, "the index of the record, as `audit query` shows it")->type_name("INDEX");
    CLI::Option* folder = command->add_option("--audit", flags->folder, "the folder of the audit log, or a copy of it")->type_name("DIR");
    CLI::Option* out = command->add_option("-o,--out", flags->out, "the proof to write, NAME.tlog-proof; the record goes into NAME.json")
                           ->type_name("FILE");
    command->add_option("--check", flags->check, "check this proof instead")
        ->type_name("FILE")
        ->excludes(index)
        ->excludes(folder)
        ->excludes(out);
    command->add_option("--record", flags->record, "with --check: the record, byte for byte")->type_name("FILE");
    command->add_option("--key", flags->key, "with --check: the log's verifier key, or a file with it")->type_name("KEY|FILE");
    command->footer(
        "The proof is a file of the format c2sp.org/tlog-proof. Checking needs the proof, the record and the log's verifier key, nothing "
        "else.\n"
        "Exits 0; 1 if a proof does not hold; 2 if there is no such record or a file cannot be read.\n\n"
        "  fluxgate audit prove --audit audit 4711 -o evidence.tlog-proof\n"
        "  fluxgate audit prove --check evidence.tlog-proof --record evidence.json --key log.vkey");
    command->callback([flags, &run] {
        run = [flags] {
            if (!flags->check.empty()) return check(*flags);
            if (!flags->index) return refuse(kCommand, "give the index of a record, or --check FILE");
            return make(*flags);
        };
    });
}

}  // namespace fluxgate::cli
