#include "audit/api_audit.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace fluxgate::audit {

namespace {

using nlohmann::json;

// --- one event ------------------------------------------------------------------------------------------------------------------------

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), [](char c) { return lower(c); });
    return result;
}

// The kinds of names differ only in upper and lower case: auditID and AuditId.
const json* member(const json& object, std::string_view lower_name) {
    for (const auto& [name, value] : object.items()) {
        if (name.size() == lower_name.size() &&
            std::equal(name.begin(), name.end(), lower_name.begin(), [](char left, char right) { return lower(left) == right; }))
            return &value;
    }
    return nullptr;
}

// Objects that were written or answered are most of an event, and not asked for; of what was sent only whether it was a dry run.
json parse_without_objects(std::string_view text) {
    std::string top;
    const auto wanted = [&](int depth, json::parse_event_t event, json& parsed) {
        if (event != json::parse_event_t::key) return true;
        const auto& name = parsed.get_ref<const std::string&>();
        if (depth == 1) top = lower(name);
        if (depth == 1) return top != "responseobject";
        return depth != 2 || top != "requestobject" || name == "dryRun";
    };
    return json::parse(text, wanted, false);
}

// A column of the type `dynamic` as what it stands for; null for what is not there.
json dynamic(const json& object, std::string_view lower_name) {
    const json* value = member(object, lower_name);
    if (!value) return nullptr;
    if (!value->is_string()) return *value;
    const auto& text = value->get_ref<const std::string&>();
    if (!text.starts_with('{') && !text.starts_with('[')) return text.empty() ? json(nullptr) : *value;
    json parsed = json::parse(text, nullptr, false);
    return parsed.is_discarded() ? *value : parsed;
}

std::string text_in(const json& object, const char* name) {
    if (!object.is_object()) return {};
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string text_of(const json& object, std::string_view lower_name) {
    const json* value = member(object, lower_name);
    return value && value->is_string() ? value->get<std::string>() : std::string();
}

// `?dryRun=All` is the one form that the API server takes.
bool asks_for_dry_run(std::string_view uri) {
    const std::size_t question = uri.find('?');
    std::string_view query = question == std::string_view::npos ? std::string_view{} : uri.substr(question + 1);
    while (!query.empty()) {
        const std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), pair.size() + 1));
        if (pair == "dryRun=All") return true;
    }
    return false;
}

// Clients send the options of a delete as its body.
bool body_asks_for_dry_run(const json& body) {
    const auto found = body.is_object() ? body.find("dryRun") : body.end();
    return body.is_object() && found != body.end() && found->is_array() && std::find(found->begin(), found->end(), "All") != found->end();
}

Result<WallTime> time_of(const json& event) {
    for (const std::string_view name : {"requestreceivedtimestamp", "requestreceivedtime", "timegenerated"}) {
        if (const std::string text = text_of(event, name); !text.empty()) return parse_export_time(text);
    }
    return fail(Errc::missing_field, "the event has no requestReceivedTimestamp");
}

Result<ApiEvent> decode(const json& json_event) {
    ApiEvent event{.audit_id = text_of(json_event, "auditid"),
                   .stage = text_of(json_event, "stage"),
                   .verb = text_of(json_event, "verb"),
                   .request_uri = text_of(json_event, "requesturi"),
                   .user_agent = text_of(json_event, "useragent")};
    if (event.audit_id.empty() || event.stage.empty() || event.verb.empty())
        return fail(Errc::missing_field, "this is no audit event of an API server: auditID, stage or verb is missing");
    const auto time = time_of(json_event);
    if (!time) return tl::unexpected(time.error());
    event.time = *time;
    for (const std::string_view name : {"stagetimestamp", "stagereceivedtime"}) {
        if (const auto stage_time = parse_export_time(text_of(json_event, name))) event.stage_time = *stage_time;
    }
    event.user = text_in(dynamic(json_event, "user"), "username");
    event.impersonated_user = text_in(dynamic(json_event, "impersonateduser"), "username");
    for (const json& address : dynamic(json_event, "sourceips")) {
        if (address.is_string()) event.source_ips.push_back(address.get<std::string>());
    }
    const json object = dynamic(json_event, "objectref");
    event.group = text_in(object, "apiGroup");
    event.version = text_in(object, "apiVersion");
    event.resource = text_in(object, "resource");
    event.sub_resource = text_in(object, "subresource");
    event.namespace_name = text_in(object, "namespace");
    event.name = text_in(object, "name");
    const json status = dynamic(json_event, "responsestatus");
    if (status.is_object() && status.contains("code") && status["code"].is_number_integer()) event.code = status["code"].get<int>();
    event.message = text_in(status, "message");
    event.dry_run = asks_for_dry_run(event.request_uri) ||
                    (event.verb.starts_with("delete") && body_asks_for_dry_run(dynamic(json_event, "requestobject")));
    const json annotations = dynamic(json_event, "annotations");
    if (annotations.is_object()) {
        for (const auto& [key, value] : annotations.items()) {
            if (value.is_string()) event.annotations.emplace_back(key, value.get<std::string>());
        }
    }
    return event;
}

