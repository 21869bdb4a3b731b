#include "audit/report.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "audit/report_facts.hpp"
#include "base/grouped.hpp"

namespace fluxgate::audit {

namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

std::string counted(std::uint64_t count, std::string_view one, std::string_view many) {
    return fmt::format("{} {}", grouped(count), count == 1 ? one : many);
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
    if (whole == 0) return "–";
    // Rounded towards the worse: 100 % is said only of all of it.
    const std::uint64_t tenths = part == whole ? 1000 : std::min<std::uint64_t>(999, part * 1000 / whole);
    return fmt::format("{}.{} %", tenths / 10, tenths % 10);
}

std::string percent(microseconds part, microseconds whole) {
    return percent(static_cast<std::uint64_t>(part.count()), static_cast<std::uint64_t>(whole.count()));
}

std::string short_digest(const std::string& digest) { return digest.size() > 19 ? digest.substr(0, 19) + "…" : digest; }

std::string or_dash(const std::string& text) { return text.empty() ? "–" : text; }

std::string joined(const std::set<std::string>& texts, std::size_t most) {
    std::string all;
    std::size_t shown = 0;
    for (const std::string& text : texts) {
        if (shown++ == most) return all + fmt::format(" +{}", texts.size() - most);
        all += (all.empty() ? "" : ", ") + text;
    }
    return all;
}

Column text(std::string name) { return {std::move(name), false}; }
Column number(std::string name) { return {std::move(name), true}; }

class Writer {
public:
    Writer(const ReportFacts& facts, const ReportOptions& options) : facts_(facts), options_(options) {
        const microseconds accountable = facts.accountable.to - facts.accountable.from;
        served_ = total(facts.served);
        accountable_ = accountable;
        for (const TimeSpan& hole : holes(facts.served, facts.accountable)) {
            if (hole.to - hole.from > options.silence_max) silences_.push_back(hole);
        }
    }

    Report report() {
        Report report{.from = options_.from, .to = options_.to, .made = options_.now, .basis = options_.basis, .records = facts_.records};
        report.clusters.assign(facts_.clusters.begin(), facts_.clusters.end());
        report.headline = headline();
        report.figures = summary();
        report.attention = attention();
        report.answers = {who_tried(),    was_stopped(), corrected(),    still_open(), break_glass(), offenders(),
                          not_enforced(), exempt(),      failed_open(),  provenance(), coverage(),    complete(),
                          unaltered(),    provable(),    which_policy(), clock(),      retention(),   readers()};
        for (unsigned i = 0; i < report.answers.size(); ++i) report.answers[i].number = i + 1;
        report.controls = known_controls();
        if (facts_.tags.keys() > 0) report.tags.push_back(tags());
        return report;
    }

private:
    // --- tables and texts that several answers share ------------------------------------------------------------------
    std::string command(std::string_view flags) const {
        return fmt::format("fluxgate audit query --audit {} --from {} --to {}{}{}", options_.folder, format_rfc3339(options_.from),
                           format_rfc3339(options_.to), flags.empty() ? "" : " ", flags);
    }

    // Of a tally: key columns, denied, let through, first, last, records.
    struct Shown {
        std::string title{};
        std::vector<std::string> keys{};
        std::string flags{};  // of the query that lists all
        bool denied = true;
        bool allowed = true;
        std::string allowed_name = "let through";
    };
    Table table_of(const Tally& tally, const Shown& shown) const {
        Table table{.title = shown.title};
        for (const std::string& key : shown.keys) table.columns.push_back(text(key));
        if (shown.denied) table.columns.push_back(number("denied"));
        if (shown.allowed) table.columns.push_back(number(shown.allowed_name));
        for (const char* name : {"first", "last", "records"}) table.columns.push_back(text(name));
        for (const auto& [key, row] : tally.top(options_.rows_max)) {
            std::vector<std::string> cells;
            for (std::size_t i = 0; i < shown.keys.size(); ++i) cells.push_back(or_dash(i < key.size() ? key[i] : ""));
            if (shown.denied) cells.push_back(grouped(row.denied) + (row.uncertain > 0 ? " or more" : ""));
            if (shown.allowed) cells.push_back(grouped(row.allowed) + (row.uncertain > 0 ? " or more" : ""));
            cells.push_back(spoken(row.first));
            cells.push_back(spoken(row.last));
            cells.push_back(spoken(row.citations, 3));
            table.rows.push_back(std::move(cells));
        }
        table.more = tally.left_out(options_.rows_max);
        if (table.more > 0) table.command = command(shown.flags);
        if (!tally.exact())
            table.note =
                "There were more different values than are counted exactly: the most frequent are shown, the rarest were left out.";
        return table;
    }

    Table table_of(const Capped<HappenedEvent>& events, std::string title, std::string_view flags) const {
        Table table{.title = std::move(title),
                    .columns = {text("time"), text("event"), text("replica"), text("what"), text("policy set"), text("record")}};
        const std::size_t shown = std::min(events.rows.size(), 2 * options_.rows_max);
        for (std::size_t i = 0; i < shown; ++i) {
            const HappenedEvent& event = events.rows[i];
            table.rows.push_back({spoken(event.time), event.event, or_dash(event.replica), or_dash(event.says),
                                  or_dash(short_digest(event.policy_set)), event.record});
        }
        table.more = events.count() - shown;
        if (table.more > 0) table.command = command(flags);
        return table;
    }

    static Chart bars(std::string title, std::string says, const Tally& tally, std::size_t most, std::string allowed_name) {
        Chart chart{.kind = Chart::Kind::bars,
                    .title = std::move(title),
                    .says = std::move(says),
                    .series = {{"denied", Tone::good}, {std::move(allowed_name), Tone::warning}}};
        for (const auto& [key, row] : tally.top(most)) {
            chart.categories.push_back(or_dash(key.front()));
            chart.values.push_back({row.denied, row.allowed});
        }
        chart.more = tally.left_out(most);
        return chart;
    }

