#include "audit/record.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "audit/canonical_json.hpp"
#include "base/digest.hpp"

namespace fluxgate::audit {

namespace {

constexpr std::string_view kSchema = "fluxgate.dev/record/v2";
constexpr std::size_t kDepthMax = 8;  // a field of an item of a list in `data` is at 4

// --- the fields ---------------------------------------------------------------------------------------------------------
// Each part in the order of RFC 8785. What writes, reads and cuts a record walks this one list, with `auto&` for `const` and not.

void each_field(auto& change, auto& visitor, const RecordedChange&) {
    visitor.field("have", change.have);
    visitor.field("path", change.path);
    visitor.field("want", change.want);
}

void each_field(auto& grant, auto& visitor, const RecordedGrant&) {
    visitor.field("approvedBy", grant.approved_by);
    visitor.field("digest", grant.digest);
    visitor.field("name", grant.name);
    visitor.field("ticket", grant.ticket);
    visitor.field("vouchedBy", grant.vouched_by);
}

void each_field(auto& violation, auto& visitor, const RecordedViolation&) {
    visitor.field("action", violation.action);
    visitor.field("have", violation.have);
    visitor.field("path", violation.path);
    visitor.field("policy", violation.policy);
    visitor.field("rule", violation.rule);
    visitor.field("want", violation.want);
}

void each_field_of_request(auto& record, auto& visitor) {
    visitor.field("command", record.command);
    visitor.field("dryRun", record.dry_run);
    visitor.field("fieldManager", record.field_manager);
    visitor.field("group", record.group);
    visitor.field("kind", record.kind);
    visitor.field("name", record.name);
    visitor.field("namespace", record.namespace_name);
    visitor.field("objectUid", record.object_uid);
    visitor.field("operation", record.operation);
    visitor.field("resource", record.resource);
    visitor.field("subResource", record.sub_resource);
    visitor.field("version", record.version);
}

void each_field_of_user(auto& record, auto& visitor) {
    visitor.field("assurance", record.assurance);
    visitor.field("evidence", record.evidence);
    visitor.field("extra", record.extra);
    visitor.field("groups", record.groups);
    visitor.field("uid", record.user_uid);
    visitor.field("username", record.username);
    visitor.field("writer", record.writer);
}

void each_field_of_whole(auto& record, auto& visitor) {
    visitor.field("bytes", record.whole_bytes);
    visitor.field("digest", record.whole);
}

// Of `data`, but for the schema and the sequence.
void each_field(auto& record, auto& visitor, const Record&) {
    visitor.field("allowance", record.allowance);
    visitor.field("changes", record.changes);
    visitor.field("changesOmitted", record.changes_omitted);
    visitor.field("class", record.write_class);
    visitor.field("cluster", record.cluster);
    visitor.field("compliance", record.compliance);
    visitor.field("counters", record.counters);
    visitor.field("decision", record.decision);
    visitor.field("details", record.details);
    visitor.field("driftCase", record.drift_case);
    visitor.field("error", record.error);
    visitor.field("event", record.event);
    visitor.field("exceptions", record.exceptions);
    visitor.field("facts", record.facts);
    visitor.field("grants", record.grants);
    visitor.field("learned", record.learned);
    visitor.field("owner", record.owner);
    visitor.field("ownerSource", record.owner_source);
    visitor.field("policySet", record.policy_set);
    visitor.field("replica", record.replica);
    visitor.part("request", [&](auto& inner) { each_field_of_request(record, inner); });
    visitor.schema_and_sequence();
    visitor.field("truncated", record.truncated);
    visitor.part("user", [&](auto& inner) { each_field_of_user(record, inner); });
    visitor.field("violations", record.violations);
    visitor.field("violationsOmitted", record.violations_omitted);
    visitor.part("whole", [&](auto& inner) { each_field_of_whole(record, inner); });
}

template <class T>
using Named = std::vector<std::pair<std::string, T>>;

// --- the envelope -------------------------------------------------------------------------------------------------------

// A URI reference (RFC 3986), whatever a cluster is called.
void append_path_segment(std::string& out, std::string_view text) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    for (const char c : text) {
        const bool plain =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            out += c;
        } else {
            out += '%';
            out += kDigits[static_cast<unsigned char>(c) >> 4];
            out += kDigits[static_cast<unsigned char>(c) & 0xf];
        }
    }
}

std::string source_of(const Record& record) {
    std::string source = "fluxgate";
    for (const std::string* part : {&record.cluster, &record.replica}) {
        if (part->empty()) continue;
        source += '/';
        append_path_segment(source, *part);
    }
    return source;
}

