#include "audit/verify.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/audit/support.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using namespace fluxgate::audit::testing;

namespace {

std::string line(std::uint64_t sequence, const std::string& decision = "denied") {
    Record record = record_of("r" + std::to_string(sequence));
    record.decision = decision;
    return to_json(record, sequence) + "\n";
}

std::string name(std::uint64_t sequence) {
    std::string digits = std::to_string(sequence);
    return "records-" + std::string(20 - digits.size(), '0') + digits + ".jsonl";
}

}  // namespace

TEST_CASE("a whole log is read and counted") {
    Folder folder;
    write_text(folder / name(1), line(1) + line(2, "allowed"));
    write_text(folder / name(3), line(3));
    write_text(folder / name(4), "");
    const auto log = verify_log(folder.path());
    REQUIRE(log.has_value());
    CHECK(log->records == 3);
    CHECK(log->first_sequence == 1);
    CHECK(log->last_sequence == 3);
    CHECK(log->denied == 2);
    CHECK(log->allowed == 1);
    CHECK(log->lines[2].id == "r3");
    CHECK(log->torn_tails.empty());
}

TEST_CASE("an empty folder is a log without records") {
    Folder folder;
    const auto log = verify_log(folder.path());
    REQUIRE(log.has_value());
    CHECK(log->records == 0);
}

TEST_CASE("what is not whole is said with file and line") {
    struct File {
        std::string name;
        std::string text;
    };
    struct Row {
        const char* name;
        std::vector<File> files;
        Errc code;
        std::string where;
    };
    const std::vector<Row> rows{
        {"a hole inside a file", {{name(1), line(1) + line(3)}}, Errc::contradictory, name(1) + ":2"},
        {"a file in the middle is missing", {{name(1), line(1)}, {name(3), line(3)}}, Errc::contradictory, name(3) + ":1"},
        {"a record twice", {{name(1), line(1) + line(1)}}, Errc::contradictory, name(1) + ":2"},
        {"records in another order", {{name(1), line(2) + line(1)}}, Errc::contradictory, name(1) + ":2"},
        {"garbage in the middle", {{name(1), line(1) + "garbage\n" + line(2)}}, Errc::invalid_json, name(1) + ":2"},
        {"garbage at the end", {{name(1), line(1) + "garbage\n"}}, Errc::invalid_json, name(1) + ":2"},
        {"an empty line", {{name(1), line(1) + "\n" + line(2)}}, Errc::invalid_json, name(1) + ":2"},
        {"a line without its line feed in the middle", {{name(1), line(1).substr(0, 40) + line(2)}}, Errc::invalid_json, name(1) + ":1"},
        {"another schema", {{name(1), "{\"schema\":\"x\"}\n"}}, Errc::unsupported_version, name(1) + ":1"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Folder folder;
        for (const File& file : row.files) write_text(folder / file.name, file.text);
        const auto log = verify_log(folder.path());
        REQUIRE_FALSE(log.has_value());
        CHECK(log.error().code == row.code);
        CHECK(log.error().where == row.where);
    }
}

TEST_CASE("a torn tail is named and does not count") {
    Folder folder;
    write_text(folder / name(1), line(1) + line(2).substr(0, 30));
    write_text(folder / name(2), line(2) + line(3).substr(0, 1));
    const auto log = verify_log(folder.path());
    REQUIRE(log.has_value());
    CHECK(log->records == 2);
    CHECK(log->torn_tails == std::vector<std::string>{name(1), name(2)});
}

TEST_CASE("what cannot be read is an error, never an empty log") {
    struct Row {
        const char* name;
        std::filesystem::path path;
    };
    Folder folder;
    write_text(folder / "file", "");
    std::filesystem::create_directories(folder / "with-a-folder" / name(1));
    std::filesystem::create_directory(folder / "with-a-dangling-link");
    std::filesystem::create_symlink(folder / "nowhere", folder / "with-a-dangling-link" / name(1));
    const std::vector<Row> rows{
        {"no such folder", folder / "nowhere"},
        {"a file", folder / "file"},
        {"a folder named like a file of the log", folder / "with-a-folder"},
        {"a link to nothing", folder / "with-a-dangling-link"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto log = verify_log(row.path);
        REQUIRE_FALSE(log.has_value());
        CHECK(log.error().code == Errc::io);
    }
}

TEST_CASE("a line feed that is gone is noticed, wherever it was") {
    Folder folder;
    const std::string text = line(1) + line(2) + line(3);
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '\n') continue;
        std::string changed = text;
        changed[at] = ' ';
        write_text(folder / name(1), changed);
        INFO("the line feed at " << at << " is gone");
        const auto log = verify_log(folder.path());
        const bool last = at + 1 == text.size();
        CHECK(log.has_value() == last);
        if (last) CHECK(log->torn_tails.size() == 1);
    }
}