    // --- the summary ---------------------------------------------------------------------------------------------------
    std::string headline() const {
        const std::uint64_t attempts = facts_.attempts_count();
        const std::uint64_t passed = facts_.let_through_count();
        if (facts_.records == 0) return "The log holds no record of this period.";
        if (attempts == 0) return "The log shows no attempt to change a locked namespace other than through Git.";
        std::string sentence =
            fmt::format("{} to change production outside Git {} recorded: {} stopped", counted(attempts, "attempt", "attempts"),
                        attempts == 1 ? "was" : "were", grouped(facts_.stopped));
        if (passed == 0) return sentence + ", none let through.";
        return sentence + fmt::format(", {} let through, each with its reason.", grouped(passed));
    }

    std::vector<Figure> summary() const {
        return {
            {"attempts outside Git", grouped(facts_.attempts_count()), Tone::neutral},
            {"stopped", percent(facts_.stopped, facts_.attempts_count()), Tone::good},
            {"let through, with a reason", grouped(facts_.let_through_count()),
             facts_.let_through_count() > 0 ? Tone::warning : Tone::good},
            {"of the time shown to be guarded", percent(served_, accountable_), silences_.empty() ? Tone::good : Tone::bad},
            {"records in this period", grouped(facts_.records), Tone::neutral},
            {"holes in the numbering", grouped(facts_.sequence_holes.count()), facts_.sequence_holes.count() > 0 ? Tone::bad : Tone::good}};
    }

    std::vector<std::string> attention() const {
        std::vector<std::string> list;
        const ReportBasis& basis = options_.basis;
        if (basis.origin.empty()) {
            list.push_back("There is no signed checkpoint: nothing in this report can be proven (question 13).");
        } else if (!basis.verified) {
            list.push_back("The log was not verified for this report (question 13).");
        } else if (basis.errors > 0) {
            list.push_back(fmt::format("{} (question 13).", what_verification_found()));
        } else if (!basis.key_given) {
            list.push_back(
                "The log was verified with the key that lies beside it. Who could replace the log could replace that key: give the key "
                "that "
                "you were handed with --key (question 13).");
        }
        if (!silences_.empty()) {
            list.push_back(fmt::format("{}, {} in all, in which no replica showed that it was guarding (question 7).",
                                       counted(silences_.size(), "interval", "intervals"), spoken(total(silences_))));
        }
        if (std::uint64_t crashes = crash_count(); crashes > 0)
            list.push_back(fmt::format("{} without a stop before: a crash, a kill or a lost node (question 12).",
                                       counted(crashes, "start", "starts")));
        if (facts_.gaps.count() > 0) list.push_back(fmt::format("{} recorded (question 7).", counted(facts_.gaps.count(), "gap", "gaps")));
        if (facts_.sequence_holes.count() > 0)
            list.push_back(
                fmt::format("{} in the numbering of records (question 12).", counted(facts_.sequence_holes.count(), "hole", "holes")));
        if (const std::uint64_t lost = facts_.heartbeats.sum("unrecorded"); lost > 0)
            list.push_back(
                fmt::format("{} could not be kept, by the replicas' own count (question 12).", counted(lost, "record", "records")));
        if (facts_.modes.count() > 0)
            list.push_back(fmt::format("{} in which a lock learned or rules only watched (question 7).",
                                       counted(facts_.modes.count(), "interval", "intervals")));
        for (const auto& [digest, grant] : facts_.grants) {
            if (list.size() > 12) break;
            list.push_back(fmt::format("Break-glass grant {} ({}) was used {} (question 5).", or_dash(grant.grant.name),
                                       grant.grant.ticket.empty() ? "no ticket" : grant.grant.ticket,
                                       counted(grant.uses, "time", "times")));
        }
        if (facts_.errors > 0)
            list.push_back(fmt::format("{} could not be judged; in an enforcing scope that is a refusal (question 2).",
                                       counted(facts_.errors, "request", "requests")));
        const auto refused = std::count_if(facts_.policy_events.rows.begin(), facts_.policy_events.rows.end(),
                                           [](const HappenedEvent& event) { return event.event == "policy-set-refused"; });
        if (refused > 0)
            list.push_back(fmt::format("{} refused; the set before stayed in force (question 7).",
                                       counted(static_cast<std::uint64_t>(refused), "policy change was", "policy changes were")));
        if (facts_.clock_steps_back > 0)
            list.push_back(fmt::format("Clocks went back {} (question 16).", counted(facts_.clock_steps_back, "time", "times")));
        return list;
    }

    std::uint64_t crash_count() const {
        std::uint64_t count = 0;
        for (const auto& [name, replica] : facts_.replicas) count += replica.crashes;
        return count;
    }

    // --- the questions, in the order of docs/reference/audit-report.md ------------------------------------------------
    Answer who_tried() const {
        Answer answer{.title = "Attempts",
                      .question = "Who tried to change production outside Git, what, when, from where, and with which tool?",
                      .standing = Standing::partly,
                      .citations = facts_.stopped_citations};
        const std::uint64_t attempts = facts_.attempts_count();
        answer.sentence = attempts == 0 ? "The log shows no such attempt in this period."
                                        : fmt::format(
                                              "{} by {} on {}. An attempt is a write to a locked namespace by somebody who is none of its "
                                              "writers, or one that would "
                                              "open a way around the lock.",
                                              counted(attempts, "attempt", "attempts"), counted(facts_.users.keys(), "user", "users"),
                                              counted(facts_.objects.keys(), "object", "objects"));
        answer.figures = {{"attempts", grouped(attempts)},
                          {"users", grouped(facts_.users.keys()) + (facts_.users.exact() ? "" : " or more")},
                          {"objects", grouped(facts_.objects.keys()) + (facts_.objects.exact() ? "" : " or more")},
                          {"of them repeats, folded", grouped(facts_.repeated)}};
        Chart chart{.kind = Chart::Kind::columns,
                    .title = "Attempts outside Git over time",
                    .says = fmt::format("{} stopped and {} let through between {} and {}.", grouped(facts_.stopped),
                                        grouped(facts_.let_through_count()), spoken(options_.from), spoken(options_.to)),
                    .series = {{"stopped", Tone::good}, {"let through", Tone::warning}}};
        for (std::size_t i = 0; i < facts_.stopped_over_time.size(); ++i) {
            chart.categories.push_back(spoken(options_.from + facts_.column * static_cast<std::int64_t>(i)));
            chart.values.push_back({facts_.stopped_over_time[i], facts_.passed_over_time[i]});
        }
        if (attempts > 0) answer.charts.push_back(std::move(chart));
        answer.tables.push_back(table_of(
            facts_.attempts,
            {.title = "Who, with which tool", .keys = {"user", "tool (as the client says)", "operation"}, .flags = "--verdict denied"}));
        if (facts_.impersonations.keys() > 0) {
            answer.tables.push_back(table_of(
                facts_.impersonations,
                {.title = "Names without proof: impersonated, or with no evidence of a credential", .keys = {"user", "evidence"}}));
        }
        if (facts_.commands.keys() > 0) {
            answer.tables.push_back(
                table_of(facts_.commands, {.title = "Commands that were to run in containers", .keys = {"user", "object", "command"}}));
        }
        answer.not_recorded.push_back(
            {"The network address of the client, and who stood behind an impersonation", "an admission review does not carry them",
             "the API server's audit log has them under the same request id; `fluxgate audit reconcile --api-audit FILE` compares"});
        return answer;
    }

