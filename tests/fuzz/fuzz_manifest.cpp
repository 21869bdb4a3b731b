// Bytes → documents → objects with places. What is read must be JSON, and every value of it must be found again by its path.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "cli/input/document_stream.hpp"
#include "kube/json.hpp"
#include "kube/manifest_object.hpp"
#include "kube/path.hpp"
#include "tests/fuzz/require.hpp"

using namespace fluxgate;
using namespace fluxgate::kube;

namespace {

Limits small_limits() {
    Limits limits;
    limits.manifest_bytes_max = 1u << 16;
    limits.manifest_nodes_max = 20'000;
    limits.json_nodes_max = 10'000;
    limits.json_depth_max = 40;
    limits.body_bytes_max = 1u << 18;
    return limits;
}

std::size_t lines_of(std::string_view text) {
    // What libyaml takes for the end of a line: also a carriage return, U+0085, U+2028 and U+2029.
    std::size_t lines = 1;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\n' || text[i] == '\r' || text.substr(i).starts_with("\xc2\x85") || text.substr(i).starts_with("\xe2\x80\xa8") ||
            text.substr(i).starts_with("\xe2\x80\xa9"))
            ++lines;
    }
    return lines;
}

// The offset of a line, counted from 1.
std::size_t begin_of_line(std::string_view text, int line) {
    std::size_t at = 0;
    while (--line > 0) at = text.find('\n', at) + 1;
    return at;
}

bool is_utf16(std::string_view text) { return text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"); }

// Walks JSON and places side by side: as many of one as of the other, and each is found by its path.
class PlaceCheck {
public:
    PlaceCheck(const ManifestObject& object, Json root, std::size_t lines) : object_(object), root_(root), lines_(lines) {}

    void run() {
        visit(root_, "");
        FLUXGATE_REQUIRE(next_ == object_.places.size());
    }

private:
    void visit(Json value, const std::string& path) {
        FLUXGATE_REQUIRE(next_ < object_.places.size());
        const std::size_t mine = next_++;
        const Position position = object_.places[mine].position;
        FLUXGATE_REQUIRE(position.line >= 1 && static_cast<std::size_t>(position.line) <= lines_ && position.column >= 1);
        if (object_.places.size() <= kLocated && !path.empty()) FLUXGATE_REQUIRE(object_.locate(root_, path) == position);
        value.each_member([&](std::string_view key, Json member) {
            std::string step = path;
            append_field(step, key);
            visit(member, step);
        });
        std::size_t index = 0;
        value.each_item([&](Json item) {
            std::string step = path;
            append_index(step, index++);
            visit(item, step);
        });
        FLUXGATE_REQUIRE(object_.places[mine].subtree == next_ - mine);
    }

    static constexpr std::size_t kLocated = 200;  // locating all is quadratic
    const ManifestObject& object_;
    Json root_;
    std::size_t lines_;
    std::size_t next_ = 0;
};

void check_document(ManifestReader& reader, JsonReader& json, const Limits& limits, std::string_view text, std::size_t lines, int line) {
    const auto problem = reader.read(text, line, [&](ManifestObject&& object) {
        FLUXGATE_REQUIRE(object.json.capacity() >= object.json.size() + kJsonSlack);
        FLUXGATE_REQUIRE(object.places.size() <= limits.json_nodes_max);
        const auto read = json.read(object.json);
        if (!read) {
            const Errc code = read.error().code;
            FLUXGATE_REQUIRE(code == Errc::too_deep || code == Errc::too_many_nodes || code == Errc::too_large);
            return;
        }
        PlaceCheck(object, *read, lines).run();
    });
    if (!problem) return;
    FLUXGATE_REQUIRE(!problem->message.empty());
    FLUXGATE_REQUIRE(problem->position.line >= line && static_cast<std::size_t>(problem->position.line) <= lines + 1);
    FLUXGATE_REQUIRE(problem->position.column >= 1);
}

void check_stream(std::string text, const Limits& limits, std::size_t bytes_max) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(::fmemopen(text.data(), text.size(), "rb"), &std::fclose);
    FLUXGATE_REQUIRE(file != nullptr);
    constexpr std::size_t kBlock = 7;  // bytes; separators lie across blocks
    cli::DocumentStream stream(file.get(), bytes_max, kBlock);
    ManifestReader reader(limits);
    JsonReader json(limits);
    const std::size_t lines = is_utf16(text) ? text.size() + 1 : lines_of(text);
    std::size_t at = 0;
    bool cut = false;  // the one before was
    for (cli::DocumentText document; stream.next(document);) {
        FLUXGATE_REQUIRE(document.text.size() <= bytes_max);
        // Behind what was passed over: somewhere in the line that is named.
        if (cut) at = text.find(document.text, std::max(at, begin_of_line(text, document.line)));
        FLUXGATE_REQUIRE(at != std::string::npos);
        FLUXGATE_REQUIRE(std::string_view(text).substr(at).starts_with(document.text));
        FLUXGATE_REQUIRE(document.line == 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
        at += document.text.size();
        cut = document.too_large;
        if (!cut) check_document(reader, json, limits, document.text, lines + static_cast<std::size_t>(document.line), document.line);
    }
    FLUXGATE_REQUIRE(stream.failed() == 0);
    if (!cut) FLUXGATE_REQUIRE(at == text.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const Limits limits = small_limits();
    ManifestReader reader(limits);
    JsonReader json(limits);
    check_document(reader, json, limits, text, is_utf16(text) ? size + 1 : lines_of(text), 1);
    if (text.empty()) return 0;
    check_stream(text, limits, limits.manifest_bytes_max);
    check_stream(text, limits, 50);
    return 0;
}
