"""Reads an audit folder as its documentation says and trusts nothing of ours: entry bundles and checkpoint
(https://c2sp.org/tlog-tiles), then the frames of the write-ahead log. Standard library only.

Checked on the way: every frame's CRC32C, the hash of the tree over all entries against the checkpoint (RFC 6962; its signature is for
`fluxgate audit verify` and the stock tools), that each text is canonical, and that the sequence has no hole.

    python3 tests/process/audit_log.py DIR      one record a line
"""

import base64
import hashlib
import json
import struct
import sys
from pathlib import Path

BUNDLE = 256
SEGMENT_MAGIC = b"fluxgate wal 1\n\0"
SEGMENT_HEADER = 32
FRAME_MAGIC = b"\xff\x57\x41\x4c"
FRAME_HEADER = struct.Struct("<4sIQQI")  # magic, length, sequence, first sequence of the batch, CRC32C


def crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC32C = crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC32C[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def bundle_path(number, width):
    parts = [f"{number % 1000:03}"]
    while number >= 1000:
        number //= 1000
        parts.insert(0, f"x{number % 1000:03}")
    return Path("tile/entries", *parts) if width == BUNDLE else Path("tile/entries", *parts[:-1], parts[-1] + ".p", str(width))


def entries_of_bundle(data, width, where):
    entries = []
    while data and len(entries) < width:
        length = int.from_bytes(data[:2], "big")
        assert len(data) >= 2 + length, f"{where}: entry {len(entries)} is cut"
        entries.append(data[2:2 + length])
        data = data[2 + length:]
    assert len(entries) == width, f"{where}: {len(entries)} entries, expected {width}"
    return entries


def tree_root(entries):
    """MTH of RFC 6962, with the hashes of the subtrees that are whole so far."""
    subtrees = []  # (height, hash), from left to right
    for entry in entries:
        node, height = hashlib.sha256(b"\0" + entry).digest(), 0
        while subtrees and subtrees[-1][0] == height:
            node, height = hashlib.sha256(b"\1" + subtrees.pop()[1] + node).digest(), height + 1
        subtrees.append((height, node))
    if not subtrees:
        return hashlib.sha256(b"").digest()
    node = subtrees.pop()[1]
    while subtrees:
        node = hashlib.sha256(b"\1" + subtrees.pop()[1] + node).digest()
    return node


def published(folder):
    """The entries under the checkpoint."""
    checkpoint = folder / "checkpoint"
    if not checkpoint.exists():
        return []
    _, size, root = checkpoint.read_text().split("\n\n")[0].split("\n")[:3]
    assert not (folder / "minimum-index").exists(), "a log that was pruned cannot be read from its beginning"
    entries = []
    for number in range((int(size) + BUNDLE - 1) // BUNDLE):
        width = min(BUNDLE, int(size) - number * BUNDLE)
        path, full = folder / bundle_path(number, width), folder / bundle_path(number, BUNDLE)
        # A partial bundle goes once the full one is there.
        data = path.read_bytes() if path.exists() else full.read_bytes()
        entries += entries_of_bundle(data, BUNDLE if not path.exists() else width, path)[:width]
    assert tree_root(entries) == base64.b64decode(root), "the entries are not those of the checkpoint"
    return entries


def frames(path):
    """(sequence, payload) of the whole frames from the start of a segment on."""
    data = path.read_bytes()
    first = int(path.stem)
    header = SEGMENT_MAGIC + struct.pack("<Q", first)
    assert data[:SEGMENT_HEADER] == (header + struct.pack("<I", crc32c(header))).ljust(SEGMENT_HEADER, b"\0"), f"{path}: header"
    at, sequence = SEGMENT_HEADER, first
    while len(data) - at >= FRAME_HEADER.size:
        magic, length, number, batch, crc = FRAME_HEADER.unpack_from(data, at)
        payload = data[at + FRAME_HEADER.size:at + FRAME_HEADER.size + length]
        if magic != FRAME_MAGIC or number != sequence or batch > number or len(payload) < length:
            return
        if crc32c(data[at:at + FRAME_HEADER.size - 4] + payload) != crc:
            return
        yield number, payload
        at, sequence = at + FRAME_HEADER.size + length, sequence + 1


def written(folder):
    """{sequence: payload} of the write-ahead log. A server that publishes may remove a segment meanwhile."""
    found = {}
    for path in sorted((folder / "wal").glob("*.wal")):
        try:
            found.update(frames(path))
        except FileNotFoundError:
            continue
    return found


def record_of(text, where):
    record = json.loads(text)
    assert text == canonical(record).encode(), f"{where}: not canonical"
    assert record["data"]["schema"] == "fluxgate.dev/record/v2", where
    assert record["specversion"] == "1.0" and record["id"] and record["type"].startswith("dev.fluxgate."), where
    return record


def records(folder):
    """All records of one replica's folder, in order, as CloudEvents."""
    folder = Path(folder)
    # Taken first: what is published in between is then in both.
    in_wal = written(folder)
    found = []
    for index, text in enumerate(published(folder)):
        found.append(record_of(text, f"index {index}"))
        sequence = found[-1]["data"]["sequence"]
        assert sequence not in in_wal or in_wal[sequence] == text, f"index {index} and sequence {sequence} say different things"
    last = found[-1]["data"]["sequence"] if found else 0
    for sequence in sorted(number for number in in_wal if number > last):
        found.append(record_of(in_wal[sequence], f"sequence {sequence}"))
        assert found[-1]["data"]["sequence"] == sequence, f"sequence {sequence}: the text says {found[-1]['data']['sequence']}"
    for number, record in enumerate(found, 1):
        assert record["data"]["sequence"] == number, f"{record['data']['sequence']} follows {number - 1}"
    return found


def reviews(folder):
    """The records of requests; without what happened to Fluxgate itself."""
    return [record for record in records(folder) if "event" not in record["data"]]


def events(folder, *kinds):
    """The records of what happened to Fluxgate itself, of these kinds."""
    return [record for record in records(folder) if record["data"].get("event") in kinds]


def canonical(record):
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def envelope(identity, kind, time, subject, data):
    return canonical({"data": {"replica": "r", "schema": "fluxgate.dev/record/v2", **data}, "datacontenttype": "application/json",
                      "id": identity, "source": "fluxgate/r", "specversion": "1.0", "subject": subject, "time": time, "type": f"dev.fluxgate.{kind}"})


def event(kind, sequence):
    """The text of the record of something that happened to Fluxgate."""
    return envelope(f"{kind}-1", f"event.{kind}", "2026-11-21T09:27:38.774793Z", kind, {"event": kind, "sequence": sequence})


def denial(identity, sequence, time, user, namespace, name):
    """The text of the record of an update of a Deployment that was denied."""
    request = {"group": "apps", "kind": "Deployment", "name": name, "namespace": namespace, "operation": "UPDATE",
               "resource": "deployments", "version": "v1"}
    return envelope(identity, "review.denied", time, f"{namespace}/deployments.apps/{name}",
                    {"class": "exceptional", "decision": "denied", "request": request, "sequence": sequence,
                     "user": {"assurance": "certificate", "username": user}})


def write(folder, texts):
    """A write-ahead log of these texts, from sequence 1, each a batch of its own."""
    header = SEGMENT_MAGIC + struct.pack("<Q", 1)
    data = (header + struct.pack("<I", crc32c(header))).ljust(SEGMENT_HEADER, b"\0")
    for sequence, text in enumerate(texts, 1):
        payload = text.encode()
        frame = FRAME_HEADER.pack(FRAME_MAGIC, len(payload), sequence, sequence, 0)[:-4]
        data += frame + struct.pack("<I", crc32c(frame + payload)) + payload
    (Path(folder) / "wal").mkdir(exist_ok=True)
    (Path(folder) / "wal" / f"{1:020}.wal").write_bytes(data + bytes(4096))


if __name__ == "__main__":
    for one in records(sys.argv[1]):
        print(json.dumps(one, ensure_ascii=False))
