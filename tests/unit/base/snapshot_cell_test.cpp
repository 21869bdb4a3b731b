#include "base/snapshot_cell.hpp"

#include <atomic>
#include <thread>

#include "tests/support/catch.hpp"

using fluxgate::SnapshotCell;

TEST_CASE("a reader keeps its version while the next one is stored") {
    SnapshotCell<int> cell(std::make_shared<const int>(1));
    const auto before = cell.load();
    cell.store(std::make_shared<const int>(2));
    CHECK(*before == 1);
    CHECK(*cell.load() == 2);
}

TEST_CASE("a version that nobody holds is freed when the next one is stored") {
    auto first = std::make_shared<const int>(1);
    const std::weak_ptr<const int> watch = first;
    SnapshotCell<int> cell(std::move(first));
    cell.store(std::make_shared<const int>(2));
    CHECK(watch.expired());
}

TEST_CASE("readers see whole versions, in order, while a writer stores") {
    struct Pair {
        int left;
        int right;
    };
    constexpr int kVersions = 2'000;
    SnapshotCell<Pair> cell(std::make_shared<const Pair>(Pair{0, 0}));
    std::atomic<bool> torn = false;
    std::atomic<bool> backwards = false;
    const auto read = [&] {
        for (int last = 0; last < kVersions;) {
            const auto pair = cell.load();
            if (pair->left != pair->right) torn = true;
            if (pair->left < last) backwards = true;
            last = pair->left;
        }
    };
    std::thread first(read);
    std::thread second(read);
    for (int version = 1; version <= kVersions; ++version) cell.store(std::make_shared<const Pair>(Pair{version, version}));
    first.join();
    second.join();
    CHECK_FALSE(torn);
    CHECK_FALSE(backwards);
}
