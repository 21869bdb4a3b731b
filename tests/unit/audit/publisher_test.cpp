#include "audit/publisher.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "audit/durable_file.hpp"
#include "audit/tiles.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/simulated_disk.hpp"
#include "tests/unit/audit/support.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using namespace std::chrono_literals;
using audit::testing::append_and_wait;
using audit::testing::Folder;
using audit::testing::Gate;
using audit::testing::record_of;
using audit::testing::SimulatedDisk;

namespace {

const SigningKey& key() {
    static const SigningKey key{.key = *SignerKey::generate("fluxgate/prod/fluxgate-0/1")};
    return key;
}

// What a publisher said, and waiting for it.
class Said {
public:
    Publisher::Options options() {
        Publisher::Options options;
        options.interval = 1ms;
        options.on_checkpoint = [this](const Checkpoint& checkpoint) { say([&] { checkpoints_.push_back(checkpoint); }); };
        options.on_broken = [this](const Error& error) { say([&] { errors_.push_back(error); }); };
        return options;
    }
    std::uint64_t size() const {
        const std::lock_guard lock(mutex_);
        return checkpoints_.empty() ? 0 : checkpoints_.back().size;
    }
    std::size_t checkpoints() const {
        const std::lock_guard lock(mutex_);
        return checkpoints_.size();
    }
    void wait_for_size(std::uint64_t size) {
        std::unique_lock lock(mutex_);
        CHECK(changed_.wait_for(lock, 20s, [&] { return !checkpoints_.empty() && checkpoints_.back().size >= size; }));
    }
    Error wait_for_error() {
        std::unique_lock lock(mutex_);
        REQUIRE(changed_.wait_for(lock, 20s, [&] { return !errors_.empty(); }));
        return errors_.front();
    }
    std::size_t errors() const {
        const std::lock_guard lock(mutex_);
        return errors_.size();
    }

private:
    template <class Change>
    void say(Change change) {
        const std::lock_guard lock(mutex_);
        change();
        changed_.notify_all();
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Checkpoint> checkpoints_;
    std::vector<Error> errors_;
};

// One process: a disk, a log, and what its publisher says.
struct Process {
    explicit Process(SimulatedDisk& simulated, Wal::Options wal = {}) : disk(simulated.start_process()) {
        REQUIRE(disk->take().has_value());
        auto opened = Log::open(*disk, wal, {});
        REQUIRE(opened.has_value());
        log = std::move(*opened);
    }
    void append(int count) {
        for (int i = 0; i < count; ++i)
            REQUIRE(append_and_wait(*log, record_of(fmt::format("record-{}", log->next_sequence()))).has_value());
    }

