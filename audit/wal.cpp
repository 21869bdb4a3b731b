#include "audit/wal.hpp"

#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "audit/crc32c.hpp"
#include "audit/durable_file.hpp"
#include "audit/layout.hpp"

namespace fluxgate::audit {

namespace {

constexpr std::string_view kSuffix = ".wal";
constexpr std::string_view kUnnamed = ".new";  // a segment before it is one
constexpr std::size_t kNameDigits = 20;
constexpr std::string_view kWhatToDo =
    "put the segments back from a backup, or end this log, which keeps it as evidence, with `fluxgate audit epoch`";

// Numbers are little-endian. Segment header: text, first sequence, CRC32C of both, zeros.
constexpr std::string_view kSegmentMagic{"fluxgate wal 1\n\0", 16};
constexpr std::size_t kSegmentHeaderBytes = 32;
// More than any we make. What follows the last record is read at once, and a stranger's file may have any size at no cost.
constexpr std::uint64_t kSegmentBytesMax = 256u << 20;

// Frame header: magic, payload length (4), sequence (8), first sequence of the batch (8), CRC32C of the rest of the header and the
// payload (4). No text in UTF-8 holds the first byte, so that no record can hold a frame.
constexpr std::string_view kFrameMagic{"\xff\x57\x41\x4c", 4};
constexpr std::size_t kFrameHeaderBytes = 28;
constexpr std::size_t kFrameCrcAt = 24;

constexpr std::size_t kReadBytes = 256u << 10;
static_assert(kReadBytes >= kFrameHeaderBytes + kWalPayloadBytesMax);

template <class Number>
void put(std::string& bytes, Number number) {
    for (std::size_t i = 0; i < sizeof(Number); ++i) bytes += static_cast<char>((number >> (8 * i)) & 0xffu);
}

template <class Number>
Number get(std::string_view bytes, std::size_t at) {
    Number number = 0;
    for (std::size_t i = 0; i < sizeof(Number); ++i)
        number =
            static_cast<Number>(number | static_cast<Number>(static_cast<Number>(static_cast<unsigned char>(bytes[at + i])) << (8 * i)));
    return number;
}

std::string segment_path(std::uint64_t first) { return fmt::format("{}/{:020}{}", kWalDirectory, first, kSuffix); }

// The first sequence of "00000000000000000042.wal".
std::optional<std::uint64_t> first_of_name(std::string_view name) {
    if (name.size() != kNameDigits + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
    std::uint64_t first = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + kNameDigits, first);
    if (error != std::errc() || end != name.data() + kNameDigits) return std::nullopt;
    return first;
}

std::string segment_header(std::uint64_t first) {
    std::string header(kSegmentMagic);
    put(header, first);
    put(header, crc32c(header));
    header.resize(kSegmentHeaderBytes);
    return header;
}

void append_frame(std::string& bytes, std::uint64_t sequence, std::uint64_t batch, std::string_view payload) {
    const std::size_t begin = bytes.size();
    bytes += kFrameMagic;
    put(bytes, static_cast<std::uint32_t>(payload.size()));
    put(bytes, sequence);
    put(bytes, batch);
    put(bytes, crc32c(std::string_view(bytes).substr(begin), payload));
    bytes += payload;
}

struct Frame {
    std::uint64_t sequence = 0;
    std::uint64_t batch = 0;
    std::string_view payload{};

