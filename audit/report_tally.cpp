#include "audit/report_tally.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/grouped.hpp"

namespace fluxgate::audit {

std::string citation_of(const StoredRecord& stored, const std::string& replica) {
    if (stored.index) return fmt::format("{}", *stored.index);
    return replica.empty() ? fmt::format("sequence {}", stored.sequence) : fmt::format("{} sequence {}", replica, stored.sequence);
}

void cite(Citations& citations, const StoredRecord& stored, const std::string& replica) {
    ++citations.count;
    if (citations.records.size() < kCitationsMax) citations.records.push_back(citation_of(stored, replica));
}

std::string spoken(const Citations& citations, std::size_t most) {
    const std::size_t shown = std::min(most, citations.records.size());
    std::string text;
    for (std::size_t i = 0; i < shown; ++i) text += (i == 0 ? "" : ", ") + citations.records[i];
    if (citations.count > shown) text += fmt::format(" +{}", grouped(citations.count - shown));
    return text;
}

void Tally::add(const Key& key, const Event& event) {
    const auto [found, is_new] = rows_.try_emplace(key);
    Tallied& row = found->second;
    if (is_new) {
        row.uncertain = forgotten_;
        row.first = event.time;
    }
    (event.denied ? row.denied : row.allowed) += event.times;
    row.first = std::min(row.first, event.time);
    row.last = std::max(row.last, event.time);
    cite(row.citations, event.stored, event.replica);
    if (rows_.size() > keys_max_) forget_the_rarest();
}

std::vector<std::pair<Tally::Key, Tallied>> Tally::top(std::size_t most) const {
    std::vector<std::pair<Key, Tallied>> rows(rows_.begin(), rows_.end());
    std::stable_sort(rows.begin(), rows.end(),
                     [](const auto& left, const auto& right) { return left.second.count() > right.second.count(); });
    if (rows.size() > most) rows.resize(most);
    return rows;
}

void Tally::forget_the_rarest() {
    std::vector<std::uint64_t> counts;
    counts.reserve(rows_.size());
    for (const auto& [key, row] : rows_) counts.push_back(row.count() + row.uncertain);
    const auto middle = counts.begin() + static_cast<std::ptrdiff_t>(counts.size() / 2);
    std::nth_element(counts.begin(), middle, counts.end());
    forgotten_ = std::max(forgotten_, *middle);
    std::size_t to_forget = rows_.size() / 2;
    for (auto row = rows_.begin(); row != rows_.end() && to_forget > 0;) {
        if (row->second.count() + row->second.uncertain <= *middle) {
            row = rows_.erase(row);
            --to_forget;
        } else {
            ++row;
        }
    }
}

}  // namespace fluxgate::audit
