"""What the pairs cannot show: tests elsewhere, what is later than Debian's sipp, and what differs on purpose."""

from __future__ import annotations

from collections.abc import Mapping

Row = tuple[str, str]

_TWINS = ("tests/interop/test_3pcc_sipp.py::test_controllers_play_the_same_with_either_twin",)
_MASTERS = ("tests/interop/test_3pcc_sipp.py::test_a_master_and_its_slaves",)
_FILES = "tests/interop/test_files_sipp.py::"
_CODES = ("tests/interop/test_compat_sipp.py::test_exit_codes_are_sipps",)
_OUTSIDE = ("tests/interop/test_compat_sipp.py::test_requests_outside_of_a_call_get_their_own_scenario",)
_PATTERNS = ("tests/interop/test_rtp_stream_sipp.py::test_a_pattern_comes_back_from_sipps_echo_or_the_run_says_so",)
_DIGITS = ("tests/interop/test_rtp_stream_sipp.py::test_our_digits_are_as_many_packets_as_sipps",)

ALSO: Mapping[Row, tuple[str, ...]] = {
    ("element", "<sendCmd>"): _TWINS,
    ("element", "<recvCmd>"): _TWINS,
    ("element", "<sendCmd dest>"): _MASTERS,
    ("element", "<recvCmd src>"): _MASTERS,
    ("default message", "3pcc_abort"): (
        "tests/interop/test_3pcc_sipp.py::test_a_call_that_fails_here_is_given_up_there",
    ),
    ("option", "-3pcc"): _TWINS,
    ("option", "-master"): _MASTERS,
    ("option", "-slave"): _MASTERS,
    ("option", "-slave_cfg"): _MASTERS,
    ("option", "-sn"): ("tests/interop/test_compat_sipp.py::test_every_built_in_plays_with_sipps_counterpart",),
    ("option", "-sd"): ("tests/interop/test_scenario_sipp.py::test_built_in_scenarios_are_sipps",),
    ("option", "-h"): _CODES,
    ("option", "-help"): _CODES,
    ("option", "-v"): _CODES,
    ("option", "-oocsn"): _OUTSIDE,
    ("option", "-d"): ("tests/interop/test_compat_sipp.py::test_the_built_in_scenarios_send_the_same_bytes",),
    ("option", "-oocsf"): ("tests/compat/test_companions.py::test_requests_outside_of_calls",),
    ("option", "-trace_screen"): (f"{_FILES}test_screens",),
    ("option", "-screen_file"): (f"{_FILES}test_screens",),
    ("option", "-trace_shortmsg"): (f"{_FILES}test_short_messages",),
    ("option", "-shortmessage_file"): (f"{_FILES}test_short_messages",),
    ("file", "screens"): (f"{_FILES}test_screens",),
    ("file", "short messages"): (f"{_FILES}test_short_messages",),
    ("file", "errors"): (f"{_FILES}test_what_an_error_log_begins_with",),
    ("action", "<exec play_pcap_audio>"): ("tests/interop/test_compat_sipp.py::test_media_of_uac_pcap_reaches_sipp",),
    ("option", "-rtp_echo"): ("tests/interop/test_compat_sipp.py::test_media_of_uac_pcap_reaches_sipp",),
    ("action", "<exec rtp_stream>"): _PATTERNS,
    ("keyword", "[rtpstream_audio_port]"): _PATTERNS,
    ("action", "<exec play_dtmf>"): _DIGITS,
    ("option", "-min_rtp_port"): _PATTERNS,
    ("option", "-bg"): (
        "tests/compat/test_keys.py::test_in_the_background_the_printed_process_id_is_the_one_of_all_files",
    ),
    ("option", "-cp"): ("tests/compat/test_keys.py::test_the_control_socket_takes_keys_and_commands",),
    ("action", "<urlencode variable>"): (
        "tests/playbooks/test_actions.py::test_url_coding_keeps_what_rfc_3986_calls_unreserved",
    ),
    ("action", "<urldecode variable>"): (
        "tests/playbooks/test_actions.py::test_url_coding_keeps_what_rfc_3986_calls_unreserved",
    ),
    ("action", "<urlencode>"): (
        "tests/playbooks/test_actions.py::test_url_coding_keeps_what_rfc_3986_calls_unreserved",
    ),
    ("action", "<urldecode>"): (
        "tests/playbooks/test_actions.py::test_url_coding_keeps_what_rfc_3986_calls_unreserved",
    ),
    ("option", "-cid_type"): ("tests/compat/test_main.py::test_call_ids_are_made_as_asked_for",),
    ("option", "-rxsf"): ("tests/compat/test_companions.py::test_calls_come_in_while_others_go_out",),
    ("option", "-rfc3339"): ("tests/dumps/test_logfile.py::test_a_line_a_message",),
}
"""Tests that are no pairs, `file::function`."""

LATER: frozenset[Row] = frozenset(
    [
        *(
            ("option", f"-{name}")
            for name in [
                "audiotolerance",
                "videotolerance",
                "bind_to_device",
                "cid_type",
                "min_rtp_port",
                "max_rtp_port",
                "random_base_ssrc",
                "rfc3339",
                "rtpcheck_debug",
                "srtpcheck_debug",
                "rxsf",
                "rxinf",
                "rxrn",
            ]
        ),
        ("keyword", "[crypto...] (SRTP)"),
        ("action", "<urlencode>"),
        ("action", "<urlencode variable>"),
        ("action", "<urldecode>"),
        ("action", "<urldecode variable>"),
        ("action", "<exec rtp_echo>"),
    ]
)
"""Not in 3.6.1."""

DIFFERS: Mapping[Row, str] = {
    ("keyword", "[$name]"): "a number that is 0 prints `0.000000`, not nothing",
    ("keyword", "[len]"): "all of a message are filled in, and an empty body does not overwrite the headers after it",
    (
        "keyword",
        "[next_url]",
    ): "without a route set it is `[last_Request_URI]`, as in later versions; 3.6.1 prints nothing",
    ("keyword", "[media_port]"): "a line without audio or video may have it; 3.6.1 ends",
    ("keyword", "[sipp_version]"): "the version is this program's",
    ("action", "<jump>"): "in a `<recv>` it jumps; SIPp forgets it there",
    ("distribution", "negbin"): "parameters as in later versions; 3.6.1 swaps them",
    ("action", "<setdest>"): "only to loopback, the remote host, or what `--allow-net` names",
    ("option", "-trace_stat"): "times in microseconds instead of whole ms; all other columns are equal",
    ("option", "-trace_rtt"): "three decimals",
}
