"""Says which test covers what an adversary does, for each command: ``python -m tests.integration.forgery.cells``.

A test is named by its file below ``tests/``, without ``test_`` and ``.py``, its class if it has one, and its function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

COMMANDS = (
    *("read", "write", "verify", "prune", "restore"),
    *("metrics", "anomalies", "alerts", "page", "compaction"),
)
_F = "integration/forgery/"
_CHAIN, _FILES, _RESULTS, _READERS = f"{_F}chain", f"{_F}files", f"{_F}results", f"{_F}readers_of_results"
_ANSWERS, _PLACES, _COMPACTIONS, _ANCHORS = f"{_F}answers", f"{_F}recorded_places", f"{_F}compactions", f"{_F}anchors"
_UNREADABLE = f"{_F}unreadable_objects"
_INDEX, _REPORTS = "unit/snapshots/index::test_", "unit/storage/records/report_log::test_"
_REFUSED = "integration/compaction::TestRefused::test_"
_FORGED, _HIDDEN = f"{_CHAIN}::TestForgedDocuments::test_", f"{_CHAIN}::TestAHiddenNewestSnapshot::test_"
_CHANGED, _OF_RESULTS = f"{_FILES}::TestChangedFiles::test_", f"{_READERS}::TestChangedFiles::test_"
_INTRODUCED = f"{_ANCHORS}::TestTheIntroductionOfAKey::test_"
_NOT_READ = f"{_FORGED}are_not_read_restored_compared_or_measured"
_PASSED_OVER = f"{_READERS}::test_what_is_forged_after_the_newest_is_passed_over"
_PRUNED = f"{_FORGED}make_prune_remove_no_snapshot_that_the_rules_keep"
_WINDOWS = f"{_F}windows"
_WHOLE_CHAIN = "integration/damaged_chains::TestAnyDamage::test_stops_what_relies_on_the_whole_chain"
_COMPACTED = f"{_COMPACTIONS}::test_a_compaction_builds_upon_no_forged_snapshot"
_NO_RESULTS = "it reads and writes no results"
_NO_ROWS = "it reads no rows"
_NEWEST_THERE = "it uses the newest that is there, and names it"
_FROM_SNAPSHOT = "it opens the snapshot as a reader does"


@dataclass(frozen=True)
class Attack:
    """What is done to a store.

    :param done: in words.
    :param by: who can do it: w, r, o, k.
    :param tests: by command, or several with a space between them, the tests.
    :param beside: by command, why it cannot be reached; ``anybody`` where no one has to do anything.
    """

    done: str
    by: str
    tests: Mapping[str, tuple[str, ...]]
    beside: Mapping[str, str]


ATTACKS: tuple[Attack, ...] = (
    Attack(
        "manifests, generations and prune records that no key of the store signed, empty ones, older true ones",
        "wrok",
        {
            "read restore metrics": (_NOT_READ,),
            "write": (
                f"{_FORGED}forged_documents_are_not_built_upon",
                "integration/forged_attempts::TestAForgedCommit::test_is_neither_"
                "returned_nor_built_upon_for_the_run_that_it_claims",
            ),
            "verify": (
                f"{_FORGED}are_listed_by_verify_and_make_nothing_unsound",
                "integration/verify::TestPrunedStores::test_a_record_forged_to_cover_a_deletion_covers_nothing",
            ),
            "prune": (
                _PRUNED,
                f"{_COMPACTIONS}::TestWhatACompactionWrote::test_loses_no_generation_to_an_object_that_looks_like_a_"
                "later_one",
            ),
            "anomalies alerts page": (_PASSED_OVER,),
            "compaction": (_COMPACTED,),
        },
        {},
    ),
    Attack(
        "one object that stops everybody: largest number, deep JSON, 55 MB, an archived object",
        "w",
        {
            "read restore metrics": (
                _NOT_READ,
                f"{_UNREADABLE}::test_after_the_newest_snapshot_it_is_passed_over_by_readers",
                f"{_UNREADABLE}::test_a_reader_who_may_read_no_manifest_gets_an_error",
            ),
            "write": (
                f"{_FORGED}forged_documents_are_not_built_upon",
                f"{_UNREADABLE}::test_in_the_next_place_it_stops_the_writer_by_name_until_it_is_removed",
                f"{_UNREADABLE}::test_in_other_places_it_stops_nobody",
            ),
            "verify": (f"{_UNREADABLE}::test_verify_says_that_it_is_not_known",),
            "prune": (_PRUNED, f"{_ANSWERS}::test_a_prune_runs_whatever_somebody_put_beside_the_answers"),
            "anomalies alerts page": (_PASSED_OVER, f"{_UNREADABLE}::test_before_the_newest_report_it_is_passed_over"),
            "compaction": (_COMPACTED,),
        },
        {},
    ),
    Attack(
        "the newest snapshots hidden, and brought back after others took their numbers",
        "w",
        {
            "read": (
                f"{_HIDDEN}is_found_by_its_anchor_and_stops_what_reads_and_prunes",
                f"{_HIDDEN}is_found_by_its_age_where_nobody_recorded_it",
            ),
            "write": (
                f"{_HIDDEN}makes_the_next_one_full_with_new_keys_and_fails_its_task",
                f"{_HIDDEN}is_found_by_the_page_that_was_written_with_it",
                f"{_HIDDEN}that_is_recorded_as_lost_makes_no_further_snapshot_full",
            ),
            "verify": (
                f"{_HIDDEN}that_was_forked_around_and_comes_back_is_damage",
                f"{_RESULTS}::test_results_show_that_the_newest_snapshot_was_hidden",
            ),
            "prune": (f"{_HIDDEN}loses_no_file_to_a_prune_that_does_not_know_of_it",),
            "metrics": (f"{_PLACES}::test_a_hidden_snapshot_is_noticed_by_the_next_run_of_metrics",),
            "compaction": (
                f"{_REFUSED}a_chain_that_lacks_its_anchor_is_not_built_upon",
                f"{_COMPACTIONS}::TestWhatACompactionWrote::test_that_is_hidden_takes_no_file_of_the_snapshots_before",
            ),
        },
        {"restore page": _NEWEST_THERE, "anomalies alerts": "they are of the metrics that they are given"},
    ),
    Attack(
        "a manifest inside the chain removed or changed",
        "w",
        {
            "read restore metrics": (
                "integration/damaged_chains::TestAnyDamage::test_makes_nothing_else_fail_but_in_"
                "words_or_remove_anything",
            ),
            "write": (_WHOLE_CHAIN, f"{_WINDOWS}::test_a_digest_of_an_outsider_is_not_believed"),
            "prune": (_WHOLE_CHAIN,),
            "compaction": (
                _WHOLE_CHAIN,
                f"{_COMPACTIONS}::test_a_compaction_believes_no_outsider_that_there_is_nothing_to_merge",
                f"{_COMPACTIONS}::test_a_compaction_with_nothing_to_merge_still_needs_the_anchor_of_its_task",
            ),
            "verify": (
                "integration/verify::TestTheChain::test_missing_manifests_are_named_by_the_first_of_them",
                "integration/verify::TestTheChain::test_a_changed_manifest_is_unproved",
            ),
            "page": ("integration/plugin_page/what_goes_wrong::test_a_signed_manifest_that_is_not_valid_is_explained",),
        },
        {"anomalies alerts": _FROM_SNAPSHOT},
    ),
    Attack(
        "an older true page of the index, a forged one, none",
        "w",
        {
            "read restore metrics": (
                f"{_INDEX}an_older_page_of_snapshots_that_were_removed_answers_for_no_other_snapshot",
                f"{_INDEX}pages_that_are_gone_or_forged_cost_requests_and_nothing_else",
            ),
            "write compaction": (f"{_INDEX}a_page_is_made_where_parts_of_it_are_missing",),
            "verify": (f"{_INDEX}another_snapshot_of_a_number_that_a_page_lists_is_damage",),
            "prune": (f"{_INDEX}prune_decides_by_the_pages_and_keeps_every_list_that_is_needed",),
        },
        {"anomalies alerts page": _FROM_SNAPSHOT},
    ),
    Attack(
        "data files changed, exchanged, removed, behind a link; with the data key other rows under the same footer",
        "wr",
        {
            "read restore metrics": (
                f"{_CHANGED}are_not_read_measured_or_restored",
                f"{_FILES}::test_a_file_that_no_damage_touches_is_still_read",
                f"{_FILES}::test_a_file_that_is_gone_is_damage",
            ),
            "write": (
                f"{_CHANGED}are_not_encrypted_again_by_the_next_sync",
                f"{_WINDOWS}::test_a_file_of_a_window_without_new_rows_is_found_by_verify_and_the_next_run",
            ),
            "verify": (
                f"{_CHANGED}are_found_by_verify",
                f"{_FILES}::test_a_file_that_is_removed_while_a_prune_ran_is_still_damage",
            ),
            "page": ("integration/plugin_page/what_goes_wrong::test_a_changed_file_is_explained",),
            "compaction": (
                f"{_COMPACTIONS}::test_a_compaction_encrypts_no_changed_file_again",
                f"{_COMPACTIONS}::TestWhatACompactionWrote::test_that_is_changed_is_read_by_nobody_and_named",
            ),
        },
        {"prune": _NO_ROWS, "anomalies alerts": _FROM_SNAPSHOT},
    ),
    Attack(
        "results, answers and reports that no key of the store signed, or older true ones, after the newest",
        "wrok",
        {
            "verify": (f"{_RESULTS}::TestWhatWasWritten::test_junk_beside_it_is_a_note",),
            "prune": (f"{_READERS}::test_a_forged_result_makes_neither_a_rerun_nor_a_prune_remove_what_it_names",),
            "metrics": (
                f"{_READERS}::test_metrics_continue_with_true_ones_whatever_is_put_after_them",
                f"{_RESULTS}::test_a_signed_result_of_another_name_makes_no_writer_delete_that",
            ),
            "anomalies alerts page": (
                _PASSED_OVER,
                f"{_ANSWERS}::test_forged_answers_are_passed_over_and_the_next_takes_their_place",
                f"{_REPORTS}an_earlier_report_put_in_place_of_the_newest_is_passed_over",
            ),
        },
        {"read write restore compaction": _NO_RESULTS},
    ),
    Attack(
        "files of results changed or exchanged",
        "wr",
        {
            "verify": (f"{_RESULTS}::test_damage_is_named",),
            "metrics": (f"{_READERS}::test_changed_files_of_metrics_stay_bound_to_their_hashes",),
            "anomalies": (
                f"{_OF_RESULTS}of_metrics_are_not_scored_or_shown",
                f"{_OF_RESULTS}of_states_let_every_series_be_replayed",
                f"{_OF_RESULTS}of_incidents_are_not_continued_sent_or_shown",
            ),
            "alerts": (f"{_OF_RESULTS}of_what_was_sent_let_nothing_be_sent_again",),
            "page": (f"{_OF_RESULTS}of_verdicts_are_not_shown",),
        },
        {"read write restore compaction": _NO_RESULTS, "prune": _NO_ROWS},
    ),
    Attack(
        "the newest results, records of what was sent, answers or reports removed, or their numbers given again",
        "w",
        {
            "verify": (
                f"{_RESULTS}::test_damage_is_named",
                f"{_ANSWERS}::test_verify_names_it",
                f"{_RESULTS}::TestWhatWasWritten::test_older_results_may_be_gone",
                f"{_ANSWERS}::test_answers_that_cannot_be_read_are_not_called_removed",
            ),
            "metrics anomalies": (
                f"{_PLACES}::test_a_removed_result_is_noticed_by_the_next_run",
                f"{_RESULTS}::TestARollBackOfSeries::test_incidents_continue_after_the_recorded_number_"
                "and_the_run_fails",
                f"{_RESULTS}::TestARollBackOfSeries::test_a_number_that_was_given_again_is_noticed",
                f"{_RESULTS}::TestARollBackOfSeries::test_access_reports_are_recorded_after_the_known_number",
                f"{_ANSWERS}::TestARollBack::test_is_noticed_by_the_next_run_that_recorded_the_answers",
                f"{_ANSWERS}::TestARollBack::test_is_noticed_by_what_the_incidents_name_where_nothing_was_recorded",
                f"{_PLACES}::test_removed_answers_are_noticed_by_the_next_answer",
            ),
            "alerts": (
                f"{_PLACES}::test_removed_records_of_what_was_sent_are_noticed_by_the_next_run",
                f"{_ANSWERS}::TestARollBack::test_is_noticed_when_alerts_are_sent",
            ),
            "page": ("unit/page/store_reader::test_a_result_that_got_the_number_and_size_of_a_removed_one_is_shown",),
        },
        {"read write restore compaction": _NO_RESULTS, "prune": "it removes older ones only"},
    ),
    Attack(
        "an old data key, a KMS key of their own, the key of another category",
        "ok",
        {
            "read restore metrics page": (
                "integration/key_rotation::TestKms::test_an_earlier_key_that_is_not_named_is_not_asked",
                _NOT_READ,
            ),
            "write": (
                f"{_HIDDEN}makes_the_next_one_full_with_new_keys_and_fails_its_task",
                "integration/key_rotation::TestLocalKeys::test_keys_that_have_nothing_in_common_with_the_earlier_"
                "ones_stop_the_sync",
                "integration/key_rotation::TestLocalKeys::test_fresh_keys_before_the_earlier_ones_have_everything_"
                "encrypted_again",
            ),
            "verify": (
                "integration/verify::TestFiles::test_a_data_key_that_was_exchanged_opens_nothing",
                "integration/verify::TestFiles::test_another_key_does_not_open_them",
            ),
            "compaction": (f"{_REFUSED}without_the_key_of_a_category_nothing_is_merged",),
        },
        {"prune": "it opens no key", "anomalies alerts": _FROM_SNAPSHOT},
    ),
    Attack(
        "the introduction of a signing key removed or replaced, by a key that was revoked",
        "w",
        {
            "read": (
                f"{_INTRODUCED}is_named_as_missing_to_a_reader",
                f"{_INTRODUCED}by_the_revoked_key_in_its_place_is_damage",
                f"{_INTRODUCED}left_out_of_an_anchor_by_the_revoked_key_proves_nothing",
            ),
            "write": (
                f"{_INTRODUCED}comes_with_the_anchor_and_is_put_back_by_a_writer",
                f"{_INTRODUCED}replaced_by_junk_is_put_back_and_the_junk_is_kept",
            ),
            "verify": (f"{_INTRODUCED}removed_is_damage_to_verify_with_a_plain_anchor",),
            "prune compaction": (f"{_INTRODUCED}comes_with_the_anchor_and_is_put_back_by_a_writer",),
        },
        {"restore metrics anomalies alerts page": _FROM_SNAPSHOT},
    ),
    Attack(
        "the store gone or another one in its place",
        "w",
        {
            "read restore metrics anomalies alerts page": (
                "unit/storage/trust::test_a_pinned_store_that_vanished_is_damaged_and_not_begun_again",
                "unit/storage/trust::test_another_store_than_the_pinned_one_is_unproved",
            ),
            "write prune compaction": (
                "unit/storage/trust::test_a_pinned_store_that_vanished_is_damaged_and_not_begun_again",
                "unit/storage/signed_documents::test_without_a_pinned_store_id_nothing_is_written",
            ),
            "verify": ("integration/verify::TestTheChain::test_an_emptied_store_is_rolled_back",),
        },
        {},
    ),
    Attack(
        "an anchor in XCom, an Asset event or a form that nobody signed",
        "w",
        {
            "read verify write prune compaction": (
                f"{_ANCHORS}::test_what_is_no_signed_statement_is_unproved",
                f"{_ANCHORS}::test_a_statement_by_a_foreign_key_is_unproved",
                f"{_ANCHORS}::test_a_statement_for_another_store_or_name_is_unproved",
                f"{_ANCHORS}::test_a_manifest_is_no_anchor",
                f"{_ANCHORS}::test_a_signed_statement_comes_back_through_json",
            ),
            "metrics anomalies alerts": (
                f"{_ANSWERS}::test_what_is_no_signed_statement_counts_for_nothing",
                f"{_RESULTS}::TestARollBackOfSeries::test_what_is_no_signed_statement_counts_for_nothing",
                f"{_RESULTS}::TestARollBackOfSeries::test_a_statement_about_another_series_counts_for_nothing",
            ),
        },
        {"restore page": "it takes no anchor"},
    ),
    Attack(
        "endpoints without TLS, a look-alike that ignores If-None-Match, or lists names in no order",
        "w",
        {
            "read write verify prune restore metrics anomalies alerts page compaction": (
                "integration/store_tls::test_a_plain_endpoint_in_the_environment_is_refused",
                "integration/store_tls::test_a_plain_endpoint_in_the_aws_connection_is_refused",
                "integration/store_tls::test_a_client_that_was_made_elsewhere_is_refused",
                "integration/store_check::TestOfALocalStore::test_a_store_that_replaces_what_is_there_fails_and_the_"
                "probe_is_removed",
                "unit/storage/object_store/s3::test_a_server_that_lists_in_no_order_is_refused",
            ),
        },
        {},
    ),
    Attack(
        "names that forge lines of what a command prints or logs",
        "w",
        {
            "read write verify prune restore metrics anomalies alerts page compaction": (
                "integration/store_conditions::TestEveryStore::test_a_name_that_would_forge_what_is_printed_is_not_listed",
            ),
        },
        {},
    ),
    Attack(
        "nothing: a prune beside readers, what is whole",
        "anybody",
        {
            "read": (
                f"{_FILES}::test_a_snapshot_that_is_pruned_while_it_is_read_says_so",
                "integration/race::test_eight_actors_at_once_lose_no_row",
            ),
            "write prune compaction": ("integration/race::test_eight_actors_at_once_lose_no_row",),
            "verify": (
                f"{_FILES}::test_a_snapshot_that_is_pruned_while_it_is_verified_is_no_damage",
                f"{_FILES}::test_what_else_is_wrong_is_found_though_the_verified_snapshot_is_pruned",
                f"{_RESULTS}::TestWhatWasWritten::test_a_result_is_sound_and_counted",
                f"{_RESULTS}::TestWhatWasWritten::test_is_checked_without_keys_and_named_without_the_keys_of_a_"
                "category",
                f"{_RESULTS}::TestARollBackOfSeries::test_nothing_is_lost_where_the_newest_is_there",
                f"{_ANSWERS}::TestWhatWasWritten::test_an_answer_is_sound_and_counted",
                f"{_ANSWERS}::TestWhatWasWritten::test_names_the_document_before_by_its_hash",
                f"{_ANSWERS}::TestWhatWasWritten::test_is_pruned_but_for_the_two_newest",
            ),
        },
        {"restore metrics anomalies alerts page": _FROM_SNAPSHOT},
    ),
)


def cells(attack: Attack) -> dict[str, tuple[str, ...] | str]:
    """Return of each command the tests of an attack, or why it cannot be reached."""
    found: dict[str, tuple[str, ...] | str] = {}
    for names, tests in attack.tests.items():
        found |= dict.fromkeys(names.split(), tests)
    for names, reason in attack.beside.items():
        found |= dict.fromkeys(names.split(), reason)
    return found


def main() -> None:
    """Print the table: how many tests each cell has."""
    print("| what is done | who |", " | ".join(COMMANDS), "|")
    print("|---" * (len(COMMANDS) + 2) + "|")
    for attack in ATTACKS:
        found = cells(attack)
        row = [str(len(cell)) if isinstance(cell, tuple) else "-" for cell in map(found.__getitem__, COMMANDS)]
        print(f"| {attack.done} | {attack.by} |", " | ".join(row), "|")


if __name__ == "__main__":
    main()