    std::unique_ptr<Disk> disk;
    std::unique_ptr<Log> log;
    Said said;
};

std::optional<Checkpoint> checkpoint_on(SimulatedDisk& simulated, const VerifierKey& by = key().key.verifier()) {
    const auto note = read_whole(*simulated.observe(), "checkpoint", 1u << 16);
    if (!note) return std::nullopt;
    const auto checkpoint = open_checkpoint(*note, by);
    return checkpoint ? std::optional(*checkpoint) : std::nullopt;
}

// The entries of a small log.
std::vector<std::string> entries_on(SimulatedDisk& simulated, std::uint64_t size) {
    std::vector<std::string> entries;
    for (std::uint64_t number = 0; number * kTileWidth < size; ++number) {
        const std::uint64_t width = std::min(kTileWidth, size - number * kTileWidth);
        const auto bundle = read_whole(*simulated.observe(), bundle_path(number, width), 64u << 20);
        REQUIRE(bundle.has_value());
        const auto texts = entries_of(*bundle, width);
        REQUIRE(texts.has_value());
        entries.insert(entries.end(), texts->begin(), texts->end());
    }
    return entries;
}

Record statement_of(const KeyRotation& rotation) {
    Record record;
    record.id = "signing-key-changed-1";
    record.time = WallTime{std::chrono::microseconds{1'796'436'600'123'456}};
    record.event = "signing-key-changed";
    record.facts = {{"from", rotation.from.text()}, {"note", rotation.note}, {"to", rotation.to.text()}};
    return record;
}

}  // namespace

TEST_CASE("what the log made durable comes under a checkpoint, as the same texts in the same order") {
    SimulatedDisk simulated;
    Process process(simulated);
    process.append(3);
    Publisher publisher(*process.disk, *process.log, key(), process.said.options());
    process.said.wait_for_size(3);
    process.append(300);
    process.said.wait_for_size(303);
    CHECK(checkpoint_on(simulated)->size == 303);
    std::vector<std::string> written;
    for (const auto& [sequence, text] : audit::testing::records_in(simulated)) written.push_back(text);
    CHECK(entries_on(simulated, 303) == written);
    CHECK(process.said.errors() == 0);
}

TEST_CASE("a publisher that ends publishes first what is durable, and the next one goes on behind it") {
    SimulatedDisk simulated;
    {
        Process process(simulated);
        auto options = process.said.options();
        options.interval = 1h;
        {
            Publisher publisher(*process.disk, *process.log, key(), options);
            process.append(5);
        }
        CHECK(process.said.size() == 5);
    }
    Process process(simulated);
    process.append(2);
    { Publisher publisher(*process.disk, *process.log, key(), process.said.options()); }
    CHECK(checkpoint_on(simulated)->size == 7);
    CHECK(entries_on(simulated, 7).back() == audit::testing::records_in(simulated).at(7));
}

TEST_CASE("a backlog is published in bounded batches") {
    SimulatedDisk simulated;
    Process process(simulated);
    int waiting = 9'000;
    std::mutex mutex;
    std::condition_variable done;
    for (int i = 0; i < 9'000;) {
        process.log->append(record_of(fmt::format("record-{}", i)), [&](Result<std::uint64_t> written) {
            const std::lock_guard lock(mutex);
            if (written) --waiting;
            done.notify_all();
        });
        // No more than the queue takes.
        if (++i % 1'000 != 0) continue;
        std::unique_lock lock(mutex);
        REQUIRE(done.wait_for(lock, 20s, [&] { return waiting == 9'000 - i; }));
    }
    { Publisher publisher(*process.disk, *process.log, key(), process.said.options()); }
    CHECK(process.said.size() == 9'000);
    CHECK(process.said.checkpoints() == 4);  // of nothing, 4,096, 8,192 and 9,000
}

TEST_CASE("a record that can be read but is not durable yet is not published") {
    SimulatedDisk simulated;
    Process process(simulated);
    process.append(1);
    {
        Publisher publisher(*process.disk, *process.log, key(), process.said.options());
        process.said.wait_for_size(1);
    }
    process.append(1);
    Gate gate;
    simulated.before_each_step([&gate](audit::testing::Step step, const std::string& path) {
        if (step == audit::testing::Step::sync && path.starts_with("wal/")) gate.pass();
    });
    process.log->append(record_of("three"), [](Result<std::uint64_t>) {});
    gate.wait_for_someone();
    CHECK(audit::testing::records_in(simulated).size() == 3);
    { Publisher publisher(*process.disk, *process.log, key(), process.said.options()); }
    CHECK(checkpoint_on(simulated)->size == 2);
    gate.open();
    process.append(1);
    { Publisher publisher(*process.disk, *process.log, key(), process.said.options()); }
    CHECK(checkpoint_on(simulated)->size == 4);
}

TEST_CASE("a write-ahead log that begins behind the last entry is a hole, over which nothing is signed") {
    SimulatedDisk simulated;
    {
        Process process(simulated);
        process.append(3);
        Publisher publisher(*process.disk, *process.log, key(), process.said.options());
    }
    REQUIRE(checkpoint_on(simulated)->size == 3);
    {
        const auto disk = simulated.observe();
        const auto segments = disk->list("wal");
        REQUIRE(segments.has_value());
        for (const DirectoryEntry& segment : *segments) {
            if (!segment.is_directory) REQUIRE(disk->remove("wal/" + segment.name).has_value());
        }
    }
    // It says that more was covered than was.
    Process process(simulated, {.covered = 5});
    process.append(2);
    Publisher publisher(*process.disk, *process.log, key(), process.said.options());
    const Error error = process.said.wait_for_error();
    CHECK(error.code == Errc::contradictory);
    CHECK(error.message.find("records from 4 on are lost") != std::string::npos);
    CHECK(error.message.find("fluxgate audit epoch") != std::string::npos);
    CHECK(checkpoint_on(simulated)->size == 3);
    process.append(1);  // the write-ahead log goes on
}

TEST_CASE("a publisher that cannot open the provable log says so once, and records are taken on") {
    struct Row {
        std::string_view name;
        std::function<void(SimulatedDisk&)> harm;
        Errc code;
    };
    const Row rows[] = {
        {"the checkpoint was changed", [](SimulatedDisk& disk) { disk.overwrite("checkpoint", "hello\n"); }, Errc::contradictory},
        {"an entry was changed", [](SimulatedDisk& disk) { disk.overwrite("tile/entries/000.p/3", "hello"); }, Errc::contradictory},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        SimulatedDisk simulated;
        {
            Process process(simulated);
            process.append(3);
            Publisher publisher(*process.disk, *process.log, key(), process.said.options());
        }
        row.harm(simulated);
        Process process(simulated);
        {
            Publisher publisher(*process.disk, *process.log, key(), process.said.options());
            CHECK(process.said.wait_for_error().code == row.code);
            process.append(2);
        }
        CHECK(process.said.errors() == 1);
        CHECK_FALSE(process.log->broken());
    }
}

TEST_CASE("an entry that is no record does not say where to go on") {
    SimulatedDisk simulated;
    Process process(simulated);
    {
        auto integrator = Integrator::open(*process.disk, key());
        REQUIRE(integrator.has_value());
        const std::string_view entries[] = {"hello"};
        REQUIRE((*integrator)->append(entries).has_value());
    }
    Publisher publisher(*process.disk, *process.log, key(), process.said.options());
    CHECK(process.said.wait_for_error().code == Errc::contradictory);
}

TEST_CASE("a failing disk under the provable log stops the publisher, not the log") {
    SimulatedDisk simulated;
    Process process(simulated);
    Publisher publisher(*process.disk, *process.log, key(), process.said.options());
    process.append(1);
    process.said.wait_for_size(1);
    simulated.at_step(audit::testing::Step::rename, 1, {});
    process.append(1);
    CHECK(process.said.wait_for_error().code == Errc::io);
    process.append(1);
    CHECK_FALSE(process.log->broken());
    CHECK(checkpoint_on(simulated)->size == 1);
}

TEST_CASE("records that are not under a checkpoint yet are never given up, even when the folder is full") {
    SimulatedDisk simulated;
    Process process(simulated, {.segment_bytes = 20'000, .disk_bytes_max = 200'000});
    process.append(1);
    Gate gate;
    {
        Publisher publisher(*process.disk, *process.log, key(), process.said.options());
        process.said.wait_for_size(1);
        simulated.before_each_step([&gate](audit::testing::Step step, const std::string& path) {
            if (step == audit::testing::Step::sync && path.starts_with("tile/")) gate.pass();
        });
        std::uint64_t last = 1;
        for (Result<std::uint64_t> written = last; written && last < 2'000; written = append_and_wait(*process.log, record_of("one more")))
            last = *written;
        CHECK(last < 2'000);
        CHECK(audit::testing::records_in(simulated).begin()->first <= 2);
        gate.open();
        process.said.wait_for_size(last);
    }
    CHECK(process.said.errors() == 0);
}

TEST_CASE("after a rotation nothing is published before its statement is in the log, and then by the new key") {
    Folder folder;
    const auto old = SigningKey::open_or_make(folder / "log.key", "fluxgate/prod/fluxgate-0/1");
    REQUIRE(old.has_value());
    SimulatedDisk simulated;
    {
        Process process(simulated);
        process.append(3);
        Publisher publisher(*process.disk, *process.log, *old, process.said.options());
    }
    const auto rotated = SigningKey::rotate(folder / "log.key");
    REQUIRE(rotated.has_value());
    {
        Process process(simulated);
        process.append(2);
        int asked = 0;
        auto options = process.said.options();
        options.on_rotation = [&](const KeyRotation& rotation) { asked += rotation == *rotated->rotation ? 1 : 100; };
        { Publisher publisher(*process.disk, *process.log, *rotated, options); }
        CHECK(asked == 1);
        CHECK(checkpoint_on(simulated, old->key.verifier())->size == 3);

        // The owner was killed before it could write the record; now it does.
        options.on_rotation = [&](const KeyRotation& rotation) {
            ++asked;
            process.log->append(statement_of(rotation), [](Result<std::uint64_t>) {});
        };
        {
            Publisher publisher(*process.disk, *process.log, *rotated, options);
            process.said.wait_for_size(6);
        }
        CHECK(asked == 2);
    }
    CHECK_FALSE(checkpoint_on(simulated, old->key.verifier()).has_value());
    CHECK(checkpoint_on(simulated, rotated->key.verifier())->size == 6);
    CHECK_FALSE(SigningKey::open(folder / "log.key")->rotation.has_value());
    CHECK(entries_on(simulated, 6).back().find("signing-key-changed") != std::string::npos);
}

TEST_CASE("a statement that is in the write-ahead log already is not asked for again") {
    Folder folder;
    const auto old = SigningKey::open_or_make(folder / "log.key", "fluxgate/prod/fluxgate-0/1");
    SimulatedDisk simulated;
    {
        Process process(simulated);
        Publisher publisher(*process.disk, *process.log, *old, process.said.options());
    }
    const auto rotated = SigningKey::rotate(folder / "log.key");
    REQUIRE(rotated.has_value());
    Process process(simulated);
    process.append(1);
    REQUIRE(append_and_wait(*process.log, statement_of(*rotated->rotation)).has_value());
    process.append(1);
    auto options = process.said.options();
    bool asked = false;
    options.on_rotation = [&](const KeyRotation&) { asked = true; };
    { Publisher publisher(*process.disk, *process.log, *rotated, options); }
    CHECK_FALSE(asked);
    CHECK(checkpoint_on(simulated, rotated->key.verifier())->size == 3);
}

namespace {

// Processes one after the other over one disk, each with a log and a publisher, most of them killed at some step, some with the power.
class Lives {
public:
    explicit Lives(std::uint64_t seed) : random_(seed), simulated_(seed) {}

    void run() {
        for (std::uint64_t i = random_.between(2, 4); i > 0; --i) {
            live(true);
            if (random_.one_in(2)) simulated_.lose_power();
        }
        live(false);
        CHECK(violation_ == "");
        // In peace, all that was acknowledged is under the checkpoint, each in its place.
        const auto checkpoint = checkpoint_on(simulated_);
        REQUIRE(checkpoint.has_value());
        CHECK(checkpoint->size >= published_);
        const auto entries = entries_on(simulated_, checkpoint->size);
        for (const auto& [sequence, id] : acknowledged_) {
            INFO("record " << sequence);
            REQUIRE(sequence <= entries.size());
            CHECK(entries[sequence - 1].find("\"id\":\"" + id + "\"") != std::string::npos);
        }
    }

private:
    void live(bool with_fault) {
        const auto disk = simulated_.start_process();
        if (with_fault)
            simulated_.at_step(random_.between(1, 250),
                               {static_cast<audit::testing::Failing>(random_.below(3)), audit::testing::Then::process_dies});
        const auto covered = covered_by(*disk);
        if (!covered) return violated_if_alive(covered.error());
        auto log = Log::open(*disk, {.segment_bytes = 20'000, .disk_bytes_max = 150'000, .covered = *covered}, {});
        if (!log) return violated_if_alive(log.error());
        auto options = said_.options();
        options.on_checkpoint = [this](const Checkpoint& checkpoint) { published_ = std::max(published_, checkpoint.size); };
        options.on_broken = [this](const Error& error) { violated_if_alive(error); };
        Publisher publisher(*disk, **log, key(), options);
        for (std::uint64_t i = random_.between(1, 60); i > 0 && !(*log)->broken(); --i) {
            const std::string id = fmt::format("record-{}", ++made_);
            const auto written = append_and_wait(**log, record_of(id));
            if (written) acknowledged_.emplace(*written, id);
        }
    }

    // On whichever thread; assertions are for one.
    void violated_if_alive(const Error& error) {
        const std::lock_guard lock(mutex_);
        if (!simulated_.process_is_dead()) violation_ = to_string(error);
    }

    Result<std::uint64_t> covered_by(audit::Disk& disk) {
        const auto integrator = Integrator::open(disk, key());
        if (!integrator) return tl::unexpected(integrator.error());
        return (*integrator)->size();  // here every sequence is its index and one
    }

    fluxgate::testing::Random random_;
    SimulatedDisk simulated_;
    Said said_;
    std::map<std::uint64_t, std::string> acknowledged_;
    std::uint64_t made_ = 0;
    std::uint64_t published_ = 0;  // of the publisher's thread, while there is one
    std::mutex mutex_;
    std::string violation_;
};

}  // namespace

TEST_CASE("a log and its publisher outlive kills and losses of power together") {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        INFO("seed " << seed);
        Lives(seed).run();
    }
}
