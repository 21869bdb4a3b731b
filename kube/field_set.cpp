#include "kube/field_set.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "kube/path.hpp"

namespace fluxgate::kube {

namespace {

// --- the JSON inside an element ---------------------------------------------------------------------------------------

void append_json_string(std::string& out, std::string_view text) {
    constexpr std::string_view kHex = "0123456789abcdef";
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20) {
            out.append("\\u00").append(1, kHex[byte >> 4]).append(1, kHex[byte & 0x0f]);
        } else {
            out += c;
        }
    }
    out += '"';
}

void append_utf8(std::string& out, unsigned code) {
    const auto byte = [&](unsigned value) { out += static_cast<char>(static_cast<unsigned char>(value)); };
    if (code < 0x80) return byte(code);
    if (code < 0x800) {
        byte(0xc0 | (code >> 6));
    } else if (code < 0x10000) {
        byte(0xe0 | (code >> 12));
        byte(0x80 | ((code >> 6) & 0x3f));
    } else {
        byte(0xf0 | (code >> 18));
        byte(0x80 | ((code >> 12) & 0x3f));
        byte(0x80 | ((code >> 6) & 0x3f));
    }
    byte(0x80 | (code & 0x3f));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// How much of a string stands for itself: up to a quote, a backslash or a control character.
std::size_t plain_length(std::string_view text) {
    std::size_t length = 0;
    while (length < text.size() && text[length] != '"' && text[length] != '\\' && static_cast<unsigned char>(text[length]) >= 0x20)
        ++length;
    return length;
}

// `{"name":"web"}` and `{"port":80}`, which is what almost all keys look like, need no respelling.
bool is_plain_key(std::string_view text) {
    if (!text.starts_with("{\"")) return false;
    text.remove_prefix(2);
    text.remove_prefix(plain_length(text));
    if (!text.starts_with("\":")) return false;
    text.remove_prefix(2);
    if (text.starts_with('"')) {
        text.remove_prefix(1);
        text.remove_prefix(plain_length(text));
        return text == "\"}";
    }
    constexpr std::size_t kExactDigits = 15;
    return text.size() >= 2 && text.size() <= kExactDigits && text[0] >= '1' && text.ends_with('}') &&
           std::all_of(text.begin(), text.end() - 1, is_digit);
}

// A scalar, or an object of scalars: all that the keys of FieldsV1 hold. Too small and too many for a parser that wants
// padding and buffers of its own. The text is UTF-8 already.
class ScalarReader {
public:
    explicit ScalarReader(std::string_view text) : rest_(text) {}

    bool at_end() {
        skip_blanks();
        return rest_.empty();
    }
    bool take(char c) {
        skip_blanks();
        if (!rest_.starts_with(c)) return false;
        rest_.remove_prefix(1);
        return true;
    }

    // The decoded string; false if none stands here.
    bool string(std::string& text) {
        if (!take('"')) return false;
        text.clear();
        for (;;) {
            const std::size_t plain = plain_length(rest_);
            text += rest_.substr(0, plain);
            rest_.remove_prefix(plain);
            if (take_now('"')) return true;
            if (!take_now('\\') || !escape(text)) return false;
        }
    }

    // Appends the scalar in its one spelling; false if none stands here.
    bool scalar(std::string& out) {
        skip_blanks();
        if (rest_.starts_with('"')) {
            if (!string(scratch_)) return false;
            append_json_string(out, scratch_);
            return true;
        }
        for (const std::string_view word : {"true", "false", "null"}) {
            if (!rest_.starts_with(word)) continue;
            out += word;
            rest_.remove_prefix(word.size());
            return true;
        }
        return number(out);
    }

private:
    void skip_blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size())); }

    bool take_now(char c) {
        if (!rest_.starts_with(c)) return false;
        rest_.remove_prefix(1);
        return true;
    }

    bool escape(std::string& text) {
        if (rest_.empty()) return false;
        const char kind = rest_.front();
        rest_.remove_prefix(1);
        switch (kind) {
            case '"':
            case '\\':
            case '/': text += kind; return true;
            case 'b': text += '\b'; return true;
            case 'f': text += '\f'; return true;
            case 'n': text += '\n'; return true;
            case 'r': text += '\r'; return true;
            case 't': text += '\t'; return true;
            case 'u': break;
            default: return false;
        }
        std::optional<unsigned> code = code_unit();
        if (!code) return false;
        if (*code >= 0xdc00 && *code < 0xe000) return false;
        if (*code >= 0xd800 && *code < 0xdc00) {
            if (!take_now('\\') || !take_now('u')) return false;
            const std::optional<unsigned> low = code_unit();
            if (!low || *low < 0xdc00 || *low >= 0xe000) return false;
            code = 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00);
        }
        append_utf8(text, *code);
        return true;
    }

    std::optional<unsigned> code_unit() {
        unsigned unit = 0;
        const char* const end = rest_.data() + std::min<std::size_t>(rest_.size(), 4);
        const auto [last, error] = std::from_chars(rest_.data(), end, unit, 16);
        if (error != std::errc() || last != rest_.data() + 4) return std::nullopt;
        rest_.remove_prefix(4);
        return unit;
    }

    std::size_t digits(std::size_t at) const {
        std::size_t end = at;
        while (end < rest_.size() && is_digit(rest_[end])) ++end;
        return end - at;
    }

    bool number(std::string& out) {
        std::size_t length = rest_.starts_with('-') ? 1 : 0;
        const std::size_t whole = digits(length);
        if (whole == 0 || (whole > 1 && rest_[length] == '0')) return false;
        length += whole;
        bool integer = true;
        if (length < rest_.size() && rest_[length] == '.') {
            integer = false;
            const std::size_t fraction = digits(++length);
            if (fraction == 0) return false;
            length += fraction;
        }
        if (length < rest_.size() && (rest_[length] == 'e' || rest_[length] == 'E')) {
            integer = false;
            ++length;
            if (length < rest_.size() && (rest_[length] == '+' || rest_[length] == '-')) ++length;
            const std::size_t exponent = digits(length);
            if (exponent == 0) return false;
            length += exponent;
        }
        const std::string_view text = rest_.substr(0, length);
        rest_.remove_prefix(length);
        if (integer) {
            out += text == "-0" ? "0" : text;
            return true;
        }
        double value = 0;
        const auto [last, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc() || last != text.data() + text.size()) return false;
        constexpr double kExact = 9007199254740992.0;  // 2^53: 1e3 is 1000
        if (std::trunc(value) == value && std::abs(value) < kExact) {
            fmt::format_to(std::back_inserter(out), "{}", static_cast<std::int64_t>(value));
        } else {
            fmt::format_to(std::back_inserter(out), "{}", value);
        }
        return true;
    }

    std::string_view rest_;
    std::string scratch_;
};