std::string subject_of(const Record& record) {
    if (!record.event.empty()) return record.event;
    if (record.resource.empty()) return {};
    std::string subject;
    if (!record.namespace_name.empty() && record.resource != "namespaces") subject.append(record.namespace_name).append("/");
    subject += record.resource;
    if (!record.group.empty()) subject.append(".").append(record.group);
    if (!record.name.empty()) subject.append("/").append(record.name);
    return subject;
}

std::string type_of(const Record& record) {
    return record.event.empty() ? "dev.fluxgate.review." + record.decision : "dev.fluxgate.event." + record.event;
}

// --- writing ------------------------------------------------------------------------------------------------------------

// Writes members straight into the text. Empty ones are left out.
class Writer {
public:
    std::string out;
    std::size_t sequence_at = 0;  // where its digits belong

    void field(std::string_view key, const std::string& text) {
        if (!text.empty()) string(key, text);
    }
    void field(std::string_view key, bool value) {
        if (!value) return;
        begin(key);
        out += "true";
    }
    void field(std::string_view key, std::uint64_t value) {
        if (value > 0) number(key, value);
    }
    void field(std::string_view key, const std::vector<std::string>& texts) {
        list(key, texts, [&](const std::string& text) { append_json_string(out, text); });
    }
    template <class Part>
    void field(std::string_view key, const std::vector<Part>& parts) {
        list(key, parts, [&](const Part& part) { object([&](Writer& writer) { each_field(part, writer, part); }); });
    }
    template <class T>
    void field(std::string_view key, const Named<T>& members) {
        if (members.empty()) return;
        std::vector<std::pair<std::string, const T*>> sorted;
        sorted.reserve(members.size());
        for (const auto& [name, value] : members) sorted.emplace_back(to_utf8(name), &value);
        std::stable_sort(sorted.begin(), sorted.end(),
                         [](const auto& left, const auto& right) { return Utf16Less{}(left.first, right.first); });
        const auto same_name = [](const auto& left, const auto& right) { return left.first == right.first; };
        sorted.erase(std::unique(sorted.begin(), sorted.end(), same_name), sorted.end());
        begin(key);
        object([&](Writer& writer) {
            for (const auto& [name, value] : sorted) writer.member(name, *value);
        });
    }
    // Left out if nothing is in it.
    template <class F>
    void part(std::string_view key, F&& fields) {
        const std::size_t before = out.size();
        const bool was_first = first_;
        begin(key);
        const std::size_t begun = out.size();
        object(fields);
        if (out.size() > begun + 2) return;
        out.resize(before);
        first_ = was_first;
    }
    void string(std::string_view key, std::string_view text) {
        begin(key);
        append_json_string(out, text);
    }
    void schema_and_sequence() {
        string("schema", kSchema);
        begin("sequence");
        sequence_at = out.size();
    }
    template <class F>
    void object(F&& fields) {
        out += '{';
        const bool was_first = std::exchange(first_, true);
        fields(*this);
        first_ = was_first;
        out += '}';
    }

private:
    void member(std::string_view name, const std::string& text) { string(name, text); }
    void member(std::string_view name, std::uint64_t value) { number(name, value); }

    void number(std::string_view key, std::uint64_t value) {
        begin(key);
        out += std::to_string(std::min(value, kJsonIntegerMax));
    }
    template <class Item, class F>
    void list(std::string_view key, const std::vector<Item>& items, F&& write) {
        if (items.empty()) return;
        begin(key);
        char before = '[';
        for (const Item& item : items) {
            out += before;
            write(item);
            before = ',';
        }
        out += ']';
    }
    void begin(std::string_view key) {
        if (!first_) out += ',';
        first_ = false;
        append_json_string(out, key);
        out += ':';
    }

    bool first_ = true;
};

