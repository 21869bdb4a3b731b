#pragma once

// Evidence for auditors: reads the records of a period and answers the questions that auditors ask (docs/reference/audit-report.md).
//
// An answer says what the records show, with figures, tables, charts and the records it rests on; what they do not show it says too, and
// what would. It claims nothing beyond that: whether a control is met is the auditor's judgement.
// Reads once, in order, in bounded memory: longest tables, not all rows; how many were left out is counted. Pure but for what it is fed.
// Texts may come from attackers (names of users, objects, managers): who shows them escapes them.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "audit/stored_records.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"

namespace fluxgate::audit {

// What the report rests on: found by the caller, copied into the report.
struct ReportBasis {
    std::string origin{};  // of the signed checkpoint; empty: there is none
    std::uint64_t size = 0;
    std::string root{};      // base64
    std::string key_id{};    // eight hexadecimal digits
    std::string key{};       // the verifier key as text
    bool key_given = false;  // by who asks for the report, so not only found beside the log
    // The whole log was verified: signature, tree, every entry. Otherwise `errors` says nothing.
    bool verified = false;
    std::uint64_t errors = 0;
    bool as_signed = false;               // the errors are all of what the records tell: see Verification
    std::vector<std::string> findings{};  // the first errors
    std::uint64_t minimum_index = 0;      // entries below were pruned

    friend bool operator==(const ReportBasis&, const ReportBasis&) = default;
};

struct ReportOptions {
    WallTime from{};  // included
    WallTime to{};    // not included
    WallTime now{};   // when the report is made
    ReportBasis basis{};
    std::string folder = "DIR";             // as the commands name it that the report recommends
    std::chrono::seconds silence_max{150};  // two heartbeats and a half: longer without one is a silence
    std::size_t rows_max = 15;              // of a table
};

struct Column {
    std::string name{};
    bool number = false;  // shown flush right

    friend bool operator==(const Column&, const Column&) = default;
};

struct Table {
    std::string title{};
    std::vector<Column> columns{};
    std::vector<std::vector<std::string>> rows{};
    std::uint64_t more = 0;  // rows left out
    std::string command{};   // that lists all of them
    std::string note{};
};

enum class Tone { good, warning, bad, info, neutral };

// Numbers and what they mean, for a picture and for the table behind it.
struct Chart {
    enum class Kind {
        columns,  // over time, stacked; categories are the begins of equal intervals
        bars,     // a bar a category, stacked
        lanes,    // spans of time, a lane a category
    };
    struct Series {
        std::string name{};
        Tone tone = Tone::neutral;
    };
    struct Span {
        std::size_t lane = 0;
        std::size_t series = 0;
        WallTime from{};
        WallTime to{};
        std::string text{};
    };

    Kind kind = Kind::bars;
    std::string title{};
    std::string says{};  // the chart in a sentence, for who does not see it
    std::vector<Series> series{};
    std::vector<std::string> categories{};
    std::vector<std::vector<std::uint64_t>> values{};  // a row a category, a number a series
    std::vector<Span> spans{};                         // of lanes
    std::uint64_t more = 0;                            // spans or categories left out
};

struct Figure {
    std::string label{};
    std::string value{};
    Tone tone = Tone::neutral;
};

// Something the log does not hold.
struct NotRecorded {
    std::string what{};
    std::string why{};
    std::string remedy{};  // what records it, or where it is found
};

enum class Standing { answered, partly, not_recorded };
std::string_view to_string(Standing standing);  // "answered", "answered in part", "not recorded here"

// Records that support an answer: the first ones, and how many there are.
struct Citations {
    std::vector<std::string> records{};  // log indexes: "17"; "replica fluxgate-0 sequence 18" where there is none yet
    std::uint64_t count = 0;
};

struct Answer {
    unsigned number = 0;
    std::string title{};
    std::string question{};
    Standing standing = Standing::answered;
    std::string sentence{};
    std::vector<Figure> figures{};
    std::vector<Chart> charts{};
    std::vector<Table> tables{};
    std::vector<NotRecorded> not_recorded{};
    Citations citations{};
};

// A control of a standard, what it asks for in our words, and the questions whose answers are evidence for it.
struct Control {
    std::string standard{};
    std::string id{};
    std::string asks{};
    std::vector<unsigned> questions{};
};

struct Report {
    WallTime from{};
    WallTime to{};
    WallTime made{};
    std::vector<std::string> clusters{};
    ReportBasis basis{};
    std::uint64_t records = 0;  // of the period
    std::string headline{};
    std::vector<Figure> figures{};
    std::vector<std::string> attention{};  // what a reader should look at first
    std::vector<Answer> answers{};
    std::vector<Control> controls{};
    std::vector<Table> tags{};  // what the policies themselves are tagged with
};

// Errors: those of `records`, and of audit/record.hpp for a record that cannot be read, with its place; invalid_argument if the period is
// empty or longer than ten years.
Result<Report> gather_report(const Records& records, const ReportOptions& options);

// The controls the report knows of. The wording is ours; the standards' own text counts.
const std::vector<Control>& known_controls();

// "1 h 2 min", "4 min 12 s", "0.8 s"
std::string spoken(std::chrono::microseconds duration);
// "2026-11-21 09:27:38Z"
std::string spoken(WallTime time);

}  // namespace fluxgate::audit