// `{"name":"web","port":80}` with f(decoded name, scalar in its one spelling) for each member; false if it is no such
// object.
template <class F>
bool each_key_field(std::string_view text, F&& f) {
    ScalarReader reader(text);
    if (!reader.take('{')) return false;
    if (reader.take('}')) return reader.at_end();
    std::string name;
    std::string value;
    do {
        value.clear();
        if (!reader.string(name) || !reader.take(':') || !reader.scalar(value)) return false;
        f(std::as_const(name), std::as_const(value));
    } while (reader.take(','));
    return reader.take('}') && reader.at_end();
}

std::string_view prefix(PathElement::Kind kind) {
    switch (kind) {
        case PathElement::Kind::field: return "f:";
        case PathElement::Kind::key: return "k:";
        case PathElement::Kind::value: return "v:";
        case PathElement::Kind::index: return "i:";
    }
    return "";
}

bool is_scalar_of(std::string_view spelling, Json value) {
    if (spelling.starts_with('"')) {
        const auto text = value.string();
        if (!text) return false;
        ScalarReader reader(spelling);
        std::string decoded;
        return reader.string(decoded) && decoded == *text;
    }
    if (spelling == "null") return value.is_null();
    if (spelling == "true" || spelling == "false") return value.boolean() == (spelling == "true");
    if (!value.present() || value.type_name() != "number") return false;
    const std::string written = value.dump();
    ScalarReader reader(written);
    std::string number;
    return reader.scalar(number) && number == spelling;
}

}  // namespace