EncodedRecord write(const Record& record) {
    Writer writer;
    writer.out.reserve(2'048);
    std::size_t sequence_at = 0;
    writer.object([&](Writer& envelope) {
        envelope.part("data", [&](Writer& data) { each_field(record, data, record); });
        sequence_at = envelope.sequence_at;
        envelope.string("datacontenttype", "application/json");
        envelope.string("id", record.id);
        envelope.string("source", source_of(record));
        envelope.string("specversion", "1.0");
        envelope.field("subject", subject_of(record));
        envelope.string("time", format_rfc3339(record.time));
        envelope.string("type", type_of(record));
    });
    EncodedRecord encoded;
    encoded.after = writer.out.substr(sequence_at);
    writer.out.resize(sequence_at);
    encoded.before = std::move(writer.out);
    return encoded;
}

constexpr std::size_t kSequenceDigits = 20;
std::size_t bytes_of(const EncodedRecord& encoded) { return encoded.before.size() + kSequenceDigits + encoded.after.size(); }

// --- cutting ------------------------------------------------------------------------------------------------------------

std::size_t bytes_as_json(std::string_view text) {
    std::string json;
    append_json_string(json, text);
    return json.size();
}

// Shortens every text to so many bytes of JSON, in which a character can have six, and every list to so many items.
class Cutter {
public:
    explicit Cutter(std::size_t text_bytes_max) : text_bytes_max_(text_bytes_max), items_max_(text_bytes_max / 32) {}

    void field(std::string_view, std::string& text) {
        if (bytes_as_json(text) <= text_bytes_max_) return;
        constexpr std::string_view kDots = "...";
        std::size_t end = std::min(text.size(), text_bytes_max_ / 6 - kDots.size());
        while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
        text.replace(end, std::string::npos, kDots);
    }
    void field(std::string_view, bool) {}
    void field(std::string_view, std::uint64_t) {}
    template <class Item>
    void field(std::string_view key, std::vector<Item>& items) {
        if (items.size() > items_max_) items.resize(items_max_);
        for (Item& item : items) cut(key, item);
    }
    template <class F>
    void part(std::string_view, F&& fields) {
        fields(*this);
    }
    void schema_and_sequence() {}

private:
    void cut(std::string_view key, std::string& text) { field(key, text); }
    template <class T>
    void cut(std::string_view key, std::pair<std::string, T>& member) {
        field(key, member.first);
        field(key, member.second);
    }
    template <class Part>
    void cut(std::string_view, Part& part) {
        each_field(part, *this, part);
    }

    std::size_t text_bytes_max_;
    std::size_t items_max_;
};

constexpr std::array<std::size_t, 4> kTextBytes{4'096, 1'024, 256, 64};

// Moves items back in while there is room for them. How many were left out.
template <class Part>
std::size_t take_back(std::vector<Part>& into, std::vector<Part>&& items, std::size_t& room) {
    std::size_t taken = 0;
    for (; taken < items.size(); ++taken) {
        Cutter cutter(kTextBytes[1]);
        each_field(items[taken], cutter, items[taken]);
        Writer writer;
        writer.object([&](Writer& inner) { each_field(items[taken], inner, items[taken]); });
        const std::size_t bytes = writer.out.size() + 1;
        if (bytes > room) break;
        room -= bytes;
        into.push_back(std::move(items[taken]));
    }
    return items.size() - taken;
}

// Violations and changes go from their end, as far as needed; only if all else alone is too long, it is cut too.
Record cut_to(Record record, std::size_t bytes_max) {
    constexpr std::size_t kFixedBytes = 512;  // `whole`, `truncated` and how many are left out
    record.truncated = true;
    auto violations = std::exchange(record.violations, {});
    auto changes = std::exchange(record.changes, {});
    std::size_t bytes = bytes_of(write(record)) + kFixedBytes;
    for (const std::size_t text_bytes : kTextBytes) {
        if (bytes <= bytes_max) break;
        Cutter cutter(text_bytes);
        each_field(record, cutter, record);
        cutter.field("id", record.id);
        bytes = bytes_of(write(record)) + kFixedBytes;
    }
    std::size_t room = bytes_max - std::min(bytes, bytes_max);
    record.violations_omitted += take_back(record.violations, std::move(violations), room);
    record.changes_omitted += take_back(record.changes, std::move(changes), room);
    return record;
}

// --- reading ------------------------------------------------------------------------------------------------------------

// Fills in the members that are there. Keeps the first problem.
class Reader {
public:
    explicit Reader(const CanonicalJson& json) : json_(&json) {}
    const std::optional<Error>& problem() const { return problem_; }
    std::uint64_t sequence = 0;

    void field(std::string_view key, std::string& text) {
        if (const auto* json = find(key)) read(*json, text);
    }
    void field(std::string_view key, bool& value) {
        const auto* json = find(key);
        if (!json) return;
        if (!json->is_boolean()) return complain(Errc::wrong_type, "expected true");
        value = json->get<bool>();
    }
    void field(std::string_view key, std::uint64_t& value) {
        if (const auto* json = find(key)) read(*json, value);
    }
    template <class Item>
    void field(std::string_view key, std::vector<Item>& items) {
        const auto* json = find(key);
        if (!json) return;
        if (!json->is_array()) return complain(Errc::wrong_type, "expected a list");
        for (const auto& item : *json) read(item, items.emplace_back());
    }
    template <class T>
    void field(std::string_view key, Named<T>& members) {
        const auto* json = find(key);
        if (!json) return;
        if (!json->is_object()) return complain(Errc::wrong_type, "expected an object");
        for (const auto& [name, value] : json->items()) read(value, members.emplace_back(name, T{}).second);
    }
    template <class F>
    void part(std::string_view key, F&& fields) {
        const auto* json = find(key);
        if (!json) return;
        if (!json->is_object()) return complain(Errc::wrong_type, "expected an object");
        inside(*json, [&] { fields(*this); });
    }
    void schema_and_sequence() {
        if (!find("sequence")) return complain(Errc::missing_field, "a record has a sequence");
        field("sequence", sequence);
    }
    void required(std::string_view key, std::string& text) {
        field(key, text);
        if (text.empty()) complain(Errc::missing_field, "a record has this");
    }

private:
    const CanonicalJson* find(std::string_view key) {
        key_ = key;
        const auto found = json_->find(key);
        return found == json_->end() ? nullptr : &*found;
    }
    void read(const CanonicalJson& json, std::string& text) {
        if (!json.is_string()) return complain(Errc::wrong_type, "expected a text");
        text = json.get_ref<const std::string&>();
    }
    void read(const CanonicalJson& json, std::uint64_t& value) {
        if (!json.is_number_unsigned()) return complain(Errc::wrong_type, "expected a whole number");
        value = json.get<std::uint64_t>();
    }
    template <class Part>
    void read(const CanonicalJson& json, Part& part) {
        if (!json.is_object()) return complain(Errc::wrong_type, "expected an object");
        inside(json, [&] { each_field(part, *this, part); });
    }
    template <class F>
    void inside(const CanonicalJson& json, F&& f) {
        const auto* outer = std::exchange(json_, &json);
        const std::string_view key = key_;
        f();
        json_ = outer;
        key_ = key;
    }
    void complain(Errc code, std::string message) {
        if (!problem_) problem_ = Error{code, std::move(message), std::string(key_)};
    }

    const CanonicalJson* json_;
    std::string_view key_;  // the field that is looked at, for messages
    std::optional<Error> problem_;
};

std::string text_of(const CanonicalJson& json, std::string_view key) {
    const auto found = json.is_object() ? json.find(key) : json.end();
    return json.is_object() && found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Two readers must not find two stories in one record: what the envelope says is what the data say.
Result<void> check_envelope(const CanonicalJson& json, const Record& record) {
    const std::pair<std::string_view, std::string> expected[]{
        {"source", source_of(record)}, {"specversion", "1.0"}, {"subject", subject_of(record)}, {"type", type_of(record)}};
    for (const auto& [key, value] : expected) {
        if (text_of(json, key) != value)
            return fail(Errc::contradictory, "the envelope says \"" + text_of(json, key) + "\", the data say \"" + value + "\"",
                        std::string(key));
    }
    return {};
}

}  // namespace

std::string EncodedRecord::text(std::uint64_t sequence) const {
    std::string text;
    text.reserve(before.size() + kSequenceDigits + after.size());
    text += before;
    text += std::to_string(sequence);
    text += after;
    return text;
}

EncodedRecord encode(const Record& record, std::size_t bytes_max) {
    EncodedRecord encoded = write(record);
    if (bytes_of(encoded) <= bytes_max) return encoded;
    std::string whole = encoded.text(0);
    Record cut = cut_to(record, bytes_max);
    cut.whole = "sha256:" + sha256_hex(whole);
    cut.whole_bytes = whole.size();
    encoded = write(cut);
    encoded.blob = std::move(whole);
    return encoded;
}

Result<Record> parse_record(std::string_view text) {
    const auto json = parse_canonical(text, kDepthMax);
    if (!json) return tl::unexpected(json.error());
    const auto data = json->is_object() ? json->find("data") : json->end();
    if (!json->is_object() || data == json->end()) return fail(Errc::missing_field, "a record has data", "data");
    if (text_of(*data, "schema") != kSchema)
        return fail(Errc::unsupported_version, "this is no record of the schema " + std::string(kSchema), "schema");

    Record record;
    Reader reader(*data);
    each_field(record, reader, record);
    if (reader.problem()) return tl::unexpected(*reader.problem());
    record.sequence = reader.sequence;
    if (record.decision.empty() == record.event.empty())
        return fail(Errc::missing_field, "a record has either a decision or an event", "decision");

    Reader envelope(*json);
    std::string time;
    envelope.required("id", record.id);
    envelope.required("time", time);
    if (envelope.problem()) return tl::unexpected(*envelope.problem());
    const auto parsed_time = parse_rfc3339(time);
    if (!parsed_time) return fail(Errc::wrong_type, parsed_time.error().message, "time");
    record.time = *parsed_time;
    if (auto checked = check_envelope(*json, record); !checked) return tl::unexpected(checked.error());
    return record;
}

}  // namespace fluxgate::audit
