#include "audit/report.hpp"

#include <fstream>
#include <iostream>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "audit/published_log.hpp"
#include "audit/verify.hpp"
#include "base/base64.hpp"
#include "cli/audit/folder.hpp"
#include "cli/audit/output/report_outputs.hpp"
#include "cli/audit/period.hpp"
#include "cli/commands.hpp"
#include "cli/files.hpp"
#include "cli/messages.hpp"
#include "cli/progress.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::string_view kCommand = "audit report";

struct Flags {
    std::string folder;
    PeriodFlags period;
    std::string key;
    std::string format = "html";
    std::string out;
    bool skip_verification = false;
};

void fill(audit::ReportBasis& basis, const audit::Checkpoint& checkpoint) {
    basis.origin = checkpoint.origin;
    basis.size = checkpoint.size;
    basis.root = base64({reinterpret_cast<const char*>(checkpoint.root.data()), checkpoint.root.size()});
}

// Verifies the log, so that the report can say what it rests on.
Result<audit::ReportBasis> basis_of(audit::Disk& disk, const Flags& flags) {
    audit::ReportBasis basis;
    if (flags.skip_verification) {
        const auto published = audit::read_published_log(disk);
        if (!published) return tl::unexpected(published.error());
        if (!*published) return basis;
        fill(basis, (*published)->checkpoint);
        basis.minimum_index = (*published)->minimum_index;
        return basis;
    }
    audit::VerifyOptions options;
    if (!flags.key.empty()) {
        const auto key = verifier_key_of(flags.key);
        if (!key) return fail(key.error().code, "--key: " + to_string(key.error()));
        options.key = *key;
    }
    Progress progress("verified", stderr);
    options.progress = [&](std::uint64_t done, std::uint64_t total) { progress.show(done, total, done); };
    const auto found = audit::verify_log(disk, options);
    progress.clear();
    if (!found) return tl::unexpected(found.error());
    if (found->checkpoint) fill(basis, *found->checkpoint);
    basis.verified = true;
    basis.key = found->key;
    if (const auto key = VerifierKey::parse(found->key)) basis.key_id = fmt::format("{:08x}", key->id);
    basis.key_given = found->pinned;
    basis.minimum_index = found->minimum_index;
    basis.errors = found->findings.errors();
    basis.as_signed = found->as_signed();
    constexpr std::size_t kFindingsMax = 20;
    for (const audit::Finding& finding : found->findings.kept()) {
        if (finding.level != audit::Finding::Level::error || basis.findings.size() == kFindingsMax) continue;
        basis.findings.push_back(fmt::format("{}: {} ({})", finding.where, finding.message, finding.name));
    }
    return basis;
}

// The first record says when the log begins.
Result<WallTime> begin_of_log(const audit::Records& records) {
    std::optional<WallTime> first;
    const auto read = records([&](const audit::StoredRecord& stored) -> Result<bool> {
        const auto record = audit::parse_record(stored.text);
        if (!record) return fail(record.error().code, record.error().message, stored.where());
        first = record->time;
        return false;
    });
    if (!read) return tl::unexpected(read.error());
    if (!first) return fail(Errc::invalid_argument, "there is no record in the folder: give --from");
    return *first;
}

void write_report(const audit::Report& report, const std::string& format, std::ostream& out) {
    if (format == "html") return write_report_html(report, out);
    if (format == "json") return write_report_json(report, out);
    if (format == "csv") return write_report_csv(report, out);
    write_report_markdown(report, out);
}

int run_report(const Flags& flags) {
    if (flags.skip_verification && !flags.key.empty())
        return refuse(kCommand, "--key is for the verification, which --skip-verification leaves out: give one of them");
    const WallTime now = SystemClock().now();
    const auto period = Period::parse(flags.period, now);
    if (!period) return refuse(kCommand, period.error().message);
    const auto disk = open_audit_folder(flags.folder);
    if (!disk) return refuse(kCommand, to_string(disk.error()));
    const audit::Records records = [&](const audit::UseRecord& use) { return audit::each_record(**disk, {}, use); };

    audit::ReportOptions options{.now = now, .folder = flags.folder};
    const auto from = period->from ? Result<WallTime>(*period->from) : begin_of_log(records);
    if (!from) return refuse(kCommand, to_string(from.error()));
    options.from = *from;
    options.to = period->to.value_or(now);
    auto basis = basis_of(**disk, flags);
    if (!basis) return refuse(kCommand, to_string(basis.error()));
    options.basis = *std::move(basis);
    const auto report = audit::gather_report(records, options);
    if (!report) return refuse(kCommand, to_string(report.error()) + "; `fluxgate audit verify` says what else is wrong");

    if (flags.out.empty()) {
        write_report(*report, flags.format, std::cout);
    } else {
        auto file = NewFile::create(flags.out);
        if (!file) return refuse(kCommand, to_string(file.error()));
        write_report(*report, flags.format, file->stream());
        if (const auto written = file->finish(); !written) return refuse(kCommand, to_string(written.error()));
    }
    return report->basis.errors > 0 ? kFindings : kClean;
}

}  // namespace

void add_audit_report(CLI::App& audit, Run& run) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = audit.add_subcommand("report", "evidence for auditors: their questions, answered from the records of a period");
    add_audit_folder(*command, flags->folder);
    add_period(*command, flags->period);
    command->add_option("--key", flags->key, "the log's verifier key, or a file with it; without one the folder vouches for itself")
        ->type_name("KEY|FILE");
    command->add_option("-o,--output", flags->format, "how")
        ->check(CLI::IsMember({"html", "json", "csv", "markdown"}))
        ->capture_default_str();
    command->add_option("--out", flags->out, "a file instead of standard output; it appears whole or not at all")->type_name("FILE");
    command->add_flag("--skip-verification", flags->skip_verification, "do not verify the log first; the report says so");
    command->footer(
        "Without --from the period begins with the log, without --to it ends now. Works offline.\n"
        "Exits 0; 1 if the log is not what was signed, or not whole, and the report says so; 2 if it cannot be read.\n\n"
        "  fluxgate audit report --audit audit --from 2026-10-01 --to 2027-01-01 --key log.vkey --out evidence.html");
    command->callback([flags, &run] { run = [flags] { return run_report(*flags); }; });
}

}  // namespace fluxgate::cli