// --- reading ----------------------------------------------------------------------------------------------------------

class FieldSetReader {
public:
    explicit FieldSetReader(const Limits& limits) : depth_max_(limits.field_set_depth_max) {}
    FieldSetReader(const Limits& limits, std::span<const std::string_view> names) : depth_max_(limits.field_set_depth_max), names_(names) {}

    Result<FieldSet> read(Json fields) {
        if (!fields.is_object()) return fail(Errc::invalid_field_set, fmt::format("a field set is an object, not {}", fields.type_name()));
        constexpr std::size_t kUsualRows = 128;
        set_.rows_.reserve(kUsualRows);
        waiting_.reserve(kUsualRows);
        set_.texts_.reserve(kUsualRows * 16);
        bool declared = false;  // Kubernetes ignores a `.` at the top
        if (!members(fields, 0, declared)) {
            std::string pointer;
            for (const std::string_view key : where_) append_pointer_step(pointer, key);
            return fail(Errc::invalid_field_set, std::move(message_), std::move(pointer));
        }
        return std::move(set_);
    }

private:
    using Row = FieldSet::Row;
    using Kind = PathElement::Kind;

    struct Member {
        Row row;
        std::string_view key;
        Json value;
    };

    bool refuse(std::string message, std::optional<std::string_view> key = {}) {
        message_ = std::move(message);
        if (key) where_.push_back(*key);
        return false;
    }

    // Appends the members of one object, sorted, with all below them. Members that wait are on one stack for all levels.
    bool members(Json object, std::size_t depth, bool& declared) {
        const std::size_t first = waiting_.size();
        bool good = true;
        object.each_member([&](std::string_view key, Json value) {
            if (!good || (depth == 0 && passed_over(key))) return;
            if (!value.is_object()) {
                good = refuse(fmt::format("expected an object, found {}", value.type_name()), key);
            } else if (key == ".") {
                declared = true;
                good = value.size() == 0 || refuse("\".\" has an empty object", key);
            } else {
                Member member{{}, key, value};
                good = element(key, member.row);
                if (good) waiting_.push_back(member);
            }
        });
        if (!good) return false;
        const std::size_t last = waiting_.size();
        if (first < last && depth >= depth_max_) return refuse(fmt::format("more than {} levels of nesting", depth_max_));
        if (!sort(first, last)) return false;
        for (std::size_t at = first; at < last; ++at) {
            const Member member = waiting_[at];
            const std::size_t row = set_.rows_.size();
            set_.rows_.push_back(member.row);
            where_.push_back(member.key);
            bool member_declared = false;
            if (!members(member.value, depth + 1, member_declared)) return false;
            where_.pop_back();
            const std::size_t end = set_.rows_.size();
            set_.rows_[row].end = static_cast<std::uint32_t>(end);
            set_.rows_[row].declared = member_declared || end == row + 1;
        }
        waiting_.resize(first);
        return true;
    }

    // Only plain fields are: what is written otherwise is read, so that nothing hides behind a spelling.
    bool passed_over(std::string_view key) const {
        return names_ && key.starts_with("f:") && std::find(names_->begin(), names_->end(), key.substr(2)) == names_->end();
    }

    // Kubernetes writes them in an order close to ours, so mostly there is nothing to do.
    bool sort(std::size_t first, std::size_t last) {
        const auto begin = waiting_.begin() + static_cast<std::ptrdiff_t>(first);
        const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(last);
        const auto less = [&](const Member& left, const Member& right) { return set_.element(left.row) < set_.element(right.row); };
        if (!std::is_sorted(begin, end, less)) std::sort(begin, end, less);
        const auto twin = std::adjacent_find(begin, end, [&](const Member& left, const Member& right) { return !less(left, right); });
        return twin == end || refuse("the same element twice", std::next(twin)->key);
    }

