#include "audit/report.hpp"

namespace fluxgate::audit {

const std::vector<Control>& known_controls() {
    static const std::vector<Control> controls{
        {"PCI DSS 4.0.1",
         "6.5.1",
         "changes have a reason, an approval by those authorised, and a way back to a secure state",
         {1, 2, 3, 5, 10}},
        {"PCI DSS 4.0.1", "10.2.1.2", "actions with administrative access are logged", {1, 5, 6, 10}},
        {"PCI DSS 4.0.1", "10.2.1.4", "invalid attempts at access are logged", {1, 2, 6}},
        {"PCI DSS 4.0.1", "10.2.1.6", "starts, stops and pauses of the audit log are logged", {7, 12}},
        {"PCI DSS 4.0.1", "10.2.1.7", "creation and deletion of system objects is logged", {1, 10}},
        {"PCI DSS 4.0.1", "10.2.2", "an entry names user, kind of event, time, outcome, origin and object", {1, 14, 15}},
        {"PCI DSS 4.0.1", "10.3.1", "only those who need to can read the log", {18}},
        {"PCI DSS 4.0.1", "10.3.2", "the log is protected from change", {13, 14}},
        {"PCI DSS 4.0.1", "10.3.3", "the log is promptly kept where it is hard to change", {13}},
        {"PCI DSS 4.0.1", "10.3.4", "a change of the log is detected", {12, 13, 14}},
        {"PCI DSS 4.0.1", "10.5.1", "the log is kept for 12 months, three of them at hand", {17}},
        {"PCI DSS 4.0.1", "10.6", "clocks are synchronised", {16}},
        {"PCI DSS 4.0.1", "10.7.2, 10.7.3", "failures of critical controls are detected and answered", {7, 9, 12}},
        {"SOC 2", "CC8.1", "changes are authorised, tested, approved and documented", {1, 2, 5, 8, 10, 15}},
        {"ISO/IEC 27001:2022", "A.8.32", "changes follow change management", {1, 2, 5, 10}},
        {"NIST SP 800-53", "CM-3", "changes are controlled and documented", {1, 5, 10, 15}},
        {"NIST SP 800-53", "CM-5, CM-5(1)", "access for change is restricted, enforced automatically, and recorded", {1, 2, 6, 7, 8, 11}},
        {"NIST SP 800-53", "AU-5", "failures of the audit log are answered", {7, 12}},
        {"NIST SP 800-53", "AU-9(2), AU-9(3)", "the log is kept elsewhere, and protected by cryptography", {13, 14}},
        {"NIST SP 800-53", "AU-10", "who acted cannot deny it", {1, 13, 14}},
        {"NIST SP 800-53", "AU-11, AU-12", "records are made, and kept long enough", {12, 17}},
    };
    return controls;
}

}  // namespace fluxgate::audit
