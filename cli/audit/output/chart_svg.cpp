#include "cli/audit/output/chart_svg.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include <fmt/format.h>

#include "base/grouped.hpp"
#include "cli/audit/output/html_text.hpp"

namespace fluxgate::cli {

namespace {

using audit::Chart;

std::uint64_t sum_of(const std::vector<std::uint64_t>& values) { return std::accumulate(values.begin(), values.end(), std::uint64_t{0}); }

std::uint64_t largest(const Chart& chart) {
    std::uint64_t most = 0;
    for (const auto& row : chart.values) most = std::max(most, sum_of(row));
    return most;
}

// 1, 2 or 5 times a power of ten, so that about three lines fit below `most`.
std::uint64_t grid_step(std::uint64_t most) {
    std::uint64_t step = 1;
    for (;;) {
        for (const std::uint64_t factor : {1U, 2U, 5U}) {
            if (step * factor * 4 >= most) return step * factor;
        }
        step *= 10;
    }
}

std::string opening(const Chart& chart, int height) {
    return fmt::format("<svg role=\"img\" aria-label=\"{}\" width=\"100%\" height=\"{}\">", html_text(chart.title + ": " + chart.says),
                       height);
}

// Five times along the width; the second and the fourth give way on narrow screens. A day is told in hours.
std::string time_axis(WallTime from, WallTime to, int y) {
    std::string svg;
    const bool hours = to - from <= std::chrono::hours(49);
    for (int i = 0; i <= 4; ++i) {
        const std::string time = audit::spoken(from + (to - from) * i / 4);
        const std::string label = hours ? time.substr(5, 11) : time.substr(0, 10);
        const char* anchor = i == 0 ? "" : i == 4 ? " end" : " middle";
        svg += fmt::format("<line class=\"base\" x1=\"{0}%\" x2=\"{0}%\" y1=\"{1}\" y2=\"{2}\"/>", i * 25, y, y + 5);
        svg +=
            fmt::format("<text class=\"axis{}{}\" x=\"{}%\" y=\"{}\">{}</text>", anchor, i % 2 == 1 ? " minor" : "", i * 25, y + 18, label);
    }
    return svg;
}

std::string columns(const Chart& chart, WallTime from, WallTime to) {
    constexpr int kTop = 16;
    constexpr int kHeight = 180;
    constexpr int kBottom = kTop + kHeight;
    const std::uint64_t most = std::max<std::uint64_t>(1, largest(chart));
    const std::uint64_t step = grid_step(most);
    const std::uint64_t top = (most + step - 1) / step * step;
    const auto y_of = [&](std::uint64_t value) { return kBottom - static_cast<double>(value) / static_cast<double>(top) * kHeight; };

    std::string svg = opening(chart, kBottom + 24);
    for (std::uint64_t line = step; line <= top; line += step) {
        svg += fmt::format("<line x1=\"0\" x2=\"100%\" y1=\"{0:.1f}\" y2=\"{0:.1f}\"/>", y_of(line));
    }
    const double width = 100.0 / static_cast<double>(std::max<std::size_t>(1, chart.values.size()));
    for (std::size_t i = 0; i < chart.values.size(); ++i) {
        std::uint64_t below = 0;
        for (std::size_t s = 0; s < chart.series.size(); ++s) {
            const std::uint64_t value = chart.values[i][s];
            if (value == 0) continue;
            svg += fmt::format(
                "<rect class=\"{}\" x=\"{:.3f}%\" width=\"{:.3f}%\" y=\"{:.1f}\" height=\"{:.1f}\"><title>{}: {} {}</title></rect>",
                fill_class(chart.series[s].tone), width * static_cast<double>(i) + width * 0.1, width * 0.8, y_of(below + value),
                std::max(1.0, y_of(below) - y_of(below + value)), html_text(chart.categories[i]), grouped(value),
                html_text(chart.series[s].name));
            below += value;
        }
    }
    for (std::uint64_t line = step; line <= top; line += step)
        svg += fmt::format("<text class=\"axis\" x=\"0\" y=\"{:.1f}\">{}</text>", y_of(line) - 3, grouped(line));
    svg += fmt::format("<line class=\"base\" x1=\"0\" x2=\"100%\" y1=\"{0}\" y2=\"{0}\"/>", kBottom);
    return svg + time_axis(from, to, kBottom) + "</svg>";
}

// A name that is longer than a telephone is wide is cut; the table behind the chart has all of it.
std::string bar_name(const std::string& name) {
    constexpr std::size_t kBytesMax = 46;
    if (name.size() <= kBytesMax) return html_text(name);
    std::size_t end = kBytesMax;
    while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) --end;
    return html_text(name.substr(0, end)) + "…";
}

std::string bars(const Chart& chart) {
    constexpr int kRow = 38;
    constexpr double kWidest = 78;  // leaves room for the number
    const double most = static_cast<double>(std::max<std::uint64_t>(1, largest(chart)));
    std::string svg = opening(chart, static_cast<int>(chart.categories.size()) * kRow);
    for (std::size_t i = 0; i < chart.categories.size(); ++i) {
        const int y = static_cast<int>(i) * kRow;
        svg += fmt::format("<text x=\"0\" y=\"{}\">{}</text>", y + 12, bar_name(chart.categories[i]));
        double x = 0;
        std::string numbers;
        for (std::size_t s = 0; s < chart.series.size(); ++s) {
            const std::uint64_t value = chart.values[i][s];
            if (value == 0) continue;
            const double width = std::max(0.3, static_cast<double>(value) / most * kWidest);
            svg += fmt::format("<rect class=\"{}\" x=\"{:.2f}%\" width=\"{:.2f}%\" y=\"{}\" height=\"14\"/>",
                               fill_class(chart.series[s].tone), x, width, y + 17);
            x += width;
            numbers += (numbers.empty() ? "" : " + ") + grouped(value);
        }
        svg += fmt::format("<text class=\"axis\" x=\"{:.2f}%\" dx=\"6\" y=\"{}\">{}</text>", x, y + 28, numbers.empty() ? "0" : numbers);
    }
    return svg + "</svg>";
}

std::string lanes(const Chart& chart, WallTime from, WallTime to) {
    constexpr int kRow = 42;
    const double whole = static_cast<double>(std::max<std::int64_t>(1, (to - from).count()));
    const int bottom = static_cast<int>(chart.categories.size()) * kRow;
    std::string svg = opening(chart, bottom + 24);
    for (std::size_t lane = 0; lane < chart.categories.size(); ++lane) {
        const int y = static_cast<int>(lane) * kRow;
        svg += fmt::format("<text x=\"0\" y=\"{}\">{}</text><rect class=\"track\" x=\"0\" width=\"100%\" y=\"{}\" height=\"18\"/>", y + 13,
                           bar_name(chart.categories[lane]), y + 18);
    }
    // What must not be overlooked is drawn last, and never thinner than can be seen.
    for (const bool urgent : {false, true}) {
        for (const Chart::Span& span : chart.spans) {
            const audit::Tone tone = chart.series[span.series].tone;
            if ((tone == audit::Tone::bad) != urgent) continue;
            const double x = static_cast<double>((span.from - from).count()) / whole * 100;
            const double width = std::max(urgent ? 0.35 : 0.05, static_cast<double>((span.to - span.from).count()) / whole * 100);
            svg +=
                fmt::format("<rect class=\"{}\" x=\"{:.3f}%\" width=\"{:.3f}%\" y=\"{}\" height=\"18\"><title>{}, {} to {}</title></rect>",
                            fill_class(tone), std::min(x, 99.65), width, static_cast<int>(span.lane) * kRow + 18, html_text(span.text),
                            audit::spoken(span.from), audit::spoken(span.to));
        }
    }
    return svg + time_axis(from, to, bottom) + "</svg>";
}

}  // namespace

std::string_view fill_class(audit::Tone tone) {
    switch (tone) {
        case audit::Tone::good: return "fill-good";
        case audit::Tone::warning: return "fill-warning";
        case audit::Tone::bad: return "fill-bad";
        case audit::Tone::info: return "fill-info";
        case audit::Tone::neutral: return "fill-neutral";
    }
    return "";
}

std::string chart_svg(const Chart& chart, WallTime from, WallTime to) {
    switch (chart.kind) {
        case Chart::Kind::columns: return columns(chart, from, to);
        case Chart::Kind::bars: return bars(chart);
        case Chart::Kind::lanes: return lanes(chart, from, to);
    }
    return {};
}

}  // namespace fluxgate::cli