    bool element(std::string_view key, Row& row) {
        const std::string_view kind = key.substr(0, 2);
        const std::string_view text = key.substr(kind.size());
        std::string& out = set_.texts_;
        row.text_begin = static_cast<std::uint32_t>(out.size());
        bool good = false;
        if (kind == "f:") {
            row.kind = Kind::field;
            out += text;
            good = true;
        } else if (kind == "k:") {
            row.kind = Kind::key;
            good = key_fields(text, out);
        } else if (kind == "v:") {
            row.kind = Kind::value;
            ScalarReader reader(text);
            good = reader.scalar(out) && reader.at_end();
        } else if (kind == "i:") {
            row.kind = Kind::index;
            good = index(text, out);
        } else {
            return refuse("expected f:, k:, v:, i: or \".\"", key);
        }
        row.text_size = static_cast<std::uint32_t>(out.size() - row.text_begin);
        if (good) return true;
        return refuse(kind == "k:"   ? "after k: an object of scalars is expected, without a name twice"
                      : kind == "v:" ? "after v: a string, number, boolean or null is expected"
                                     : "after i: a number from 0 is expected",
                      key);
    }

    bool key_fields(std::string_view text, std::string& out) {
        if (is_plain_key(text)) {
            out += text;
            return true;
        }
        fields_.clear();
        if (!each_key_field(text, [&](const std::string& name, const std::string& value) {
                std::string spelled;
                append_json_string(spelled, name);
                fields_.emplace_back(std::move(spelled), value);
            })) {
            return false;
        }
        std::sort(fields_.begin(), fields_.end());
        const auto same_name = [](const auto& left, const auto& right) { return left.first == right.first; };
        if (std::adjacent_find(fields_.begin(), fields_.end(), same_name) != fields_.end()) return false;
        out += '{';
        for (const auto& [name, value] : fields_) {
            if (&name != &fields_.front().first) out += ',';
            out.append(name).append(1, ':').append(value);
        }
        out += '}';
        return true;
    }

    static bool index(std::string_view text, std::string& out) {
        constexpr std::size_t kDigitsMax = 18;
        if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return false;
        text.remove_prefix(std::min(text.find_first_not_of('0'), text.size() - 1));
        if (text.size() > kDigitsMax) return false;
        out += text;
        return true;
    }

    std::size_t depth_max_;
    std::optional<std::span<const std::string_view>> names_{};
    FieldSet set_;
    std::vector<Member> waiting_;
    std::vector<std::pair<std::string, std::string>> fields_;
    std::vector<std::string_view> where_;
    std::string message_;
};

Result<FieldSet> FieldSet::parse(std::string_view json, const Limits& limits) {
    JsonReader reader(limits);
    const Result<Json> document = reader.read(with_slack(json));
    if (document) return read(*document, limits);
    if (document.error().code != Errc::duplicate_key) return tl::unexpected<Error>(document.error());
    return fail(Errc::invalid_field_set, "the same element twice", document.error().where);
}

Result<FieldSet> FieldSet::read(Json fields, const Limits& limits) { return FieldSetReader(limits).read(fields); }

Result<FieldSet> FieldSet::read_below(Json fields, std::span<const std::string_view> names, const Limits& limits) {
    return FieldSetReader(limits, names).read(fields);
}

// --- what two sets share ----------------------------------------------------------------------------------------------

