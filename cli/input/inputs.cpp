#include "cli/input/inputs.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "cli/input/document_stream.hpp"

namespace fluxgate::cli {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStandardInput = "<stdin>";

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
File open_file(const char* path) { return {std::fopen(path, "rb"), &std::fclose}; }

bool is_manifest_name(const fs::path& path) {
    const std::string extension = path.extension().string();
    return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

bool is_kustomization_name(const fs::path& path) {
    const std::string name = path.filename().string();
    return name == "kustomization.yaml" || name == "kustomization.yml" || name == "Kustomization";
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

// Does `kustomize build` only put these files together, or change what they say?
bool changes_manifests(kube::Json kustomization) {
    bool changes = kustomization["kind"].text() == "Component";
    kustomization.each_member([&](std::string_view key, kube::Json) {
        changes =
            changes || !is_one_of(key, {"apiVersion", "kind", "metadata", "resources", "bases", "buildMetadata", "openapi", "sortOptions"});
    });
    return changes;
}

// Text with {{ .Values.x }}, {{- if … }} in it.
bool is_helm_template(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) return false;
    for (std::size_t at = text.find("{{"); at != std::string_view::npos; at = text.find("{{", at)) {
        const std::string_view line = text.substr(at, text.find('\n', at) - at);
        if (line.find("}}") != std::string_view::npos) return true;
        at += line.size();
    }
    return false;
}

std::string reason(int error) { return std::strerror(error); }

}  // namespace

struct Inputs::State {
    struct Source {
        std::string path;  // to open; empty: a notice only
        std::string shown;
        std::uint64_t bytes = 0;
        Level level = Level::error;  // of the notice
        std::string notice{};
        kube::Position position{};
    };

    explicit State(const Limits& of) : limits(of), manifests(of), json(of) {}

    void notice(Level level, std::string shown, std::string text) {
        sources.push_back({.path = {}, .shown = std::move(shown), .level = level, .notice = std::move(text)});
    }

    void add_path(const std::string& path) {
        if (path == "-") return add_standard_input();
        std::error_code error;
        const fs::file_status status = fs::status(path, error);
        if (status.type() == fs::file_type::not_found) return notice(Level::error, path, "does not exist");
        if (error) return notice(Level::error, path, error.message());
        if (fs::is_directory(status)) return add_folder(path, false);
        add_file(path);
    }

    void add_file(const fs::path& path) {
        std::error_code error;
        const auto bytes = fs::file_size(path, error);
        sources.push_back({.path = path.string(), .shown = path.generic_string(), .bytes = error ? 0 : bytes});
    }

    // Standard input can be read once only, and inputs are read twice.
    void add_standard_input() {
        if (standard_input) return;
        standard_input = File(std::tmpfile(), &std::fclose);
        const auto refuse = [&](std::string_view what) {
            notice(Level::error, std::string(kStandardInput),
                   fmt::format("cannot be put aside in a temporary file ({}): {}", what, reason(errno)));
        };
        if (!standard_input) return refuse("creating it");
        std::array<char, 1u << 16> block{};
        std::uint64_t bytes = 0;
        while (const std::size_t got = std::fread(block.data(), 1, block.size(), stdin)) {
            if (std::fwrite(block.data(), 1, got, standard_input.get()) != got) return refuse("writing");
            bytes += got;
        }
        if (std::ferror(stdin) != 0) return refuse("reading");
        if (std::fflush(standard_input.get()) != 0) return refuse("writing");
        sources.push_back({.path = "-", .shown = std::string(kStandardInput), .bytes = bytes});
    }

    // `overlay`: the folder above is one whose files kustomize changes.
    void add_folder(const fs::path& folder, bool overlay) {
        struct stat status {};
        if (::stat(folder.c_str(), &status) != 0) return notice(Level::error, folder.generic_string(), reason(errno));
        if (!folders.insert({status.st_dev, status.st_ino}).second) return;  // a link to a folder that was read
        std::error_code error;
        std::vector<fs::directory_entry> entries;
        for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) entries.push_back(*entry);
        if (error) return notice(Level::error, folder.generic_string(), "cannot be read: " + error.message());
        std::sort(entries.begin(), entries.end());