    std::size_t bytes() const { return kFrameHeaderBytes + payload.size(); }
};

// What stands at the start of `bytes`, its checksum not looked at; nothing if that is no frame.
std::optional<Frame> unchecked_frame(std::string_view bytes) {
    if (bytes.size() < kFrameHeaderBytes || !bytes.starts_with(kFrameMagic)) return std::nullopt;
    const auto length = get<std::uint32_t>(bytes, 4);
    if (length > kWalPayloadBytesMax || bytes.size() < kFrameHeaderBytes + length) return std::nullopt;
    return Frame{get<std::uint64_t>(bytes, 8), get<std::uint64_t>(bytes, 16), bytes.substr(kFrameHeaderBytes, length)};
}

bool is_valid(std::string_view bytes, const Frame& frame) {
    return get<std::uint32_t>(bytes, kFrameCrcAt) == crc32c(bytes.substr(0, kFrameCrcAt), frame.payload);
}

Result<std::string> read_bytes(File& file, std::uint64_t offset, std::size_t bytes_max) {
    std::string bytes(bytes_max, '\0');
    const auto got = file.read_at(offset, bytes);
    if (!got) return tl::unexpected(got.error());
    bytes.resize(*got);
    return bytes;
}

// The frames of one segment, from the start, as far as they are whole and in order.
class SegmentReader {
public:
    // Error contradictory: the header is damaged. It was durable before the segment had its name.
    static Result<SegmentReader> open(Disk& disk, std::uint64_t first, Disk::Access access) {
        auto file = disk.open(segment_path(first), access);
        if (!file) return tl::unexpected(file.error());
        const auto bytes = (*file)->size();
        if (!bytes) return tl::unexpected(bytes.error());
        if (*bytes > kSegmentBytesMax)
            return fail(Errc::contradictory, fmt::format("{} bytes are more than a segment can have", *bytes), segment_path(first));
        const auto header = read_bytes(**file, 0, kSegmentHeaderBytes);
        if (!header) return tl::unexpected(header.error());
        if (*header != segment_header(first))
            return fail(Errc::contradictory, fmt::format("the header of this segment is damaged: {}", kWhatToDo), segment_path(first));
        return SegmentReader(std::move(*file), *bytes, first);
    }

    // The next frame; nothing: here the whole ones end. The checksums of frames before `checked_from` are taken for right. The view
    // lasts until the next call.
    Result<std::optional<Frame>> next(std::uint64_t checked_from = 0) {
        auto frame = unchecked_frame(window());
        if (!frame) {
            if (auto filled = fill(); !filled) return tl::unexpected(filled.error());
            frame = unchecked_frame(window());
        }
        if (!frame || frame->sequence != next_sequence_ || (frame->batch != next_sequence_ && frame->batch != batch_)) return std::nullopt;
        if (next_sequence_ >= checked_from && !is_valid(window(), *frame)) return std::nullopt;
        if (frame->batch != batch_) {
            batch_ = frame->batch;
            batch_begin_ = offset();
        }
        ++next_sequence_;
        done_ += frame->bytes();
        return frame;
    }

    std::uint64_t next_sequence() const { return next_sequence_; }
    std::uint64_t offset() const { return filled_from_ + done_; }  // where the next frame would be
    std::uint64_t batch_begin() const { return batch_begin_; }     // where the last batch begins; behind the header if there is none
    std::uint64_t bytes() const { return bytes_; }                 // of the file
    File& file() { return *file_; }
    std::unique_ptr<File> take_file() { return std::move(file_); }

private:
    SegmentReader(std::unique_ptr<File> file, std::uint64_t bytes, std::uint64_t first)
        : file_(std::move(file)), bytes_(bytes), next_sequence_(first) {}

    std::string_view window() const { return std::string_view(buffer_).substr(done_); }

    Result<void> fill() {
        const std::uint64_t from = offset();
        auto bytes =
            read_bytes(*file_, from, static_cast<std::size_t>(std::min<std::uint64_t>(kReadBytes, bytes_ - std::min(bytes_, from))));
        if (!bytes) return tl::unexpected(bytes.error());
        buffer_ = std::move(*bytes);
        filled_from_ = from;
        done_ = 0;
        return {};
    }

