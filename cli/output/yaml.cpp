#include <ostream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/output/formats.hpp"
#include "cli/output/result_json.hpp"
#include "cli/output/text.hpp"

namespace fluxgate::cli {

namespace {

using nlohmann::ordered_json;

// Double-quoted, with every character escaped that a reader of YAML 1.1 or 1.2 may not take as it stands: controls, line
// separators, byte order marks, noncharacters (https://yaml.org/spec/1.2.2/#51-character-set).
std::string double_quoted(std::string_view text) {
    std::string out = "\"";
    each_character(text, [&](const Character& character) {
        const auto code = static_cast<unsigned>(character.code);
        if (!character.valid) {
            out += kReplacement;
        } else if (code == '"' || code == '\\') {
            out += '\\';
            out += character.bytes;
        } else if (code == '\n') {
            out += "\\n";
        } else if (code == '\t') {
            out += "\\t";
        } else if (is_hidden(character.code) || (code & 0xfffe) == 0xfffe) {
            out += code < 0x100     ? fmt::format("\\x{:02x}", code)
                   : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                                    : fmt::format("\\U{:08x}", code);
        } else {
            out += character.bytes;
        }
    });
    return without_log_commands(out + "\"", "\\x23");
}

std::string scalar(const ordered_json& json) {
    if (json.is_string()) return double_quoted(json.get_ref<const std::string&>());
    return json.dump();  // null, true, false, integers, [] and {} are the same in YAML
}

// The keys are ours: plain, and no words that YAML 1.1 reads as something else.
void write(std::string& out, const ordered_json& json, std::size_t indent, bool in_item);

void write_value(std::string& out, const ordered_json& json, std::size_t indent) {
    if (json.is_structured() && !json.empty()) {
        out += '\n';
        write(out, json, indent, false);
    } else {
        out += ' ' + scalar(json) + '\n';
    }
}

void write(std::string& out, const ordered_json& json, std::size_t indent, bool in_item) {
    bool first = in_item;
    if (json.is_object()) {
        for (const auto& [key, value] : json.items()) {
            if (!first) out.append(indent, ' ');
            first = false;
            out += key + ":";
            write_value(out, value, indent + 2);
        }
        return;
    }
    for (const ordered_json& item : json) {
        out.append(indent, ' ');
        if (item.is_structured() && !item.empty()) {
            out += "- ";
            write(out, item, indent + 2, true);
        } else {
            out += "- " + scalar(item) + '\n';
        }
    }
}

class YamlOutput final : public Output {
public:
    explicit YamlOutput(std::ostream& out) : out_(out) {}

    void judged(const Judged& judged) override {
        std::string text = first_ ? "results:\n" : "";
        first_ = false;
        write(text, ordered_json::array({result_json(judged)}), 2, false);
        out_ << text;
    }
    void finish(const Summary& summary) override {
        std::string text = first_ ? "results: []\n" : "";
        write(text, ordered_json{{"summary", summary_json(summary)}}, 0, false);
        out_ << text;
    }

private:
    std::ostream& out_;
    bool first_ = true;
};

}  // namespace

std::unique_ptr<Output> yaml_output(std::ostream& out) { return std::make_unique<YamlOutput>(out); }

}  // namespace fluxgate::cli