// AzureDiagnostics: the event is a text inside.
const std::string* wrapped_event(const json& row) {
    for (const std::string_view name : {"log", "log_s"}) {
        if (const json* text = member(row, name); text && text->is_string()) return &text->get_ref<const std::string&>();
    }
    return nullptr;
}

Result<ApiEvent> decode_row(const json& row) {
    if (const std::string* text = wrapped_event(row)) return parse_api_event(*text);
    const json properties = dynamic(row, "properties");
    if (const std::string* text = properties.is_object() ? wrapped_event(properties) : nullptr) return parse_api_event(*text);
    return decode(row);
}

// --- whole files ----------------------------------------------------------------------------------------------------------------------

constexpr int kEnd = -1;
constexpr std::size_t kColumnsMax = 1'000;  // the tables have thirty

class Bytes {
public:
    explicit Bytes(std::istream& in) : in_(in) {}

    int peek() {
        if (begin_ == end_) fill();
        return begin_ == end_ ? kEnd : static_cast<unsigned char>(buffer_[begin_]);
    }
    void skip() { ++begin_; }
    // Appends up to and without the line feed; false if the input ended before one. What is beyond `bytes_max` is dropped.
    bool line(std::string& into, std::size_t bytes_max) {
        while (peek() != kEnd) {
            const char* const from = buffer_.data() + begin_;
            const auto* const found = static_cast<const char*>(std::memchr(from, '\n', end_ - begin_));
            const std::size_t length = found ? static_cast<std::size_t>(found - from) : end_ - begin_;
            into.append(from, std::min(length, bytes_max - std::min(bytes_max, into.size())));
            begin_ += length + (found ? 1 : 0);
            if (found) return true;
        }
        return false;
    }
    bool failed() const { return in_.bad(); }

private:
    void fill() {
        in_.read(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
        begin_ = 0;
        end_ = static_cast<std::size_t>(in_.gcount());
    }

    std::istream& in_;
    std::array<char, 64u << 10> buffer_{};
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

class Reading {
public:
    Reading(std::istream& in, const std::string& name, const UseApiEvent& use) : bytes_(in), name_(name), use_(use) {}

    Result<ApiAuditFile> read() {
        const int first = first_character();
        auto done = first == '{' ? lines() : first == '[' ? array() : first == kEnd ? Result<void>() : table();
        if (bytes_.failed()) return fail(Errc::io, "cannot be read", name_);
        if (!done) return tl::unexpected(done.error());
        return file_;
    }

private:
    // Behind white space and a byte order mark, which Excel writes.
    int first_character() {
        for (;; bytes_.skip()) {
            const int c = bytes_.peek();
            if (c == '\n') ++number_;
            if (c != ' ' && c != '\t' && c != '\r' && c != '\n' && c != 0xef && c != 0xbb && c != 0xbf) return c;
        }
    }

    std::string where() const { return fmt::format("{}:{}", name_, number_); }

    Result<void> take(Result<ApiEvent> event) {
        if (!event) {
            unreadable(event.error());
            return {};
        }
        ++file_.events;
        event->where = where();
        return use_(*event);
    }
    void unreadable(const Error& error) {
        if (++file_.unreadable == 1) file_.first_unreadable = Error{error.code, error.message, where()};
    }
    void too_large() { unreadable({Errc::too_large, fmt::format("an event of more than {} bytes", kApiEventBytesMax), {}}); }

    Result<void> lines() {
        std::string line;
        for (bool whole = true; whole && bytes_.peek() != kEnd;) {
            line.clear();
            ++number_;
            whole = bytes_.line(line, kApiEventBytesMax + 1);
            if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
            if (line.size() > kApiEventBytesMax) {
                too_large();
                continue;
            }
            auto event = parse_api_event(line);
            if (!event && !whole) {
                file_.cut_at_the_end = true;
                return {};
            }
            if (auto taken = take(std::move(event)); !taken) return taken;
        }
        return {};
    }

    // Splits at the braces, so that only one row is held.
    Result<void> array() {
        bytes_.skip();
        std::string row;
        for (;; bytes_.skip()) {
            const int c = bytes_.peek();
            if (c == ']') return {};
            if (c == kEnd) break;
            if (c != '{') {
                if (std::strchr(", \t\r\n", c)) continue;
                return fail(Errc::invalid_json, "expected an array of objects", fmt::format("{}:{}", name_, number_ + 1));
            }
            ++number_;
            if (!object(row)) break;
            if (row.size() > kApiEventBytesMax) {
                too_large();
            } else if (auto taken = take(parse_api_event(row)); !taken) {
                return taken;
            }
        }
        file_.cut_at_the_end = true;
        return {};
    }

    // From a '{' to the '}' that belongs to it, which is not skipped; false if there is none.
    bool object(std::string& row) {
        row.clear();
        std::size_t depth = 0;
        bool in_text = false;
        bool escaped = false;
        for (int c = bytes_.peek(); c != kEnd; bytes_.skip(), c = bytes_.peek()) {
            if (row.size() <= kApiEventBytesMax) row += static_cast<char>(c);
            if (escaped) {
                escaped = false;
            } else if (in_text) {
                escaped = c == '\\';
                in_text = c != '"';
            } else if (c == '"') {
                in_text = true;
            } else if (c == '{') {
                ++depth;
            } else if (c == '}' && --depth == 0) {
                return true;
            }
        }
        return false;
    }

    // CSV: RFC 4180.
    Result<void> table() {
        std::vector<std::string> header;
        row(header);
        for (std::string& name : header) name = name.substr(0, name.find(" [UTC]"));
        const auto has = [&](std::string_view wanted) {
            return std::any_of(header.begin(), header.end(), [&](const std::string& name) { return lower(name) == wanted; });
        };
        if (!has("log_s") && !(has("auditid") && has("stage") && has("verb")))
            return fail(Errc::invalid_argument,
                        "this is neither JSON nor CSV with the columns of AKSAudit (AuditId, Stage, Verb, …) or AzureDiagnostics (log_s)",
                        name_);
        std::vector<std::string> cells;
        while (bytes_.peek() != kEnd) {
            ++number_;
            const bool whole = row(cells);
            if (!whole) {
                file_.cut_at_the_end = true;
                return {};
            }
            if (cells.size() == 1 && cells.front().empty()) continue;
            if (cells.size() != header.size()) {
                unreadable({Errc::invalid_argument, fmt::format("{} columns, expected {}", cells.size(), header.size()), {}});
                continue;
            }
            json object = json::object();
            for (std::size_t i = 0; i < cells.size(); ++i) {
                if (!cells[i].empty()) object[header[i]] = std::move(cells[i]);
            }
            if (auto taken = take(decode_row(object)); !taken) return taken;
        }
        return {};
    }

    // False: the input ended inside quotes.
    bool row(std::vector<std::string>& cells) {
        cells.assign(1, {});
        bool quoted = false;
        for (int c = bytes_.peek(); c != kEnd; c = bytes_.peek()) {
            bytes_.skip();
            if (quoted && c == '"' && bytes_.peek() == '"') {
                cells.back() += '"';
                bytes_.skip();
            } else if (c == '"') {
                quoted = !quoted;
            } else if (!quoted && c == ',') {
                if (cells.size() <= kColumnsMax) cells.emplace_back();
            } else if (!quoted && c == '\n') {
                break;
            } else if ((quoted || c != '\r') && cells.back().size() < kApiEventBytesMax) {
                cells.back() += static_cast<char>(c);
            }
        }
        return !quoted;
    }

    Bytes bytes_;
    const std::string& name_;
    const UseApiEvent& use_;
    ApiAuditFile file_;
    std::uint64_t number_ = 0;  // of the line or row
};

}  // namespace

bool is_connection(const ApiEvent& event) {
    constexpr std::array<std::string_view, 4> kOfPods{"exec", "attach", "portforward", "proxy"};
    if (!event.group.empty()) return false;
    if (event.resource == "pods") return std::find(kOfPods.begin(), kOfPods.end(), event.sub_resource) != kOfPods.end();
    return (event.resource == "services" || event.resource == "nodes") && event.sub_resource == "proxy";
}

Result<ApiEvent> parse_api_event(std::string_view text) {
    const json row = parse_without_objects(text);
    if (row.is_discarded()) return fail(Errc::invalid_json, "this is no JSON");
    if (!row.is_object()) return fail(Errc::wrong_type, "expected a JSON object");
    return decode_row(row);
}

Result<ApiAuditFile> read_api_audit(std::istream& in, const std::string& name, const UseApiEvent& use) {
    return Reading(in, name, use).read();
}

Result<WallTime> parse_export_time(std::string_view text) {
    if (auto time = parse_rfc3339(text)) return time;
    int month = 0, day = 0, year = 0, hour = 0, minute = 0, read = 0;
    double second = 0;
    char half = 0;
    const std::string whole(text);
    if (std::sscanf(whole.c_str(), "%2d/%2d/%4d, %2d:%2d:%lf %cM%n", &month, &day, &year, &hour, &minute, &second, &half, &read) == 7 &&
        static_cast<std::size_t>(read) == whole.size() && (half == 'A' || half == 'P') && hour >= 1 && hour <= 12 && second >= 0) {
        // Let the one reader of times say whether there is such a day.
        return parse_rfc3339(
            fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:09.6f}Z", year, month, day, hour % 12 + (half == 'P' ? 12 : 0), minute, second));
    }
    return fail(Errc::invalid_argument, fmt::format("\"{}\" is no time: expected RFC 3339", text.substr(0, 40)));
}

}  // namespace fluxgate::audit
