#pragma once

// Everything that can grow has a bound here, with the reason beside it. A value: pass it where it is needed.

#include <chrono>
#include <cstddef>

namespace fluxgate {

struct Limits {
    // --- one review -------------------------------------------------------------------------------------------------
    // An API request is at most 3 MiB, a review holds the object twice, and JSON escaping multiplies (a 900 kB ConfigMap
    // full of '<' becomes a 10.8 MB review). A false refusal of a Flux write costs more than memory.
    std::size_t body_bytes_max = 16u << 20;
    // Real objects nest below 64; CRD schemas come near 100.
    std::size_t json_depth_max = 256;
    // 16 MiB of `[[],[],…]` would be 5 million nodes; real reviews stay below 200,000.
    std::size_t json_nodes_max = 1'000'000;
    // FieldsV1 nests as deep as the object it describes.
    std::size_t field_set_depth_max = 256;

    // --- the server -------------------------------------------------------------------------------------------------
    // All bodies in flight together; what does not fit is answered 503 at once.
    std::size_t bodies_in_flight_bytes_max = 256u << 20;
    std::size_t header_bytes_max = 16u << 10;
    // kube-apiserver keeps 25 idle connections per replica; 10,000 stalled strangers must not keep it out.
    std::size_t connections_max = 16'384;
    std::chrono::milliseconds handshake_timeout{10'000};  // the API server's own
    std::chrono::milliseconds header_timeout{10'000};     // from the first byte of a request to the end of its header
    std::chrono::milliseconds body_timeout{20'000};
    std::chrono::milliseconds write_timeout{20'000};
    std::chrono::milliseconds idle_timeout{150'000};  // must exceed the API server's 90 s, so that it closes first
    // An answer is sent this long before the caller's `?timeout=` runs out.
    std::chrono::milliseconds deadline_margin{100};
    std::chrono::milliseconds deadline_default{10'000};  // Kubernetes' default timeoutSeconds
    std::chrono::milliseconds deadline_max{30'000};      // Kubernetes' maximum

    // --- policy files -----------------------------------------------------------------------------------------------
    std::size_t policy_file_bytes_max = 1u << 20;  // a ConfigMap holds at most 1 MiB
    std::size_t policy_files_max = 1'000;
    std::size_t policy_set_bytes_max = 16u << 20;  // all files together: what a replica may hold while it compiles
    std::size_t policy_documents_max = 10'000;
    std::size_t yaml_depth_max = 64;
    std::size_t yaml_nodes_max = 200'000;
    std::size_t policy_errors_max = 200;  // per load; more would only scroll the first away

    // --- manifests of a check ---------------------------------------------------------------------------------------
    // One document; `kubectl get -A -o yaml` of a large cluster is one List.
    std::size_t manifest_bytes_max = 128u << 20;
    std::size_t manifest_nodes_max = 8'000'000;  // of one document as written: about 300 MB while it is read

    // --- what is known of the cluster ---------------------------------------------------------------------------------
    // Of each collection that is watched, what is kept of it: etcd suffers before a cluster has that many, and 64 MiB are 100,000
    // owners. More is not kept silently: the view is then not fresh.
    std::size_t snapshot_entries_max = 100'000;
    std::size_t snapshot_bytes_max = 64u << 20;

    // --- answers and records ----------------------------------------------------------------------------------------
    std::size_t message_bytes_max = 1'000;
    std::size_t warning_chars_max = 120;  // Kubernetes' advice; cut to 256 by the API server under pressure
    std::size_t warnings_max = 20;
    std::size_t violations_max = 1'000;        // per review; a pod has at most a few hundred containers
    std::size_t record_bytes_max = 48u << 10;  // below the 65,535 bytes of a tlog-tiles entry
    std::size_t record_queue_max = 4'096;      // waiting for the disk; beyond that appends fail at once
};

}  // namespace fluxgate