namespace {

using Place = std::optional<FieldSet::Node>;

// The child with that element, found from `at` on, which moves: children are asked for in their order.
Place take_child(const Place& node, std::optional<FieldSet::Node::Iterator>& at, PathElement element) {
    if (!node) return std::nullopt;
    if (!at) at = node->begin();
    while (*at != node->end() && (**at).element() < element) ++*at;
    if (!(*at != node->end()) || (**at).element() != element) return std::nullopt;
    return **at;
}

// `item`: the nodes are list items with this key. `path` is where they are, and where the overlap is when there is one.
bool finds_new_overlap(const Place& before, const FieldSet::Node& left, const FieldSet::Node& right, std::optional<PathElement> item,
                       std::string& path) {
    const std::vector<std::string> keys = item ? key_names(*item) : std::vector<std::string>();
    std::optional<FieldSet::Node::Iterator> at_right;
    std::optional<FieldSet::Node::Iterator> at_before;
    for (const FieldSet::Node child : left) {
        const PathElement element = child.element();
        const Place other = take_child(right, at_right, element);
        if (!other) continue;
        if (element.kind == PathElement::Kind::field && std::find(keys.begin(), keys.end(), element.text) != keys.end()) continue;
        const Place was = take_child(before, at_before, element);
        const std::size_t length = path.size();
        const bool shares = child.is_leaf() || other->is_leaf();
        if (shares && was && (was->is_leaf() || other->is_leaf())) continue;
        append_element(path, element);
        if (shares) return true;
        const auto key = element.kind == PathElement::Kind::key ? std::optional(element) : std::nullopt;
        if (finds_new_overlap(was, child, *other, key, path)) return true;
        path.resize(length);
    }
    return false;
}

// What is at the element of a value; absent if nothing. `steps` counts the items looked at.
Json value_at(Json value, PathElement element, std::size_t& steps) {
    if (element.kind == PathElement::Kind::field) return value[element.text];
    std::size_t index = 0;
    Json found;
    value.each_item([&](Json item) {
        ++steps;
        const bool is_it = element.kind == PathElement::Kind::index ? std::to_string(index) == element.text : selects(element, item);
        if (is_it && !found.present()) found = item;
        ++index;
    });
    return found;
}

bool keeps_owners_below(const FieldSet::Node& before, const Place& after, const Place& others, Json value, std::size_t& steps) {
    constexpr std::size_t kStepsMax = 200'000;
    std::optional<FieldSet::Node::Iterator> at_after;
    std::optional<FieldSet::Node::Iterator> at_others;
    for (const FieldSet::Node child : before) {
        const PathElement element = child.element();
        const Place kept = take_child(after, at_after, element);
        const Place taken = take_child(others, at_others, element);
        if (++steps > kStepsMax) return false;
        if ((kept && kept->is_leaf()) || (taken && taken->is_leaf())) continue;
        const Json here = value_at(value, element, steps);
        if (!here.present()) continue;
        if (child.is_leaf()) return false;
        if (!keeps_owners_below(child, kept, taken, here, steps)) return false;
    }
    return true;
}

}  // namespace

// Recursion is bounded like that of append_json.
std::optional<std::string> FieldSet::first_new_overlap(const FieldSet& before, const FieldSet& left, const FieldSet& right) {
    std::string path;
    if (!finds_new_overlap(before.root(), left.root(), right.root(), std::nullopt, path)) return std::nullopt;
    return path;
}

bool FieldSet::keeps_owners(const FieldSet& before, const FieldSet& after, const FieldSet& others, Json object) {
    std::size_t steps = 0;
    return keeps_owners_below(before.root(), after.root(), others.root(), object, steps);
}

// --- writing ----------------------------------------------------------------------------------------------------------

void append_element(std::string& path, PathElement element) {
    switch (element.kind) {
        case PathElement::Kind::field: return append_field(path, element.text);
        case PathElement::Kind::index: path.append(1, '[').append(element.text).append(1, ']'); return;
        case PathElement::Kind::value: path.append("[=").append(element.text).append(1, ']'); return;
        case PathElement::Kind::key: break;
    }
    path += '[';
    bool first = true;
    each_key_field(element.text, [&](const std::string& name, const std::string& value) {
        path.append(std::exchange(first, false) ? "" : ",").append(name).append(1, '=').append(value);
    });
    path += ']';
}

bool selects(PathElement element, Json item) {
    if (element.kind == PathElement::Kind::value) return is_scalar_of(element.text, item);
    if (element.kind != PathElement::Kind::key || !item.is_object()) return false;
    bool all = true;
    each_key_field(element.text, [&](const std::string& name, const std::string& value) { all = all && is_scalar_of(value, item[name]); });
    return all;
}

std::vector<std::string> key_names(PathElement element) {
    std::vector<std::string> names;
    if (element.kind != PathElement::Kind::key) return names;
    each_key_field(element.text, [&](const std::string& name, const std::string&) { names.push_back(name); });
    return names;
}

bool spell_key(const std::vector<std::string>& names, Json item, std::string& text) {
    text = "{";
    for (const std::string& name : names) {
        const Json value = item[name];
        if (!value.present() || value.is_object() || value.is_array()) return false;
        if (text.size() > 1) text += ',';
        append_json_string(text, name);
        text += ':';
        if (const auto string = value.string()) {
            append_json_string(text, *string);
            continue;
        }
        const std::string written = value.dump();
        ScalarReader reader(written);
        if (!reader.scalar(text) || !reader.at_end()) return false;
    }
    text += '}';
    return true;
}