    Answer was_stopped() const {
        Answer answer{.title = "Stopped or not", .question = "Was each attempt stopped?", .citations = facts_.passed_citations};
        const std::uint64_t attempts = facts_.attempts_count();
        const std::uint64_t passed = facts_.let_through_count();
        answer.sentence =
            attempts == 0 ? "There was nothing to stop."
            : passed == 0
                ? fmt::format("All {} were denied.", grouped(attempts))
                : fmt::format(
                      "{} of {} were denied. {} let through, for the reasons below; the record of each was durable before the answer.",
                      grouped(facts_.stopped), grouped(attempts), counted(passed, "was", "were"));
        answer.figures = {{"denied", grouped(facts_.stopped), Tone::good},
                          {"let through", grouped(passed), passed > 0 ? Tone::warning : Tone::good},
                          {"could not be judged", grouped(facts_.errors), facts_.errors > 0 ? Tone::bad : Tone::good}};
        Table reasons{.title = "Why they were let through", .columns = {text("reason"), number("writes")}};
        for (std::size_t i = 0; i < kPassedCount; ++i) {
            if (facts_.passed[i] > 0) reasons.rows.push_back({std::string(to_string(static_cast<Passed>(i))), grouped(facts_.passed[i])});
        }
        if (!reasons.rows.empty()) answer.tables.push_back(std::move(reasons));
        answer.tables.push_back(table_of(facts_.let_through, {.title = "What was let through",
                                                              .keys = {"user", "operation", "object", "why"},
                                                              .flags = "--verdict allowed",
                                                              .denied = false,
                                                              .allowed_name = "writes"}));
        answer.not_recorded.push_back({"Whether a write that was let through took effect",
                                       "a later admission step, a quota or a conflict may still refuse it",
                                       "the API server's audit log has the outcome under the same request id"});
        return answer;
    }

    Answer corrected() const {
        Answer answer{.title = "Correction",
                      .question = "If an attempt was not stopped, how soon was it detected, corrected and verified?"};
        answer.standing = facts_.drift_writes > 0 ? Standing::partly : Standing::not_recorded;
        answer.sentence = facts_.drift_writes > 0 ? fmt::format("{} of {} carry a drift case. Times of correction are not in this log.",
                                                                counted(facts_.drift_writes, "record", "records"),
                                                                counted(facts_.drift.keys(), "case", "cases"))
                                                  : fmt::format("Not recorded here. {} let through in this period (question 2).",
                                                                counted(facts_.let_through_count(), "write was", "writes were"));
        if (facts_.drift.keys() > 0) answer.tables.push_back(table_of(facts_.drift, {.title = "Drift cases", .keys = {"case"}}));
        answer.not_recorded.push_back(
            {"Detection, correction and verification, and how long they took",
             "the webhook judges requests and does not look at what is stored afterwards",
             "the companion, `fluxgate reconcile`, records each step of a drift case; this log has none of them. Flux itself "
             "puts declared fields back at its next reconciliation, which it reports in its own events"});
        return answer;
    }

    Answer still_open() const {
        Answer answer{.title = "Open drift",
                      .question = "Which differences from Git are still open, for how long, and who accepted them?",
                      .standing = Standing::not_recorded};
        answer.sentence = "Not recorded here.";
        answer.not_recorded.push_back(
            {"What differs from Git now", "this log holds requests, not the state of the cluster",
             "`fluxgate reconcile` opens and closes drift cases in the log; the writes that may have left a difference are "
             "listed under question 2"});
        return answer;
    }

    Answer break_glass() const {
        Answer answer{
            .title = "Break-glass",
            .question = "Which break-glass grants were used: by whom, with which ticket and approver, on what, and was it all put back?"};
        std::uint64_t uses = 0;
        for (const auto& [digest, grant] : facts_.grants) uses += grant.uses;
        answer.standing = facts_.grants.empty() ? Standing::answered : Standing::partly;
        answer.sentence = facts_.grants.empty()
                              ? "No grant was used in this period."
                              : fmt::format("{} used {} in this period.",
                                            counted(facts_.grants.size() + facts_.grants_left_out, "grant was", "grants were"),
                                            counted(uses, "time", "times"));
        answer.figures = {{"grants used", grouped(facts_.grants.size() + facts_.grants_left_out)}, {"writes under them", grouped(uses)}};
        Table table{.title = "Grants that were used",
                    .columns = {text("grant"), text("ticket"), text("approved by"), text("vouched for by"), text("used by"), number("uses"),
                                text("first"), text("last"), text("objects"), text("records")}};
        for (const auto& [digest, grant] : facts_.grants) {
            if (table.rows.size() >= options_.rows_max) {
                ++table.more;
                continue;
            }
            table.rows.push_back({or_dash(grant.grant.name), or_dash(grant.grant.ticket), or_dash(grant.grant.approved_by),
                                  or_dash(grant.grant.vouched_by), joined(grant.users, 3), grouped(grant.uses), spoken(grant.first),
                                  spoken(grant.last), joined(grant.objects, 3), spoken(grant.citations, 3)});
            for (const std::string& record : grant.citations.records) {
                if (answer.citations.records.size() < kCitationsMax) answer.citations.records.push_back(record);
            }
            answer.citations.count += grant.citations.count;
        }
        table.more += facts_.grants_left_out;
        if (table.more > 0) table.command = command("--verdict allowed");
        if (!table.rows.empty()) {
            answer.tables.push_back(std::move(table));
            answer.not_recorded.push_back({"Whether what was done under a grant was put back or committed",
                                           "the webhook does not look at what is stored afterwards",
                                           "drift cases of `fluxgate reconcile`, or the history of the Git repository"});
        }
        return answer;
    }

