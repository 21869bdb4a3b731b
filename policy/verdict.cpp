#include "policy/verdict.hpp"

namespace fluxgate::policy {

std::string_view to_string(Action action) {
    switch (action) {
        case Action::deny: return "Deny";
        case Action::warn: return "Warn";
        case Action::audit: return "Audit";
    }
    return "?";
}

std::string to_string(const Violation& violation) {
    const std::string path = violation.path == "." ? "" : " " + violation.path;  // the whole object has no path worth a word
    return violation.policy + "/" + violation.rule + path + ": have " + violation.have + ", want " + violation.want;
}

std::string_view to_string(Assurance assurance) {
    switch (assurance) {
        case Assurance::none: return "none";
        case Assurance::impersonated: return "impersonated";
        case Assurance::token: return "token";
        case Assurance::pod_bound: return "pod-bound";
        case Assurance::certificate: return "certificate";
    }
    return "?";
}

std::string_view to_string(WriteClass write_class) {
    switch (write_class) {
        case WriteClass::unguarded: return "unguarded";
        case WriteClass::routine: return "routine";
        case WriteClass::exceptional: return "exceptional";
    }
    return "?";
}

Verdict Verdict::undecided(Error error) {
    Verdict verdict;
    verdict.allowed = false;
    verdict.error = std::move(error);
    return verdict;
}

}  // namespace fluxgate::policy
