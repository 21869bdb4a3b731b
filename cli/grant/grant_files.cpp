#include "cli/grant/grant_files.hpp"

#include <cstdio>

#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/files.hpp"
#include "cli/messages.hpp"
#include "kube/manifest.hpp"
#include "policy/decode_grant.hpp"

namespace fluxgate::cli {

namespace {

// An entry of data of a ConfigMap; empty if the text is something else.
std::string read_data(const std::string& text, std::string_view key, const Limits& limits) {
    const kube::ReadResult read = kube::read_manifests(text, limits);
    if (!read.problems.empty() || read.documents.size() != 1) return {};
    const kube::Node& root = read.documents.front().root;
    const kube::Node* kind = root.find("kind");
    const kube::Node* data = root.find("data");
    const kube::Node* value = kind && kind->text() == "ConfigMap" && data ? data->find(key) : nullptr;
    return value ? value->text() : std::string();
}

std::string block(std::string_view key, std::string_view text) {
    std::string out = fmt::format("  {}: |\n", key);
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        if (end > 0) out += "    ";
        out += text.substr(0, end);
        out += '\n';
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return out;
}

}  // namespace

Result<GrantFile> read_grant_file(const std::string& path) {
    auto text = read_file(path);
    if (!text) return tl::unexpected(text.error());
    const Limits limits;
    GrantFile file;
    if (SignedNote::parse(*text))
        file.note = *text;
    else
        file.note = read_data(*text, "grant", limits);
    if (file.note.empty()) {
        file.text = std::move(*text);
        if (!file.text.ends_with('\n')) file.text += '\n';
    } else {
        auto note = SignedNote::parse(file.note);
        if (!note) return fail(note.error().code, "data.grant " + note.error().message, path);
        file.text = std::move(note->text);
    }
    policy::Problems problems(limits.policy_errors_max);
    problems.in_file(path);
    auto grant = policy::read_grant(file.text, limits, problems);
    if (!grant) {
        for (std::size_t i = 1; i < problems.list().size(); ++i) print_problem(to_string(problems.list()[i]));
        return fail(Errc::invalid_policy, to_string(problems.list().front()));
    }
    file.grant = std::move(*grant);
    return file;
}

Result<SignerKey> read_signer_key(const std::string& path) {
    auto text = read_file(path);
    if (!text) return tl::unexpected(text.error());
    while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
    auto key = SignerKey::parse(*text);
    if (!key) return fail(key.error().code, key.error().message, path);
    return key;
}

Result<std::string> config_map(std::string_view name, std::string_view namespace_name, std::string_view note, std::string_view revocation) {
    std::string text = fmt::format(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}\n  namespace: {}\n  labels:\n    fluxgate.dev/grant: \"true\"\ndata:\n",
        name, namespace_name);
    if (!note.empty()) text += block("grant", note);
    if (!revocation.empty()) text += block("revocation", revocation);
    const Limits limits;
    if (read_data(text, "grant", limits) != note || read_data(text, "revocation", limits) != revocation)
        return fail(Errc::invalid_argument, "the grant begins with a space, so it cannot stand in a ConfigMap as it is; write it without");
    return text;
}

std::string config_map_name(std::string_view grant) { return "grant-" + std::string(grant); }

int write_out(std::string_view command, const std::string& path, std::string_view text) {
    if (path.empty()) {
        std::fwrite(text.data(), 1, text.size(), stdout);
        return kClean;
    }
    auto file = NewFile::create(path);
    if (!file) return refuse(command, to_string(file.error()));
    file->stream() << text;
    if (auto written = file->finish(); !written) return refuse(command, to_string(written.error()));
    return kClean;
}

}  // namespace fluxgate::cli