    Answer offenders() const {
        Answer answer{.title = "Who and what most",
                      .question = "Who is denied again and again, which service accounts, and which objects?",
                      .citations = facts_.stopped_citations};
        const auto top = facts_.denied_users.top(1);
        answer.sentence = top.empty() ? "Nothing was denied in this period."
                                      : fmt::format("Most denials, {} of {}, went to {}.", grouped(top.front().second.denied),
                                                    grouped(facts_.stopped + facts_.workload_denied), top.front().first.front());
        answer.figures = {{"denied in all", grouped(facts_.stopped + facts_.workload_denied)},
                          {"of them by locks and the rule escape", grouped(facts_.stopped)},
                          {"of them by workload rules", grouped(facts_.workload_denied)}};
        if (facts_.denied_users.keys() > 0)
            answer.charts.push_back(bars("Denials and findings by rule", "How often each rule was violated, by what became of the request.",
                                         facts_.rules, 10, "let through"));
        if (facts_.users.keys() > 0)
            answer.charts.push_back(
                bars("Attempts outside Git by user", "Whose attempts were stopped and let through.", facts_.users, 10, "let through"));
        answer.tables.push_back(table_of(facts_.denied_users,
                                         {.title = "Users, all denials", .keys = {"user"}, .flags = "--verdict denied", .allowed = false}));
        answer.tables.push_back(
            table_of(facts_.objects, {.title = "Objects of attempts outside Git", .keys = {"object"}, .flags = "--verdict denied"}));
        return answer;
    }

    Answer not_enforced() const {
        Answer answer{.title = "Enforcement",
                      .question = "When was enforcement off or only watching, where, why, and who did it?",
                      .standing = Standing::partly};
        answer.sentence = silences_.empty()
                              ? fmt::format("At every moment of {} at least one replica showed, at most {} later, that it was guarding.",
                                            spoken(accountable_), spoken(std::chrono::duration_cast<microseconds>(options_.silence_max)))
                              : fmt::format("{} of {} are shown to have been guarded. In {} no replica showed it: {} in all.",
                                            percent(served_, accountable_), spoken(accountable_),
                                            counted(silences_.size(), "interval", "intervals"), spoken(total(silences_)));
        if (facts_.modes.count() > 0)
            answer.sentence +=
                fmt::format(" Locks learned or rules only watched in {}.", counted(facts_.modes.count(), "interval", "intervals"));
        answer.figures = {{"of the time shown to be guarded", percent(served_, accountable_), silences_.empty() ? Tone::good : Tone::bad},
                          {"silent intervals", grouped(silences_.size()), silences_.empty() ? Tone::good : Tone::bad},
                          {"learning or watching", grouped(facts_.modes.count()), facts_.modes.count() > 0 ? Tone::warning : Tone::good},
                          {"recorded gaps", grouped(facts_.gaps.count()), facts_.gaps.count() > 0 ? Tone::bad : Tone::good}};
        answer.charts.push_back(enforcement_chart());
        Table silent{.title = "No replica showed that it was guarding", .columns = {text("from"), text("to"), text("for")}};
        for (const TimeSpan& span : silences_) {
            if (silent.rows.size() < options_.rows_max) {
                silent.rows.push_back({spoken(span.from), spoken(span.to), spoken(span.to - span.from)});
            } else {
                ++silent.more;
            }
        }
        silent.note =
            "An API server that finds no replica refuses the writes its webhook registration fails closed for; that is not in this log.";
        if (!silent.rows.empty()) answer.tables.push_back(std::move(silent));
        if (facts_.modes.count() > 0) answer.tables.push_back(modes_table());
        if (facts_.gaps.count() > 0) answer.tables.push_back(table_of(facts_.gaps, "Gaps that were recorded", "--event gap"));
        if (facts_.policy_events.count() > 0)
            answer.tables.push_back(table_of(facts_.policy_events, "Changes of the policies", "--event 'policy-set-*'"));
        for (const auto* events : {&facts_.gaps, &facts_.policy_events}) {
            for (const HappenedEvent& event : events->rows) {
                if (answer.citations.records.size() < kCitationsMax) answer.citations.records.push_back(event.record);
            }
            answer.citations.count += events->count();
        }
        answer.not_recorded.push_back({"Changes of the webhook registration, its selectors and the labels of namespaces, and who made them",
                                       "the API server does not call a webhook for webhook registrations",
                                       "the API server's audit log; a policy's author is in the history of the Git repository"});
        return answer;
    }

