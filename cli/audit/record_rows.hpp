#pragma once

// Records on their way to a terminal, a spreadsheet or another program, one at a time.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "audit/record.hpp"
#include "audit/stored_records.hpp"
#include "cli/output/style.hpp"

namespace fluxgate::cli {

// A resource; one thread. Writes to standard output.
class RecordOutput {
public:
    virtual ~RecordOutput() = default;
    virtual void show(const audit::StoredRecord& stored, const audit::Record& record) = 0;
    // After the last one.
    virtual void end() {}
};

// "table", "json" (an array of {"index", "sequence", "record"}), "jsonl" (the records' own text, byte for byte), "csv".
std::unique_ptr<RecordOutput> make_record_output(std::string_view format);

// One line for people: index, time, verdict, who, what, why. Names of service accounts are short, and what is not seen is written out.
std::string table_row(const audit::StoredRecord& stored, const audit::Record& record, Style style);

// One line of CSV (RFC 4180). A cell that a spreadsheet would take for a formula has an apostrophe in front.
std::string csv_line(const std::vector<std::string>& cells);

}  // namespace fluxgate::cli
