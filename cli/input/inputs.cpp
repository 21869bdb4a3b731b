#include "cli/input/inputs.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
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

// Is there a {{ … }} outside of comments where reading stopped, in that line or the one before?
bool stopped_at_template(std::string_view text, int line) {
    for (int at = 1; !text.empty() && at <= line; ++at) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view written = text.substr(0, std::min(end, text.find('#')));
        const std::size_t open = written.find("{{");
        if (at + 1 >= line && open != std::string_view::npos && written.find("}}", open) != std::string_view::npos) return true;
        text.remove_prefix(std::min(end + 1, text.size()));
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
        std::optional<std::size_t> put_aside{};  // in files
    };

    explicit State(const Limits& of) : limits(of), manifests(of), json(of) {}

    // A stream that can be read once only, in a temporary file: inputs are read twice.
    File put_aside(std::FILE* stream, const std::string& shown, std::uint64_t& bytes) {
        File file(std::tmpfile(), &std::fclose);
        const auto refuse = [&](std::string_view what) {
            notice(Level::error, shown, fmt::format("cannot be put aside in a temporary file ({}): {}", what, reason(errno)));
            return File(nullptr, &std::fclose);
        };
        if (!file) return refuse("creating it");
        std::array<char, 1u << 16> block{};
        while (const std::size_t got = std::fread(block.data(), 1, block.size(), stream)) {
            if (std::fwrite(block.data(), 1, got, file.get()) != got) return refuse("writing");
            bytes += got;
        }
        if (std::ferror(stream) != 0) return refuse("reading");
        if (std::fflush(file.get()) != 0) return refuse("writing");
        return file;
    }

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
        if (!fs::is_regular_file(status)) return add_special_file(path);
        add_file(path);
    }

    void add_file(const fs::path& path) {
        std::error_code error;
        const auto bytes = fs::file_size(path, error);
        sources.push_back({.path = path.string(), .shown = path.generic_string(), .bytes = error ? 0 : bytes});
    }

    void add_stream(std::FILE* stream, const std::string& shown) {
        std::uint64_t bytes = 0;
        File file = put_aside(stream, shown, bytes);
        if (!file) return;
        sources.push_back({.path = shown, .shown = shown, .bytes = bytes, .put_aside = files.size()});
        files.push_back(std::move(file));
    }

    void add_standard_input() {
        const std::string shown(kStandardInput);
        const auto is_it = [&](const Source& source) { return source.shown == shown; };
        if (std::any_of(sources.begin(), sources.end(), is_it)) return notice(Level::error, shown, "standard input is named twice");
        add_stream(stdin, shown);
    }

    // Pipes and devices: `<(kustomize build …)`.
    void add_special_file(const std::string& path) {
        const File file = open_file(path.c_str());
        if (!file) return notice(Level::error, path, "cannot be read: " + reason(errno));
        add_stream(file.get(), path);
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

        const auto kustomization =
            std::find_if(entries.begin(), entries.end(), [](const auto& entry) { return is_kustomization_name(entry.path()); });
        const bool has_chart =
            std::any_of(entries.begin(), entries.end(), [](const auto& entry) { return entry.path().filename() == "Chart.yaml"; });
        if (has_chart && kustomization == entries.end()) {
            return notice(Level::not_judged, folder.generic_string(),
                          fmt::format("a Helm chart that is not rendered: helm template {} | fluxgate check -", folder.generic_string()));
        }
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
        std::error_code error;
        if (entry.is_directory(error)) {
            if (!path.filename().string().starts_with('.')) add_folder(path, overlay);  // not .git, .github
            return;
        }
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

    void read_source(const Source& source, const InputEvents& events) {
        if (!source.put_aside) return read_file(source.path, source.shown, events);
        std::FILE* const file = files[*source.put_aside].get();
        std::rewind(file);
        read_stream(file, source.shown, events);
    }

    void read_file(const std::string& path, const std::string& shown, const InputEvents& events) {
        const File file = open_file(path.c_str());
        if (!file) return events.problem(Level::error, {shown, {}}, "cannot be read: " + reason(errno));
        read_stream(file.get(), shown, events);
    }

    void read_stream(std::FILE* file, const std::string& shown, const InputEvents& events) {
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
        const bool from_file = shown != kStandardInput;  // what comes through a pipe was rendered
        if (!from_file || problem.code != Errc::invalid_yaml ||
            !stopped_at_template(document.text, problem.position.line - document.line + 1))
            return events.problem(Level::error, place, problem.message);
        events.problem(Level::not_judged, place, "a template that is not rendered (it holds {{): helm template CHART | fluxgate check -");
    }

    Limits limits;
    kube::ManifestReader manifests;
    kube::JsonReader json;
    std::vector<File> files;  // of what was put aside
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
            state_->read_source(source, events);
        state_->bytes_before += source.bytes;
    }
}

std::size_t Inputs::files() const {
    return static_cast<std::size_t>(
        std::count_if(state_->sources.begin(), state_->sources.end(), [](const State::Source& source) { return !source.path.empty(); }));
}

}  // namespace fluxgate::cli