    Chart enforcement_chart() const {
        Chart chart{
            .kind = Chart::Kind::lanes,
            .title = "Enforcement over time",
            .says = fmt::format(
                "When at least one replica showed that it was guarding ({}), when none did, and when a lock learned or rules only watched.",
                percent(served_, accountable_)),
            .series = {{"guarding", Tone::good},
                       {"no sign of it", Tone::bad},
                       {"learning", Tone::info},
                       {"only watching", Tone::warning},
                       {"recorded gap", Tone::bad}}};
        chart.categories.push_back("guarded");
        for (const TimeSpan& span : facts_.served) add_span(chart, {0, 0, span.from, span.to, "guarding"});
        for (const TimeSpan& span : silences_) add_span(chart, {0, 1, span.from, span.to, "no sign of it"});
        if (!facts_.gap_spans.empty()) {
            chart.categories.push_back("recorded gaps");
            for (const TimeSpan& span : facts_.gap_spans)
                add_span(chart, {chart.categories.size() - 1, 4, span.from, span.to, "recorded gap"});
        }
        for (const auto& [kind, name, series] : {std::tuple{ModeInterval::Kind::learn, "learning", std::size_t{2}},
                                                 std::tuple{ModeInterval::Kind::audit_mode, "only watching", std::size_t{3}}}) {
            bool any = false;
            for (const ModeInterval& mode : facts_.modes.rows) {
                if (mode.kind != kind) continue;
                if (!any) chart.categories.push_back(name);
                any = true;
                add_span(chart, {chart.categories.size() - 1, series, mode.span.from, mode.span.to, mode.lock});
            }
        }
        return chart;
    }

    static void add_span(Chart& chart, Chart::Span span) {
        constexpr std::size_t kChartSpansMax = 600;
        if (chart.spans.size() < kChartSpansMax) {
            chart.spans.push_back(std::move(span));
        } else {
            ++chart.more;
        }
    }

    Table modes_table() const {
        Table table{.title = "Locks that learned, rules that only watched",
                    .columns = {text("what"), text("lock or rules"), text("from"), text("to"), text("for"), text("record")}};
        for (const ModeInterval& mode : facts_.modes.rows) {
            if (table.rows.size() >= 2 * options_.rows_max) {
                ++table.more;
                continue;
            }
            table.rows.push_back({mode.kind == ModeInterval::Kind::learn ? "learning" : "only watching", mode.lock, spoken(mode.span.from),
                                  mode.open ? "not ended" : spoken(mode.span.to), spoken(mode.span.to - mode.span.from), mode.record});
        }
        table.more += facts_.modes.more;
        if (table.more > 0) table.command = command("--verdict event");
        return table;
    }

    Answer exempt() const {
        Answer answer{.title = "Exemptions", .question = "What was exempt, and what happened there?", .standing = Standing::partly};
        std::uint64_t excepted = 0;
        for (const auto& [key, row] : facts_.exceptions.top(facts_.exceptions.keys())) excepted += row.count();
        answer.sentence = fmt::format(
            "{} needed a GuardException; {} with findings that only warn or are only recorded; {} of namespaces without a lock were let "
            "through.",
            counted(excepted, "write", "writes"), counted(exempt_count(), "passed", "passed"),
            counted(facts_.unguarded_allowed, "recorded write", "recorded writes"));
        answer.figures = {{"writes with an exception", grouped(excepted)},
                          {"findings that did not stop a write", grouped(exempt_count())},
                          {"recorded writes without a lock", grouped(facts_.unguarded_allowed)}};
        if (facts_.exceptions.keys() > 0)
            answer.tables.push_back(
                table_of(facts_.exceptions, {.title = "GuardExceptions that were needed", .keys = {"exception", "object"}}));
        if (facts_.exempt.keys() > 0) {
            answer.tables.push_back(table_of(facts_.exempt, {.title = "Findings that did not stop the write",
                                                             .keys = {"rule", "action", "namespace"},
                                                             .denied = false,
                                                             .allowed_name = "writes"}));
        }
        answer.not_recorded.push_back(
            {"Namespaces, kinds and users that no policy matches", "what no rule looks at leaves no record",
             fmt::format("the policy sets themselves: each is kept in the log's folder under its digest ({} at the end of the period)",
                         or_dash(facts_.set_at_end))});
        return answer;
    }

    std::uint64_t exempt_count() const {
        std::uint64_t count = 0;
        for (const auto& [key, row] : facts_.exempt.top(facts_.exempt.keys())) count += row.count();
        return count;
    }

    Answer failed_open() const {
        Answer answer{.title = "Failed open",
                      .question = "Which requests did the API server let through because the webhook did not answer?",
                      .standing = Standing::not_recorded};
        answer.sentence = "Not recorded here: a request that never reached Fluxgate leaves no record in its log.";
        answer.not_recorded.push_back({"Requests that failed open", "they did not reach the webhook",
                                       "the API server's audit log marks them (`failed-open.validating.webhook.admission.k8s.io/…`); "
                                       "`fluxgate audit reconcile --api-audit FILE` names every one"});
        return answer;
    }

    Answer provenance() const {
        const std::uint64_t counted_routine = facts_.heartbeats.sum("routineAllowed");
        const std::uint64_t routine = std::max(counted_routine, facts_.routine_allowed);
        const std::uint64_t passed = facts_.let_through_count();
        Answer answer{.title = "Changes from Git",
                      .question = "What share of the changes came from a reviewed commit, and which change from which commit?",
                      .standing = Standing::partly};
        answer.sentence =
            routine + passed == 0
                ? "No write to a locked namespace was let through in this period."
                : fmt::format(
                      "{} of {} to locked namespaces that were let through came from a writer that the policies name, such as Flux.",
                      percent(routine, routine + passed), counted(routine + passed, "write", "writes"));
        answer.figures = {{"by named writers", grouped(routine), Tone::good},
                          {"by others", grouped(passed), passed > 0 ? Tone::warning : Tone::good},
                          {"changes of writers with a record", grouped(facts_.routine_allowed)}};
        Chart chart{.kind = Chart::Kind::bars,
                    .title = "Requests by class of writer",
                    .says = "How many requests of each class were denied and let through.",
                    .series = {{"denied", Tone::good}, {"let through", Tone::info}}};
        const Heartbeats& beats = facts_.heartbeats;
        for (const auto& [name, denied, allowed] : {std::tuple{"named writers", "routineDenied", "routineAllowed"},
                                                    std::tuple{"others, behind a lock", "exceptionalDenied", "exceptionalAllowed"},
                                                    std::tuple{"without a lock", "unguardedDenied", "unguardedAllowed"}}) {
            chart.categories.push_back(name);
            chart.values.push_back({beats.sum(denied), beats.sum(allowed)});
        }
        if (beats.count > 0) answer.charts.push_back(std::move(chart));
        if (facts_.sources.keys() > 0) {
            answer.tables.push_back(table_of(facts_.sources, {.title = "Changes by writers, and where they came from",
                                                              .keys = {"owner", "source and revision", "writer"},
                                                              .flags = "--verdict allowed",
                                                              .denied = false,
                                                              .allowed_name = "changes"}));
        }
        answer.not_recorded.push_back({"Pull requests and who approved them", "the cluster knows the commit, not its review",
                                       "the Git server, by the commit named with each change"});
        if (counted_routine > facts_.routine_allowed)
            answer.not_recorded.push_back(
                {"Each write of a writer that changed nothing", "such writes are counted only", "the API server's audit log"});
        return answer;
    }