    std::unique_ptr<File> file_;
    std::uint64_t bytes_;
    std::uint64_t next_sequence_;
    std::uint64_t batch_ = 0;
    std::uint64_t batch_begin_ = kSegmentHeaderBytes;
    std::string buffer_;
    std::uint64_t filled_from_ = kSegmentHeaderBytes;
    std::size_t done_ = 0;
};

// The last sequence of the frames in `tail` that were written after all of the batch of `damaged` had been synced.
std::optional<std::uint64_t> last_of_later_batches(std::string_view tail, std::uint64_t damaged) {
    std::optional<std::uint64_t> last;
    for (std::size_t at = tail.find(kFrameMagic); at != std::string_view::npos; at = tail.find(kFrameMagic, at + 1)) {
        const auto frame = unchecked_frame(tail.substr(at));
        if (frame && frame->batch > damaged && is_valid(tail.substr(at), *frame)) last = std::max(last.value_or(0), frame->sequence);
    }
    return last;
}

Result<std::uint64_t> bytes_below(Disk& disk, const std::string& path) {
    const auto entries = disk.list(path);
    if (!entries) return tl::unexpected(entries.error());
    std::uint64_t bytes = 0;
    for (const DirectoryEntry& entry : *entries) {
        bytes += entry.bytes;
        if (!entry.is_directory) continue;
        const auto below = bytes_below(disk, path.empty() ? entry.name : path + "/" + entry.name);
        if (!below) return below;
        bytes += *below;
    }
    return bytes;
}

tl::unexpected<Error> hole(std::uint64_t first, std::uint64_t last, std::uint64_t covered) {
    return fail(Errc::contradictory,
                fmt::format("records {} to {} are missing, and the provable log ends at {}: {}", first, last, covered, kWhatToDo),
                std::string(kWalDirectory));
}

}  // namespace

// --- opening ----------------------------------------------------------------------------------------------------------
Result<std::unique_ptr<Wal>> Wal::open(Disk& disk, Options options) {
    std::unique_ptr<Wal> wal(new Wal(disk, options));
    if (auto recovered = wal->recover(); !recovered) return tl::unexpected(recovered.error());
    return wal;
}

Result<void> Wal::recover() {
    // Names that an earlier process made may be in the cache only.
    if (auto made = make_directories_durably(disk_, std::string(kWalDirectory)); !made) return made;
    if (auto found = find_segments(); !found) return found;
    if (auto synced = disk_.sync_directory(std::string(kWalDirectory)); !synced) return synced;
    if (!segments_.empty()) {
        if (auto recovered = recover_last_segment(); !recovered) return recovered;
    }
    if (next_sequence_ <= covered_) {
        next_sequence_ = covered_ + 1;
        file_.reset();
    }
    recovered_.next_sequence = next_sequence_;
    if (options_.disk_bytes_max > 0) {
        const auto bytes = bytes_below(disk_, "");
        if (!bytes) return tl::unexpected(bytes.error());
        other_bytes_ = static_cast<std::int64_t>(*bytes);
        for (const Segment& segment : segments_) other_bytes_ -= static_cast<std::int64_t>(segment.bytes);
    }
    // A full or broken disk should be met at the start, where the owner can serve without a log, not with the first record.
    if (fits(payload_bytes_max() / 2)) return {};
    auto room = make_room(options_.segment_bytes);
    if (!room) return room.error().code == Errc::too_large ? Result<void>() : room;
    return start_segment();
}

// The segments by name, without holes but covered ones, and sound as far as they are needed but for the last.
Result<void> Wal::find_segments() {
    const auto entries = disk_.list(std::string(kWalDirectory));
    if (!entries) return tl::unexpected(entries.error());
    for (const DirectoryEntry& entry : *entries) {
        if (entry.is_directory) continue;
        if (const auto first = first_of_name(entry.name)) {
            segments_.push_back({*first, entry.bytes});
        } else if (entry.name.ends_with(kUnnamed)) {
            if (auto removed = disk_.remove(std::string(kWalDirectory) + "/" + entry.name); !removed) return removed;
        }
    }
    std::uint64_t expected = 1;
    for (std::size_t i = 0; i < segments_.size(); ++i) {
        const std::uint64_t first = segments_[i].first;
        if (first > expected && first - 1 > covered_) return hole(expected, first - 1, covered_);
        expected = first;
        const bool last = i + 1 == segments_.size();
        if (last || segments_[i + 1].first - 1 <= covered_) continue;
        auto reader = SegmentReader::open(disk_, first, Disk::Access::read);
        if (!reader) return tl::unexpected(reader.error());
        for (;;) {
            const auto frame = reader->next();
            if (!frame) return tl::unexpected(frame.error());
            if (!*frame) break;
        }
        expected = reader->next_sequence();
        if (expected != segments_[i + 1].first)
            return fail(
                Errc::contradictory,
                fmt::format("record {} of this segment is damaged or missing, and it is not under a checkpoint: {}", expected, kWhatToDo),
                fmt::format("{}, offset {}", segment_path(first), reader->offset()));
    }
    return {};
}

Result<void> Wal::recover_last_segment() {
    const std::uint64_t first = segments_.back().first;
    auto reader = SegmentReader::open(disk_, first, Disk::Access::write);
    if (!reader) return tl::unexpected(reader.error());
    for (;;) {
        const auto frame = reader->next();
        if (!frame) return tl::unexpected(frame.error());
        if (!*frame) break;
    }
    next_sequence_ = reader->next_sequence();
    write_at_ = reader->offset();
    auto tail = read_bytes(reader->file(), write_at_, static_cast<std::size_t>(reader->bytes() - std::min(reader->bytes(), write_at_)));
    if (!tail) return tl::unexpected(tail.error());
    tail->resize(tail->find_last_not_of('\0') + 1);
    const auto acknowledged = last_of_later_batches(*tail, next_sequence_);
    if (acknowledged && *acknowledged > covered_)
        return fail(Errc::contradictory,
                    fmt::format("record {} is damaged although records up to {} were written after it: {}", next_sequence_, *acknowledged,
                                kWhatToDo),
                    fmt::format("{}, offset {}", segment_path(first), write_at_));
    if (!tail->empty()) {
        if (auto cut = cut_off(reader->file(), *tail); !cut) return cut;
    }
    const std::uint64_t batch_begin = reader->batch_begin();
    return go_on_in(reader->take_file(), batch_begin);
}

// Makes durable what is there, whatever happened to the process that wrote it, and takes the segment's room again.
Result<void> Wal::go_on_in(std::unique_ptr<File> file, std::uint64_t batch_begin) {
    const auto batch = read_bytes(*file, batch_begin, static_cast<std::size_t>(write_at_ - batch_begin));
    if (!batch) return tl::unexpected(batch.error());
    Segment& segment = segments_.back();
    segment.bytes = std::max(segment.bytes, options_.segment_bytes);
    if (auto allocated = file->allocate(segment.bytes); !allocated) return allocated;
    if (!batch->empty()) {
        if (auto written = file->write_at(batch_begin, *batch); !written) return written;
    }
    if (auto synced = file->sync(); !synced) return synced;
    file_ = std::move(file);
    return {};
}

// The bytes first, then the cut: killed between, the next start does both again.
Result<void> Wal::cut_off(File& file, std::string_view tail) {
    const std::string stem = fmt::format("{}/{:020}-{}", kCutDirectory, segments_.back().first, write_at_);
    std::string path = stem + ".bytes";
    for (int attempt = 2;; ++attempt) {
        auto created = create_durably(disk_, path, tail);
        if (created) break;
        // Another crash at this place left another tail.
        if (created.error().code != Errc::contradictory) return created;
        path = fmt::format("{}-{}.bytes", stem, attempt);
    }
    recovered_.cut = path;
    recovered_.cut_bytes = tail.size();
    return file.truncate(write_at_);
}

// --- writing ----------------------------------------------------------------------------------------------------------
std::uint64_t Wal::frame_bytes(std::size_t payload_bytes) { return kFrameHeaderBytes + payload_bytes; }

std::uint64_t Wal::payload_bytes_max() const {
    return std::min<std::uint64_t>(kWalPayloadBytesMax, options_.segment_bytes - kSegmentHeaderBytes - kFrameHeaderBytes);
}

std::uint64_t Wal::held_bytes() const {
    std::int64_t bytes = other_bytes_;
    for (const Segment& segment : segments_) bytes += static_cast<std::int64_t>(segment.bytes);
    return static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 0));
}

