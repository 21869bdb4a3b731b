// Writes the evidence report of a recorded day (tests/support/recorded_day.hpp) as HTML to standard output, without a log on a disk:
// for the browser test and for looking at it.
//
//   make_report [SEED [quiet]]     quiet: a day on which nothing happened

#include <cstdlib>
#include <iostream>
#include <string_view>

#include "audit/report.hpp"
#include "cli/audit/output/report_outputs.hpp"
#include "tests/support/recorded_day.hpp"

int main(int argc, char** argv) {
    using namespace fluxgate;
    const bool quiet = argc > 2 && std::string_view(argv[2]) == "quiet";
    const testing::DayOptions day{.seed = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1};
    const std::vector<std::string> texts = quiet ? std::vector<std::string>{} : testing::texts_of(testing::recorded_day(day));
    audit::ReportOptions options{.from = testing::kDayBegin, .to = testing::kDayEnd, .now = testing::kDayEnd + std::chrono::hours(8)};
    if (!quiet) {
        options.basis = {.origin = "fluxgate/prod-we-1/fluxgate-0/1",
                         .size = texts.size() - 12,
                         .root = "RfIxIOZT2TbRcTg9zwF1dR6sFOyOEE/d9FFMAn7YceQ=",
                         .key_id = "530d903a",
                         .key = "fluxgate/prod-we-1/fluxgate-0/1+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
                         .key_given = true,
                         .verified = true};
    }
    const auto report = audit::gather_report(testing::records_of(texts, quiet ? 0 : 12), options);
    if (!report) {
        std::cerr << to_string(report.error()) << '\n';
        return 2;
    }
    cli::write_report_html(*report, std::cout);
    return 0;
}
