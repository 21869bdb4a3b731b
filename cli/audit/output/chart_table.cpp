#include "cli/audit/output/chart_table.hpp"

#include <algorithm>

#include "base/grouped.hpp"

namespace fluxgate::cli {

using audit::Chart;

audit::Table chart_table(const Chart& chart) {
    audit::Table table{.title = chart.title, .columns = {}, .rows = {}, .more = chart.more};
    if (chart.kind == Chart::Kind::lanes) {
        table.columns = {{"lane"}, {"what"}, {"from"}, {"to"}};
        for (const Chart::Span& span : chart.spans) {
            const std::string& series = chart.series[span.series].name;
            table.rows.push_back({chart.categories[span.lane], span.text == series ? series : series + ": " + span.text,
                                  audit::spoken(span.from), audit::spoken(span.to)});
        }
        return table;
    }
    table.columns.push_back({chart.kind == Chart::Kind::columns ? "from" : "name"});
    for (const Chart::Series& series : chart.series) table.columns.push_back({series.name, true});
    for (std::size_t i = 0; i < chart.categories.size(); ++i) {
        const auto& values = chart.values[i];
        if (std::all_of(values.begin(), values.end(), [](std::uint64_t value) { return value == 0; })) continue;
        std::vector<std::string> row{chart.categories[i]};
        for (const std::uint64_t value : values) row.push_back(grouped(value));
        table.rows.push_back(std::move(row));
    }
    return table;
}

}  // namespace fluxgate::cli
