#pragma once

// What lies where in the folder of an audit log. The provable log is the folder itself, so that tools for tlog-tiles find everything
// (https://c2sp.org/tlog-tiles): `checkpoint`, `tile/<L>/<N>`, `tile/entries/<N>`.

#include <string_view>

namespace fluxgate::audit {

inline constexpr std::string_view kCheckpointPath = "checkpoint";
inline constexpr std::string_view kVerifierKeyPath = "log.vkey";        // of the key that signs the checkpoint now
inline constexpr std::string_view kSignerKeyPath = "log.key";           // unless --audit-key names another place
inline constexpr std::string_view kWalDirectory = "wal";                // <first sequence, 20 digits>.wal
inline constexpr std::string_view kCutDirectory = "wal/cut";            // tails that a recovery cut off: <segment>-<offset>.bytes
inline constexpr std::string_view kBlobDirectory = "blobs";             // blobs/<first 2 hex digits>/<64 hex digits>: SHA-256 of the bytes
inline constexpr std::string_view kEpochDirectory = "epochs";           // epochs/<number>/: logs that ended by a loss, whole
inline constexpr std::string_view kEpochReasonName = "reason";          // epochs/<number>/reason: why, as the operator said
inline constexpr std::string_view kMinimumIndexPath = "minimum-index";  // decimal and a line feed; absent: 0. Entries below were pruned

}  // namespace fluxgate::audit
