# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of differential/explained.py against differences made up: what each explains, and what it must leave."""
import collections
import types

import dns.message
import pytest

from differential.explained import RULES, Question
from differential.harness import Difference

QUESTION = "name.example. TXT +bufsize=512 +do"
CUT = {"class": "truncation", "old": "whole", "new": "tc"}


def item(kind, old="", new=""):
    return {"class": kind, "old": old, "new": new}


def signature(ttl, original=2147483647):
    return f"name.example. {ttl} RRSIG TXT 13 2 {original} 20261222132649 20261122132649 63255 example. c2ln"


def left(peer, items, question=QUESTION, length=100, answer="", zones=()):
    """The items that no rule explains, and the names of the rules that explained some; `answer`: ours, as text of sections."""
    message = dns.message.from_text(f"id 1\nopcode QUERY\nrcode NOERROR\nflags QR AA\n{answer}", one_rr_per_rrset=True)
    world = types.SimpleNamespace(zones=list(zones), ask=lambda _: (message, length))
    hits = collections.Counter()
    return Difference(peer, question, items).left(RULES, world, hits), set(hits)


@pytest.mark.parametrize("peer", ["knot", "nsd", "bind"])
def test_ours_is_cut_only_where_it_is_too_long(peer):
    assert left(peer, [CUT], length=513) == ([], {"longer"})
    assert left(peer, [CUT], length=512) == ([CUT], set())
    assert left(peer, [CUT], question="name.example. TXT +bufsize=1232", length=1232) == ([CUT], set())
    other = item("answer", "name.example. 300 TXT \"theirs\"")
    assert left(peer, [CUT, other], length=513) == ([CUT, other], set())


def test_what_an_answer_has_in_its_opt_record_counts():
    assert Question("name.example. A +bufsize=512 +nsid +subnet=192.0.2.0/24 +opt=65001:0102", [], None).options == \
        bytes.fromhex("00030000" "00080007000118" "00c00002" "fde900020102")
    assert Question("name.example. A +opt=11", [], None).options == b""
    assert Question("name.example. A +cookie", [], None).options[:4] == bytes.fromhex("000a0008")


def test_a_signature_lives_as_long_as_its_set():
    clipped = item("ttl", signature(2592000), signature(2147483647))
    assert left("nsd", [CUT, clipped], length=514) == ([], {"signature-ttl", "longer"})
    assert left("bind", [clipped]) == ([], {"signature-ttl"})
    assert left("knot", [clipped]) == ([clipped], set())
    for wrong in (item("ttl", signature(2147483647), signature(2592000)), item("ttl", signature(60), signature(300)),
                  item("ttl", "name.example. 60 TXT \"x\"", "name.example. 300 TXT \"x\"")):
        assert left("nsd", [wrong]) == ([wrong], set())


def test_what_cannot_be_read_is_explained_of_knot_and_targets_alone():
    pointer, ours = item("malformed", "malformed data", "well formed"), item("malformed", "well formed", "malformed data")
    assert left("knot", [pointer], question="name.example. HTTPS") == ([], {"knot-pointer"})
    assert left("knot", [pointer]) == ([pointer], set())
    for peer in ("knot", "nsd", "bind"):
        assert left(peer, [ours], question="name.example. HTTPS") == ([ours], set())
    assert left("bind", [pointer], question="name.example. HTTPS") == ([pointer], set())


def test_other_opcodes_explain_no_records():
    record, opt = item("answer", "", "name.example. 300 A 192.0.2.1"), item("edns", "version 0 size 1232", "none")
    refused, none = item("rcode", "REFUSED", "NOTIMPL"), item("edns", "none", "version 0 size 1232")
    question = "name.example. A +opcode=2 +edns=0"
    assert left("knot", [refused, none, record, opt], question=question) == ([record, opt], {"other-opcode"})
    assert left("knot", [refused], question="name.example. A") == ([refused], set())


def test_signed_questions_explain_rcodes_alone():
    signed = "\\# 12 000100000001000000000001"
    refused, record = item("rcode", "REFUSED", "BADKEY"), item("answer", "name.example. 300 A 192.0.2.1")
    assert left("knot", [refused, record], question=signed) == ([record], {"signed-for-all"})
    assert left("bind", [refused], question=signed) == ([refused], set())
    answered = item("rcode", "NOERROR", "BADKEY")
    assert left("knot", [answered], question=signed) == ([answered], set())
    assert left("nsd", [item("rcode", "RCODE25", "BADVERS")], question=signed) == ([], {"signed-version"})
