#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>

#include "audit/record.hpp"
#include "audit/stored_records.hpp"
#include "cli/audit/folder.hpp"
#include "cli/audit/record_rows.hpp"
#include "cli/commands.hpp"
#include "cli/messages.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::string_view kCommand = "audit tail";
constexpr std::uint64_t kRecordsMax = 100'000;  // they are held before they are shown
constexpr std::chrono::milliseconds kLookAgain{500};

struct Flags {
    std::string folder;
    std::uint64_t records = 20;
    bool follow = false;
    std::string format = "table";
};

// What was shown last: a record that came from the write-ahead log comes again when it is published.
struct Position {
    std::uint64_t index = 0;     // the next one in the provable log
    std::uint64_t sequence = 0;  // the last one shown out of the write-ahead log
};

class Tail {
public:
    Tail(audit::Disk& disk, RecordOutput& output) : disk_(disk), output_(output) {}

    Result<void> show_last(std::uint64_t count) {
        struct Kept {
            std::optional<std::uint64_t> index;
            std::uint64_t sequence;
            std::string text;
        };
        std::vector<Kept> kept;
        auto read = audit::each_record(disk_, {.newest_first = true}, [&](const audit::StoredRecord& stored) -> Result<bool> {
            if (kept.size() < count) kept.push_back({stored.index, stored.sequence, std::string(stored.text)});
            // One is needed to know where to go on.
            if (kept.empty()) pass(stored);
            return kept.size() < count;
        });
        if (!read) return read;
        for (auto one = kept.rbegin(); one != kept.rend(); ++one) {
            if (auto shown = show({one->index, one->sequence, one->text}); !shown) return shown;
        }
        return {};
    }

    Result<void> show_new() {
        return audit::each_record(disk_, {.first_index = position_.index}, [&](const audit::StoredRecord& stored) -> Result<bool> {
            if (auto shown = show(stored); !shown) return tl::unexpected(shown.error());
            return true;
        });
    }

private:
    void pass(const audit::StoredRecord& stored) {
        if (stored.index)
            position_.index = std::max(position_.index, *stored.index + 1);
        else
            position_.sequence = std::max(position_.sequence, stored.sequence);
    }

    Result<void> show(const audit::StoredRecord& stored) {
        const auto record = audit::parse_record(stored.text);
        if (!record) return fail(record.error().code, record.error().message, stored.where());
        const bool is_shown = position_.sequence > 0 && record->sequence <= position_.sequence;
        pass(stored);
        if (!is_shown) output_.show(stored, *record);
        return {};
    }

    audit::Disk& disk_;
    RecordOutput& output_;
    Position position_;
};

int run_tail(const Flags& flags) {
    const auto disk = open_audit_folder(flags.folder);
    if (!disk) return refuse(kCommand, to_string(disk.error()));
    const auto output = make_record_output(flags.format);
    Tail tail(**disk, *output);
    auto shown = tail.show_last(std::min(flags.records, kRecordsMax));
    while (shown && flags.follow) {
        std::fflush(stdout);
        if (std::ferror(stdout) != 0) break;  // nobody reads any more
        std::this_thread::sleep_for(kLookAgain);
        shown = tail.show_new();
    }
    output->end();
    if (!shown) return refuse(kCommand, to_string(shown.error()));
    return kClean;
}

}  // namespace

void add_audit_tail(CLI::App& audit, Run& run) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = audit.add_subcommand("tail", "the last records, and with -f those that come");
    add_audit_folder(*command, flags->folder);
    command->add_option("-n,--records", flags->records, "how many")->capture_default_str()->type_name("N");
    command->add_flag("-f,--follow", flags->follow, "go on until interrupted");
    command->add_option("-o,--output", flags->format, "how; jsonl: the records' own text")
        ->check(CLI::IsMember({"table", "jsonl", "csv"}))
        ->capture_default_str();
    command->footer(
        "Shows records as soon as they are durable; \"-\" as index: not yet under a checkpoint.\n\n"
        "  fluxgate audit tail --audit audit -f");
    command->callback([flags, &run] { run = [flags] { return run_tail(*flags); }; });
}

}  // namespace fluxgate::cli