std::uint64_t Wal::segments_needed(std::span<const std::string_view> payloads) const {
    std::uint64_t segments = 0;
    std::uint64_t room = file_ ? segments_.back().bytes - std::min(segments_.back().bytes, write_at_) : 0;
    for (const std::string_view payload : payloads) {
        if (frame_bytes(payload.size()) > room) {
            ++segments;
            room = options_.segment_bytes - kSegmentHeaderBytes;
        }
        room -= std::min(room, frame_bytes(payload.size()));
    }
    return segments;
}

// Room for that many more bytes within the budget.
Result<void> Wal::make_room(std::uint64_t bytes) {
    if (options_.disk_bytes_max == 0 || bytes == 0) return {};
    bool removed_any = false;
    while (held_bytes() + bytes > options_.disk_bytes_max) {
        // The second one says where the first one ends.
        if (segments_.size() < 2 || segments_[1].first - 1 > covered_) break;
        if (auto removed = disk_.remove(segment_path(segments_.front().first)); !removed) return removed;
        segments_.erase(segments_.begin());
        removed_any = true;
    }
    if (removed_any) {
        if (auto synced = disk_.sync_directory(std::string(kWalDirectory)); !synced) return synced;
    }
    const std::uint64_t held = held_bytes();
    if (held + bytes <= options_.disk_bytes_max) return {};
    const std::uint64_t in_segments = segments_.size() * options_.segment_bytes;
    return fail(
        Errc::too_large,
        fmt::format("the folder may hold {} bytes and holds {}, about {} of them in records that no signed checkpoint covers yet or that "
                    "share a file with such: give it more room, or see why no checkpoint is published",
                    options_.disk_bytes_max, held, std::min(held, in_segments)),
        std::string(kWalDirectory));
}