    Answer coverage() const {
        Answer answer{.title = "Coverage",
                      .question = "Which clusters, namespaces and kinds are protected, now and at the begin of the period?",
                      .standing = Standing::partly};
        std::set<std::string> guarded;
        Table table{.title = "Namespaces that appear in records",
                    .columns = {text("namespace"), text("class of the writes"), number("denied"), number("let through"), text("records")}};
        for (const auto& [key, row] : facts_.namespaces.top(2 * options_.rows_max)) {
            if (key[0] != "unguarded" && !key[1].empty() && guarded.size() < 1'000) guarded.insert(key[1]);
            table.rows.push_back(
                {key[1].empty() ? "(cluster)" : key[1], key[0], grouped(row.denied), grouped(row.allowed), spoken(row.citations, 3)});
        }
        table.more = facts_.namespaces.left_out(2 * options_.rows_max);
        if (table.more > 0) table.command = command("");
        answer.sentence = fmt::format(
            "Records show locks at work in {}{}, on {} of objects. The policy set in force was {} at the begin and {} at the end.",
            counted(guarded.size(), "namespace", "namespaces"), facts_.clusters.empty() ? "" : " of " + joined(facts_.clusters, 3),
            counted(facts_.kinds.keys(), "kind", "kinds"), or_dash(facts_.set_at_begin), or_dash(facts_.set_at_end));
        answer.figures = {{"clusters", grouped(facts_.clusters.size())},
                          {"namespaces with a lock, in records", grouped(guarded.size())},
                          {"kinds, in records", grouped(facts_.kinds.keys())}};
        if (!table.rows.empty()) answer.tables.push_back(std::move(table));
        answer.not_recorded.push_back({"Namespaces and kinds in which nothing was written or everything was in order",
                                       "only what happened leaves a record",
                                       "the policy sets named above, kept under their digests; `fluxgate doctor` inspects the cluster"});
        return answer;
    }

    Answer complete() const {
        Answer answer{.title = "Completeness", .question = "Is the log complete?", .standing = Standing::partly};
        const std::uint64_t crashes = crash_count();
        const std::uint64_t lost = facts_.heartbeats.sum("unrecorded");
        const bool whole = facts_.sequence_holes.count() == 0 && lost == 0;
        answer.sentence =
            whole ? fmt::format("The numbering has no hole over {}, and the replicas counted no record that they could not keep.",
                                counted(facts_.records_read, "record", "records"))
                  : fmt::format("{} in the numbering; the replicas counted {} that they could not keep.",
                                counted(facts_.sequence_holes.count(), "hole", "holes"), counted(lost, "record", "records"));
        if (crashes > 0) answer.sentence += fmt::format(" {} without a stop before.", counted(crashes, "start came", "starts came"));
        answer.figures = {{"records read", grouped(facts_.records_read)},
                          {"holes", grouped(facts_.sequence_holes.count()), facts_.sequence_holes.count() > 0 ? Tone::bad : Tone::good},
                          {"could not be kept", grouped(lost), lost > 0 ? Tone::bad : Tone::good},
                          {"starts without a stop", grouped(crashes), crashes > 0 ? Tone::warning : Tone::good},
                          {"heartbeats", grouped(facts_.heartbeats.count)}};
        if (facts_.first_index) {
            answer.figures.push_back({"log indexes of the period", fmt::format("{} to {}", *facts_.first_index, *facts_.last_index)});
        }
        if (!facts_.replicas.empty()) {
            answer.charts.push_back(replicas_chart());
            answer.tables.push_back(replicas_table());
        }
        if (facts_.sequence_holes.count() > 0) {
            Table table{.title = "Holes in the numbering",
                        .columns = {text("of"), number("after"), number("next"), number("missing"), text("time of the next")}};
            for (const SequenceHole& hole : facts_.sequence_holes.rows) {
                if (table.rows.size() >= options_.rows_max) break;
                const bool back = hole.next <= hole.after;
                table.rows.push_back({hole.where, grouped(hole.after), grouped(hole.next),
                                      back ? "goes back" : grouped(hole.next - hole.after - 1), spoken(hole.time)});
            }
            table.more = facts_.sequence_holes.count() - table.rows.size();
            if (table.more > 0) table.command = fmt::format("fluxgate audit verify --audit {}", options_.folder);
            answer.tables.push_back(std::move(table));
        }
        if (facts_.lives.count() > 0) answer.tables.push_back(table_of(facts_.lives, "Starts and stops", "--verdict event"));
        for (const HappenedEvent& event : facts_.lives.rows) {
            if (answer.citations.records.size() < kCitationsMax) answer.citations.records.push_back(event.record);
        }
        answer.citations.count = facts_.lives.count();
        answer.not_recorded.push_back({"Requests that never reached a replica", "nobody was there to record them",
                                       "`fluxgate audit reconcile --api-audit FILE` compares with the API server's own audit log"});
        return answer;
    }

    // Of a replica: silences between its first and last sign of life in the period, and, if it did not stop, until the end.
    std::vector<TimeSpan> silences_of(const ReplicaFacts& replica) const {
        const auto life = clipped({replica.first_heard, replica.running ? facts_.accountable.to : replica.last_heard}, facts_.accountable);
        std::vector<TimeSpan> list;
        if (!life) return list;
        for (const TimeSpan& hole : holes(replica.serving, *life)) {
            if (hole.to - hole.from > options_.silence_max) list.push_back(hole);
        }
        return list;
    }

    Chart replicas_chart() const {
        constexpr std::size_t kLanesMax = 12;
        Chart chart{.kind = Chart::Kind::lanes,
                    .title = "Heartbeats of each replica",
                    .says = "When each replica showed by heartbeats that it was serving, and when it was silent without having stopped.",
                    .series = {{"heartbeats", Tone::good}, {"silent", Tone::bad}}};
        for (const auto& [name, replica] : facts_.replicas) {
            if (!replica_in_period(replica)) continue;
            if (chart.categories.size() == kLanesMax) {
                ++chart.more;
                continue;
            }
            chart.categories.push_back(or_dash(name));
            const std::size_t lane = chart.categories.size() - 1;
            for (const TimeSpan& span : replica.serving) {
                if (const auto part = clipped(span, facts_.accountable)) add_span(chart, {lane, 0, part->from, part->to, "heartbeats"});
            }
            for (const TimeSpan& span : silences_of(replica)) add_span(chart, {lane, 1, span.from, span.to, "silent"});
        }
        return chart;
    }

    bool replica_in_period(const ReplicaFacts& replica) const {
        return replica.records > 0 || (replica.running && replica.last_heard >= options_.from - options_.silence_max);
    }

    Table replicas_table() const {
        Table table{
            .title = "Replicas",
            .columns = {text("replica"), number("records"), number("heartbeats"), number("requests seen"), number("records by its count"),
                        number("not kept"), number("starts"), number("stops"), number("crashes"), text("silent for"), text("last heard")}};
        for (const auto& [name, replica] : facts_.replicas) {
            if (!replica_in_period(replica)) continue;
            if (table.rows.size() >= options_.rows_max) {
                ++table.more;
                continue;
            }
            const std::vector<TimeSpan> silent = silences_of(replica);
            table.rows.push_back({or_dash(name), grouped(replica.records), grouped(replica.heartbeats.count),
                                  grouped(replica.heartbeats.sum("seen")), grouped(replica.heartbeats.sum("recorded")),
                                  grouped(replica.heartbeats.sum("unrecorded")), grouped(replica.starts), grouped(replica.stops),
                                  grouped(replica.crashes), silent.empty() ? "–" : spoken(total(silent)), spoken(replica.last_heard)});
        }
        table.more += facts_.replicas_left_out;
        if (table.more > 0) table.command = command("--event heartbeat");
        table.note = "What a replica counts between two heartbeats may fall into the period before or after.";
        return table;
    }

    Answer unaltered() const {
        const ReportBasis& basis = options_.basis;
        Answer answer{.title = "Integrity", .question = "Is the log unaltered, who holds which key, and were keys changed?"};
        answer.standing = basis.origin.empty() ? Standing::not_recorded : Standing::partly;
        if (basis.origin.empty()) {
            answer.sentence = "There is no signed checkpoint in this folder, so nothing can be said.";
        } else {
            answer.sentence = integrity_sentence();
            answer.figures = {{"records under the checkpoint", grouped(basis.size)},
                              {"records of the period not yet under it", grouped(facts_.without_index)},
                              {"errors found", basis.verified ? grouped(basis.errors) : "not verified",
                               !basis.verified || basis.errors > 0 ? Tone::bad : Tone::good},
                              {"verifier key", basis.key_given ? "the one that was given" : "the one beside the log",
                               basis.key_given ? Tone::good : Tone::warning},
                              {"key id", or_dash(basis.key_id)}};
            if (!basis.findings.empty()) {
                Table found{.title = "What the verification found", .columns = {text("finding")}};
                for (const std::string& finding : basis.findings) found.rows.push_back({finding});
                found.more = basis.errors > found.rows.size() ? basis.errors - found.rows.size() : 0;
                if (found.more > 0) found.command = fmt::format("fluxgate audit verify --audit {}", options_.folder);
                answer.tables.push_back(std::move(found));
            }
            answer.tables.push_back({.title = "The checkpoint",
                                     .columns = {text("field"), text("value")},
                                     .rows = {{"origin", basis.origin},
                                              {"size", grouped(basis.size)},
                                              {"root (SHA-256, base64)", basis.root},
                                              {"verifier key", or_dash(basis.key)}}});
        }
        if (facts_.keys.count() > 0)
            answer.tables.push_back(table_of(facts_.keys, "Changes of the signing key, and new epochs", "--verdict event"));
        answer.not_recorded.push_back(
            {"Whether others saw the same log", "no witness signs this checkpoint, and no copy in write-once storage was compared",
             "keep checkpoints you were given: `fluxgate audit verify` with an older one shows that nothing before it changed"});
        return answer;
    }

    std::string what_verification_found() const {
        return fmt::format("The verification found {}: {}", counted(options_.basis.errors, "error", "errors"),
                           options_.basis.as_signed ? "each record is as it was signed, but what they tell is not complete"
                                                    : "the log is not what was signed");
    }

    std::string integrity_sentence() const {
        const ReportBasis& basis = options_.basis;
        const std::string checkpoint =
            fmt::format("This report rests on the checkpoint of {} over {}.", basis.origin, counted(basis.size, "record", "records"));
        if (!basis.verified) return checkpoint + " The log was not verified: `fluxgate audit verify` does it.";
        if (basis.errors > 0) {
            return checkpoint + " " + what_verification_found() + ".";
        }
        return checkpoint +
               " For this report the root was recomputed over all of them, and it is the one that was signed: since then none was changed, "
               "removed or put in between.";
    }

    Answer provable() const {
        Answer answer{.title = "Proof of one record", .question = "Can one record be proven to a third party, offline?"};
        if (options_.basis.origin.empty()) {
            answer.standing = Standing::not_recorded;
            answer.sentence = "Not without a signed checkpoint.";
            return answer;
        }
        const std::uint64_t provable = facts_.records - facts_.without_index;
        answer.sentence = fmt::format(
            "Yes, {} of the {} of this period: `fluxgate audit prove --audit {} INDEX` writes a proof file, and `prove --check` or any "
            "tool for C2SP tlog-proof files checks it with the verifier key alone.",
            provable == facts_.records ? "each" : grouped(provable), counted(facts_.records, "record", "records"), options_.folder);
        answer.figures = {{"provable now", grouped(provable), Tone::good}, {"with the next checkpoint", grouped(facts_.without_index)}};
        return answer;
    }

    Answer which_policy() const {
        Answer answer{.title = "Policy versions",
                      .question = "Which version of the policies judged a request, and would it judge the same today?",
                      .standing = Standing::partly};
        answer.sentence =
            fmt::format("Each record names the digest of the set that judged it; {} at work on the recorded requests of this period.",
                        counted(facts_.sets.keys(), "set was", "sets were"));
        if (facts_.sets.keys() > 0) answer.tables.push_back(table_of(facts_.sets, {.title = "Policy sets", .keys = {"digest"}}));
        answer.not_recorded.push_back(
            {"Whether a replay gives the same verdict", "a record holds names and fields, not the whole object",
             "the sets are kept under their digests; `fluxgate check --reviews` judges recorded reviews with any of them"});
        return answer;
    }

    Answer clock() const {
        Answer answer{.title = "Clocks",
                      .question = "What is the source of time, and how far off was the worst clock?",
                      .standing = Standing::partly};
        answer.sentence = facts_.clock_steps_back == 0
                              ? "No replica's clock is seen to have gone back by more than a second."
                              : fmt::format("Clocks went back {} by more than a second, at worst by {}.",
                                            counted(facts_.clock_steps_back, "time", "times"), spoken(facts_.clock_step_worst));
        answer.figures = {{"steps back", grouped(facts_.clock_steps_back), facts_.clock_steps_back > 0 ? Tone::warning : Tone::good},
                          {"worst", facts_.clock_steps_back > 0 ? spoken(facts_.clock_step_worst) : "–"}};
        answer.citations = facts_.clock_citations;
        answer.not_recorded.push_back({"The source of time and the offset from it",
                                       "records carry the wall time of the node, which nothing here compares with another clock",
                                       "the time service of the nodes"});
        return answer;
    }

    Answer retention() const {
        Answer answer{.title = "Retention",
                      .question = "Which is the oldest record that can be proven, and what was pruned under which policy?"};
        answer.sentence = facts_.oldest ? fmt::format("The oldest record that is here is of {}{}.", spoken(*facts_.oldest),
                                                      facts_.oldest_index ? fmt::format(", index {}", *facts_.oldest_index) : "")
                                        : "There is no record.";
        if (options_.basis.minimum_index > 0)
            answer.sentence +=
                fmt::format(" Entries below index {} were pruned; the proofs of later ones hold.", options_.basis.minimum_index);
        answer.figures = {{"oldest index", facts_.oldest_index ? std::to_string(*facts_.oldest_index) : "–"},
                          {"pruned below index", std::to_string(options_.basis.minimum_index)},
                          {"prunings in this period", grouped(facts_.retention.count())}};
        if (facts_.retention.count() > 0)
            answer.tables.push_back(table_of(facts_.retention, "Retention that was applied", "--event retention-applied"));
        for (const HappenedEvent& event : facts_.retention.rows) {
            if (answer.citations.records.size() < kCitationsMax) answer.citations.records.push_back(event.record);
        }
        answer.citations.count = facts_.retention.count();
        return answer;
    }

    Answer readers() const {
        Answer answer{.title = "Readers", .question = "Who read or exported the log?", .standing = Standing::not_recorded};
        answer.sentence = "Not recorded here.";
        answer.not_recorded.push_back(
            {"Reads of the log", "the log is a folder; a program that reads it leaves no trace in it",
             "the access log of the volume or of the storage, and the API server's audit log for who entered the pod"});
        return answer;
    }

    Table tags() const { return table_of(facts_.tags, {.title = "Criteria the violated policies name themselves", .keys = {"criterion"}}); }

    const ReportFacts& facts_;
    const ReportOptions& options_;
    microseconds served_{};
    microseconds accountable_{};
    std::vector<TimeSpan> silences_{};
};

}  // namespace

std::string_view to_string(Standing standing) {
    switch (standing) {
        case Standing::answered: return "answered";
        case Standing::partly: return "answered in part";
        case Standing::not_recorded: return "not recorded here";
    }
    return "";
}

std::string spoken(microseconds duration) {
    const std::int64_t milliseconds = duration.count() / 1'000;
    if (milliseconds < 10'000) return fmt::format("{}.{} s", milliseconds / 1'000, milliseconds % 1'000 / 100);
    const std::int64_t whole = milliseconds / 1'000;
    const std::int64_t days = whole / 86'400;
    const std::int64_t hours = whole / 3'600 % 24;
    const std::int64_t minutes = whole / 60 % 60;
    if (days > 0) return hours > 0 ? fmt::format("{} d {} h", days, hours) : fmt::format("{} d", days);
    if (hours > 0) return minutes > 0 ? fmt::format("{} h {} min", hours, minutes) : fmt::format("{} h", hours);
    if (minutes > 0) return whole % 60 > 0 ? fmt::format("{} min {} s", minutes, whole % 60) : fmt::format("{} min", minutes);
    return fmt::format("{} s", whole);
}

std::string spoken(WallTime time) {
    std::string text = format_rfc3339(time);  // 2026-12-05T02:10:00.123456Z
    return text.substr(0, 10) + " " + text.substr(11, 8) + "Z";
}

Result<Report> gather_report(const Records& records, const ReportOptions& options) {
    constexpr std::chrono::days kLongest{3'660};
    if (options.to <= options.from) return fail(Errc::invalid_argument, "the period is empty: it must end after it begins");
    if (options.to - options.from > kLongest) return fail(Errc::invalid_argument, "the period is longer than ten years");
    const auto facts = gather_facts(records, options);
    if (!facts) return tl::unexpected(facts.error());
    return Writer(*facts, options).report();
}

}  // namespace fluxgate::audit
