#include "policy/glob.hpp"

#include <algorithm>

namespace fluxgate::policy {

namespace {

// RBAC names and generated names may hold more than DNS characters, but never these.
bool can_stand_in_a_name(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte < 0x7f && c != '/' && c != '%' && c != '"' && c != '?' && c != '[' && c != '{';
}

}  // namespace

Result<Glob> Glob::compile(std::string_view pattern, Alphabet alphabet) {
    const std::size_t size_max = alphabet == Alphabet::names ? 253 : 1024;
    if (pattern.empty()) return fail(Errc::invalid_argument, "a pattern must not be empty; use \"*\" for any name");
    if (pattern.size() > size_max)
        return fail(Errc::invalid_argument, "a pattern is at most " + std::to_string(size_max) + " characters long");
    if (alphabet == Alphabet::names && !std::all_of(pattern.begin(), pattern.end(), can_stand_in_a_name)) {
        return fail(Errc::invalid_argument,
                    "\"" + std::string(pattern) + "\" has a character that no name has; only * is special in a pattern");
    }
    return Glob(std::string(pattern));
}

// Greedy with one point to return to: the last star seen.
bool Glob::matches(std::string_view name) const {
    std::size_t p = 0;
    std::size_t n = 0;
    std::size_t star = std::string::npos;
    std::size_t star_name = 0;
    while (n < name.size()) {
        if (p < pattern_.size() && pattern_[p] == '*') {
            star = p++;
            star_name = n;
        } else if (p < pattern_.size() && pattern_[p] == name[n]) {
            ++p;
            ++n;
        } else if (star != std::string::npos) {
            p = star + 1;
            n = ++star_name;
        } else {
            return false;
        }
    }
    while (p < pattern_.size() && pattern_[p] == '*') ++p;
    return p == pattern_.size();
}

// A star stands for texts with characters that no other pattern has, so only a star takes it in: as if it were such a character.
bool covers(const Glob& wide, const Glob& narrow) { return wide.matches(narrow.text()); }

bool can_meet(const Glob& left, const Glob& right) {
    const std::string& l = left.text();
    const std::string& r = right.text();
    // From the end: is there a text that both suffixes match?
    std::vector<bool> below(r.size() + 1);
    std::vector<bool> row(r.size() + 1);
    for (std::size_t i = l.size() + 1; i-- > 0;) {
        const bool left_ends = i == l.size();
        for (std::size_t j = r.size() + 1; j-- > 0;) {
            const bool right_ends = j == r.size();
            if (left_ends && right_ends)
                row[j] = true;
            else if (!left_ends && l[i] == '*')
                row[j] = below[j] || (!right_ends && row[j + 1]);
            else if (!right_ends && r[j] == '*')
                row[j] = row[j + 1] || (!left_ends && below[j]);
            else
                row[j] = !left_ends && !right_ends && l[i] == r[j] && below[j + 1];
        }
        std::swap(row, below);
    }
    return below[0];
}

bool any_matches(const std::vector<Glob>& patterns, std::string_view name) {
    return std::any_of(patterns.begin(), patterns.end(), [&](const Glob& glob) { return glob.matches(name); });
}

}  // namespace fluxgate::policy