Result<void> Wal::start_segment() {
    const std::string path = segment_path(next_sequence_);
    const std::string unnamed = path + std::string(kUnnamed);
    auto file = disk_.create(unnamed);
    if (!file) return tl::unexpected(file.error());
    if (auto allocated = (*file)->allocate(options_.segment_bytes); !allocated) return allocated;
    if (auto written = (*file)->write_at(0, segment_header(next_sequence_)); !written) return written;
    if (auto synced = (*file)->sync(); !synced) return synced;
    if (auto named = disk_.rename(unnamed, path); !named) return named;
    if (auto synced = disk_.sync_directory(std::string(kWalDirectory)); !synced) return synced;
    file_ = std::move(*file);
    segments_.push_back({next_sequence_, options_.segment_bytes});
    write_at_ = kSegmentHeaderBytes;
    return {};
}

// After an error of any kind but a lack of room nothing is done any more.
template <class Work>
Result<void> Wal::unless_broken(Work work) {
    if (broken_) return fail(Errc::io, "the write-ahead log broke; it goes on after a restart", std::string(kWalDirectory));
    broken_ = true;  // also if it throws
    auto done = work();
    broken_ = !done && done.error().code != Errc::too_large;
    return done;
}

Result<void> Wal::append(std::span<const std::string_view> payloads) {
    for (const std::string_view payload : payloads) {
        if (payload.size() > payload_bytes_max())
            return fail(Errc::invalid_argument,
                        fmt::format("a record has at most {} bytes, this one {}", payload_bytes_max(), payload.size()));
    }
    return unless_broken([&]() -> Result<void> {
        if (auto room = make_room(segments_needed(payloads) * options_.segment_bytes); !room) return room;
        return write(payloads);
    });
}