        if (std::any_of(entries.begin(), entries.end(), [](const auto& entry) { return entry.path().filename() == "Chart.yaml"; })) {
            return notice(Level::not_judged, folder.generic_string(),
                          fmt::format("a Helm chart that is not rendered: helm template {} | fluxgate check -", folder.generic_string()));
        }
        const auto kustomization =
            std::find_if(entries.begin(), entries.end(), [](const auto& entry) { return is_kustomization_name(entry.path()); });
        if (kustomization != entries.end()) {
            overlay = is_overlay(kustomization->path());
            if (overlay) {
                notice(Level::not_judged, kustomization->path().generic_string(),
                       fmt::format("an overlay that is not rendered: kustomize build {} | fluxgate check -", folder.generic_string()));
            }
        }
        for (const fs::directory_entry& entry : entries) add_entry(entry, overlay);
    }

    void add_entry(const fs::directory_entry& entry, bool overlay) {
        const fs::path& path = entry.path();
        if (path.filename().string().starts_with('.')) return;  // .git, .github
        std::error_code error;
        if (entry.is_directory(error)) return add_folder(path, overlay);
        if (overlay || is_kustomization_name(path) || !is_manifest_name(path)) return;
        if (!entry.exists(error)) return notice(Level::error, path.generic_string(), "a link to nowhere");
        if (entry.is_regular_file(error)) add_file(path);
    }

    bool is_overlay(const fs::path& path) {
        bool overlay = false;
        read_file(path.string(), path.generic_string(),
                  {.object =
                       [&](const std::string&, kube::ManifestObject&& object) {
                           const auto read = json.read(object.json);
                           overlay = overlay || (read && changes_manifests(*read));
                       },
                   .problem = [&](Level, const Place&, const std::string&) { overlay = true; }});
        return overlay;
    }

    void read_file(const std::string& path, const std::string& shown, const InputEvents& events) {
        File opened{nullptr, &std::fclose};
        std::FILE* file = standard_input.get();
        if (path == "-") {
            std::rewind(file);
        } else {
            opened = open_file(path.c_str());
            file = opened.get();
        }
        if (!file) return events.problem(Level::error, {shown, {}}, "cannot be read: " + reason(errno));
        DocumentStream stream(file, limits.manifest_bytes_max);
        for (DocumentText document; stream.next(document);) {
            if (document.too_large) {
                events.problem(Level::error, {shown, {document.line, 1}},
                               fmt::format("a document of more than {} MiB: split it with ---", limits.manifest_bytes_max >> 20));
                continue;
            }
            if (events.wanted && !events.wanted(document.text)) continue;
            const auto problem = manifests.read(document.text, document.line,
                                                [&](kube::ManifestObject&& object) { events.object(shown, std::move(object)); });
            if (problem) report(*problem, document, shown, events);
            if (events.progress) events.progress(bytes_before + stream.bytes_read(), bytes_total);
        }
        if (stream.failed() != 0) events.problem(Level::error, {shown, {}}, "cannot be read: " + reason(stream.failed()));
    }

    static void report(const kube::ReadProblem& problem, const DocumentText& document, const std::string& shown,
                       const InputEvents& events) {
        const Place place{shown, problem.position};
        if (!is_helm_template(document.text)) return events.problem(Level::error, place, problem.message);
        events.problem(Level::not_judged, place, "a template that is not rendered (it holds {{): helm template CHART | fluxgate check -");
    }

    Limits limits;
    kube::ManifestReader manifests;
    kube::JsonReader json;
    File standard_input{nullptr, &std::fclose};
    std::vector<Source> sources;
    std::set<std::pair<dev_t, ino_t>> folders;
    std::uint64_t bytes_total = 0;
    std::uint64_t bytes_before = 0;
};

Inputs::Inputs(std::vector<std::string> paths, const Limits& limits) : state_(std::make_unique<State>(limits)) {
    for (const std::string& path : paths) state_->add_path(path);
    for (const State::Source& source : state_->sources) state_->bytes_total += source.bytes;
}

Inputs::~Inputs() = default;

void Inputs::read(const InputEvents& events) {
    state_->bytes_before = 0;
    for (const State::Source& source : state_->sources) {
        if (source.path.empty())
            events.problem(source.level, {source.shown, source.position}, source.notice);
        else
            state_->read_file(source.path, source.shown, events);
        state_->bytes_before += source.bytes;
    }
}

std::size_t Inputs::files() const {
    return static_cast<std::size_t>(
        std::count_if(state_->sources.begin(), state_->sources.end(), [](const State::Source& source) { return !source.path.empty(); }));
}

}  // namespace fluxgate::cli