// --- uniting ----------------------------------------------------------------------------------------------------------

FieldSet FieldSet::unite(const FieldSet& left, const FieldSet& right) {
    FieldSet both;
    both.append_union(left, 0, left.rows_.size(), right, 0, right.rows_.size());
    return both;
}

std::size_t FieldSet::append_row(const FieldSet& from, std::size_t row) {
    Row copy = from.rows_[row];
    copy.text_begin = static_cast<std::uint32_t>(texts_.size());
    texts_ += from.element(from.rows_[row]).text;
    rows_.push_back(copy);
    return rows_.size() - 1;
}

void FieldSet::append_tree(const FieldSet& from, std::size_t row) {
    const std::size_t begin = rows_.size();
    for (std::size_t at = row; at < from.rows_[row].end; ++at) {
        const std::size_t copy = append_row(from, at);
        rows_[copy].end = static_cast<std::uint32_t>(from.rows_[at].end - row + begin);
    }
}

// Recursion is bounded like that of append_json.
void FieldSet::append_union(const FieldSet& left, std::size_t left_at, std::size_t left_end, const FieldSet& right, std::size_t right_at,
                            std::size_t right_end) {
    while (left_at < left_end || right_at < right_end) {
        const bool has_left = left_at < left_end;
        const bool has_right = right_at < right_end;
        const auto order = !has_right  ? std::strong_ordering::less
                           : !has_left ? std::strong_ordering::greater
                                       : left.element(left.rows_[left_at]) <=> right.element(right.rows_[right_at]);
        if (order < 0) {
            append_tree(left, left_at);
        } else if (order > 0) {
            append_tree(right, right_at);
        } else {
            const std::size_t row = append_row(left, left_at);
            const bool leaf = left.is_leaf(left_at) || right.is_leaf(right_at);
            if (!leaf) append_union(left, left_at + 1, left.rows_[left_at].end, right, right_at + 1, right.rows_[right_at].end);
            rows_[row].end = static_cast<std::uint32_t>(rows_.size());
            rows_[row].declared = leaf || left.rows_[left_at].declared || right.rows_[right_at].declared;
        }
        if (order <= 0) left_at = left.rows_[left_at].end;
        if (order >= 0) right_at = right.rows_[right_at].end;
    }
}

// --- listing ----------------------------------------------------------------------------------------------------------

std::vector<std::string> FieldSet::paths(std::size_t paths_max) const {
    struct Open {
        std::size_t end;
        std::size_t length;  // of the path without this element
    };
    std::vector<std::string> list;
    std::vector<Open> open;
    std::string path;
    for (std::size_t at = 0; at < rows_.size() && list.size() < paths_max; ++at) {
        while (!open.empty() && open.back().end <= at) {
            path.resize(open.back().length);
            open.pop_back();
        }
        open.push_back({rows_[at].end, path.size()});
        append_element(path, element(rows_[at]));
        if (rows_[at].declared) list.push_back(path);
    }
    return list;
}

std::string FieldSet::to_json() const {
    std::string out = "{";
    append_json(out, 0, rows_.size());
    out += '}';
    return out;
}

// Recursion is bounded: reading refuses what is nested deeper than field_set_depth_max.
void FieldSet::append_json(std::string& out, std::size_t begin, std::size_t end) const {
    for (std::size_t at = begin; at < end; at = rows_[at].end) {
        const Row& row = rows_[at];
        if (out.back() != '{') out += ',';
        std::string key(prefix(row.kind));
        key += element(row).text;
        append_json_string(out, key);
        out += ":{";
        if (row.declared && row.end > at + 1) out += "\".\":{}";
        append_json(out, at + 1, row.end);
        out += '}';
    }
}

bool operator==(const FieldSet& left, const FieldSet& right) {
    return std::equal(left.rows_.begin(), left.rows_.end(), right.rows_.begin(), right.rows_.end(),
                      [&](const FieldSet::Row& a, const FieldSet::Row& b) {
                          return a.end == b.end && a.declared == b.declared && left.element(a) == right.element(b);
                      });
}

}  // namespace fluxgate::kube