Result<void> Wal::make_room_for(std::uint64_t other_bytes) {
    return unless_broken([&] { return make_room((fits(payload_bytes_max()) ? 0 : options_.segment_bytes) + other_bytes); });
}

// As many as the segment takes at once, each such part as a batch of its own.
Result<void> Wal::write(std::span<const std::string_view> payloads) {
    while (!payloads.empty()) {
        if (!fits(payloads.front().size())) {
            if (auto started = start_segment(); !started) return started;
        }
        batch_.clear();
        std::size_t count = 0;
        for (; count < payloads.size(); ++count) {
            if (write_at_ + batch_.size() + frame_bytes(payloads[count].size()) > segments_.back().bytes) break;
            append_frame(batch_, next_sequence_ + count, next_sequence_, payloads[count]);
        }
        if (auto written = file_->write_at(write_at_, batch_); !written) return written;
        if (auto synced = file_->sync(); !synced) return synced;
        write_at_ += batch_.size();
        next_sequence_ += count;
        payloads = payloads.subspan(count);
    }
    return {};
}

// --- reading ----------------------------------------------------------------------------------------------------------
Result<std::vector<std::uint64_t>> list_segments(Disk& disk) {
    const auto entries = disk.list(std::string(kWalDirectory));
    if (!entries) return tl::unexpected(entries.error());
    std::vector<std::uint64_t> firsts;
    for (const DirectoryEntry& entry : *entries) {
        const auto first = entry.is_directory ? std::nullopt : first_of_name(entry.name);
        if (first) firsts.push_back(*first);
    }
    return firsts;
}

Result<void> read_wal(Disk& disk, std::uint64_t sequence, const UseFrame& use) {
    const auto firsts = list_segments(disk);
    if (!firsts) return tl::unexpected(firsts.error());
    std::uint64_t wanted = std::max<std::uint64_t>(sequence, 1);
    for (std::size_t i = 0; i < firsts->size(); ++i) {
        if (i + 1 < firsts->size() && (*firsts)[i + 1] <= wanted) continue;
        auto reader = SegmentReader::open(disk, (*firsts)[i], Disk::Access::read);
        if (!reader) {
            const auto there = disk.exists(segment_path((*firsts)[i]));
            if (!there || *there) return tl::unexpected(reader.error());
            continue;
        }
        if ((*firsts)[i] > wanted)
            return fail(Errc::contradictory, fmt::format("record {} is not there any more, but record {} is", wanted, (*firsts)[i]),
                        std::string(kWalDirectory));
        for (;;) {
            const auto frame = reader->next(wanted);
            if (!frame) return tl::unexpected(frame.error());
            if (!*frame) break;
            if ((*frame)->sequence < wanted) continue;
            if (auto used = use((*frame)->sequence, (*frame)->payload); !used) return used;
            wanted = (*frame)->sequence + 1;
        }
    }
    return {};
}

Result<WalTail> inspect_wal_tail(Disk& disk, std::uint64_t first) {
    auto reader = SegmentReader::open(disk, first, Disk::Access::read);
    if (!reader) return tl::unexpected(reader.error());
    for (;;) {
        const auto frame = reader->next();
        if (!frame) return tl::unexpected(frame.error());
        if (!*frame) break;
    }
    const std::uint64_t offset = reader->offset();
    auto tail = read_bytes(reader->file(), offset, static_cast<std::size_t>(reader->bytes() - std::min(reader->bytes(), offset)));
    if (!tail) return tl::unexpected(tail.error());
    tail->resize(tail->find_last_not_of('\0') + 1);
    return WalTail{segment_path(first), offset, tail->size(), last_of_later_batches(*tail, reader->next_sequence())};
}

}  // namespace fluxgate::audit
