// Reads manifests for the comparison with Go: on standard input, texts as LENGTH NEWLINE BYTES; for each, on standard output, a line
// of JSON for each object, and then `end`, or `problem: CODE LINE:COLUMN`.
//
//   manifest_reader [--stream]    --stream: each text is a file of documents, cut as `fluxgate check` cuts it; after a problem the
//                                 next document follows

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "cli/input/document_stream.hpp"
#include "kube/manifest_object.hpp"

namespace {

using namespace fluxgate;

void read_document(kube::ManifestReader& reader, std::string_view text, int line) {
    const auto problem = reader.read(text, line, [](kube::ManifestObject&& object) { std::printf("%s\n", object.json.c_str()); });
    if (problem) {
        const std::string code(to_string(problem->code));
        std::printf("problem: %s %d:%d\n", code.c_str(), problem->position.line, problem->position.column);
    }
}

void read_stream(kube::ManifestReader& reader, std::string& text) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
        text.empty() ? std::fopen("/dev/null", "rb") : ::fmemopen(text.data(), text.size(), "rb"), &std::fclose);
    cli::DocumentStream stream(file.get(), Limits{}.manifest_bytes_max);
    for (cli::DocumentText document; stream.next(document);) read_document(reader, document.text, document.line);
}

}  // namespace

int main(int count, char** arguments) {
    const bool as_stream = count > 1 && std::string_view(arguments[1]) == "--stream";
    kube::ManifestReader reader{Limits{}};
    std::size_t length = 0;
    std::string text;
    while (std::scanf("%zu", &length) == 1 && std::getchar() == '\n') {
        text.resize(length);
        if (std::fread(text.data(), 1, length, stdin) != length) return 2;
        if (as_stream)
            read_stream(reader, text);
        else
            read_document(reader, text, 1);
        std::printf("end\n");
    }
    return std::feof(stdin) != 0 ? 0 : 2;
}
