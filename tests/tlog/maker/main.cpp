// Writes a provable log by the real integrator, for verifiers that are not ours: a command a line on standard input, an answer a line on
// standard output, "ok …" or "no TEXT".
//
//   log_maker FOLDER KEY-FILE
//   append N         N more entries, {"record":INDEX}, under one checkpoint: ok SIZE
//   open             stops and starts again, which recomputes the whole log: ok SIZE
//   prove INDEX      the inclusion proof out of the tiles: ok HASH,HASH,…
//   continue SIZE    the proof that the log continues that of SIZE entries: ok HASH,HASH,…

#include <cstdlib>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "audit/disk.hpp"
#include "audit/integrator.hpp"
#include "audit/signing_key.hpp"
#include "audit/tile_reader.hpp"
#include "base/base64.hpp"

namespace {

using namespace fluxgate;
using namespace fluxgate::audit;

constexpr std::uint64_t kBatch = 4'096;

Result<std::string> append(Integrator& log, std::uint64_t count) {
    for (std::uint64_t index = log.size(), end = index + count; index < end;) {
        std::vector<std::string> texts;
        for (; index < end && texts.size() < kBatch; ++index) texts.push_back("{\"record\":" + std::to_string(index) + "}");
        const std::vector<std::string_view> views(texts.begin(), texts.end());
        if (auto added = log.add(views); !added) return tl::unexpected(added.error());
    }
    const auto checkpoint = log.publish();
    if (!checkpoint) return tl::unexpected(checkpoint.error());
    return std::to_string(checkpoint->size);
}

Result<std::string> in_base64(const Result<std::vector<Hash>>& proof) {
    if (!proof) return tl::unexpected(proof.error());
    std::string text;
    for (const Hash& hash : *proof) text += (text.empty() ? "" : ",") + base64({reinterpret_cast<const char*>(hash.data()), hash.size()});
    return text;
}

// The log of these commands; empty after an `open` that failed.
class Maker {
public:
    Maker(std::string folder, SigningKey key) : folder_(std::move(folder)), key_(std::move(key)) {}

    Result<std::string> open() {
        log_.reset();
        disk_.reset();
        disk_ = make_posix_disk(folder_);
        if (auto taken = disk_->take(); !taken) return tl::unexpected(taken.error());
        auto opened = Integrator::open(*disk_, key_);
        if (!opened) return tl::unexpected(opened.error());
        log_ = std::move(*opened);
        return std::to_string(log_->size());
    }

    Result<std::string> execute(const std::string& line) {
        std::istringstream words(line);
        std::string command;
        std::uint64_t number = 0;
        words >> command >> number;
        if (command == "open") return open();
        if (!log_) return fail(Errc::invalid_argument, "the log is not open");
        if (command == "append") return append(*log_, number);
        TileReader tiles(*disk_, log_->size());
        if (command == "prove") return in_base64(tiles.inclusion(number));
        if (command == "continue") return in_base64(tiles.consistency_from(number));
        return fail(Errc::invalid_argument, "no such command: " + line);
    }

private:
    std::string folder_;
    SigningKey key_;
    std::unique_ptr<Disk> disk_;
    std::unique_ptr<Integrator> log_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::cerr << "usage: log_maker FOLDER KEY-FILE\n";
        return 2;
    }
    auto key = SigningKey::open_or_make(argv[2], origin_for("tests", "log-maker"));
    if (!key) {
        std::cerr << to_string(key.error()) << '\n';
        return 2;
    }
    Maker maker(argv[1], std::move(*key));
    for (std::string line; std::getline(std::cin, line);) {
        const auto answer = maker.execute(line);
        std::cout << (answer ? "ok " + *answer : "no " + to_string(answer.error())) << std::endl;
    }
    return 0;
}
