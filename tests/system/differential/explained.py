# SPDX-License-Identifier: GPL-3.0-or-later
"""Where we answer otherwise than a peer, and are right: which peer, which kind of question, which part of the answer, and the text
that says so. A rule explains as little as it can, so that nothing else hides behind it; one that a long run never meets is
reported. Versions: Knot 3.2, NSD 4.6, BIND 9.18."""
import dataclasses
import re
import struct
import typing

import dns.edns
import dns.rcode
import dns.rdatatype

from differential.zones import lower, under, unescape


OUR_MAX = 1232  # bytes of ours over UDP, whatever the client takes


class Question:
    """A line of a query file, taken apart."""

    def __init__(self, line, zones, ask):
        words = line.split()
        self.line = line
        self.world = zones
        self.ask = ask  # (question) -> our whole answer to it, a dns.message or None, and its length
        self.answer = ...
        self.raw = words[0] == "\\#"
        self.flags = {word[1:].split("=")[0] for word in words if word.startswith("+")}
        self.tcp = "tcp" in self.flags
        self.qclass = "IN"
        self.name, self.type = (), ""
        if self.raw:
            self.bytes = bytes.fromhex("".join(word for word in words[2:] if word[0] != "+"))
            self.name = question_name(self.bytes)
        else:
            self.name, self.type = lower(unescape(words[0])), words[1]
            if len(words) > 2 and words[2][0] != "+":
                self.qclass = words[2]
        self.opcode = self.bytes[2] >> 3 & 15 if self.raw and len(self.bytes) > 2 else 0
        values = dict(word[1:].split("=", 1) for word in words if word.startswith("+") and "=" in word)
        self.opcode = int(values.get("opcode", self.opcode))
        self.version = int(values.get("edns", 0))
        self.edns = bool(self.flags & {"bufsize", "do", "edns", "subnet", "nsid", "cookie", "opt"})
        self.payload = int(values.get("bufsize", 1232 if self.edns else 0))
        self.options = edns_options(self.flags, values)  # as in a message
        self.ours_len = 0

    def zone(self, name=None):
        """The zone that the name (unless given, of the question) is in."""
        name = self.name if name is None else name
        zones = [zone for zone in self.world if under(name, zone.origin)]
        return max(zones, key=lambda zone: len(zone.origin), default=None)

    def ours(self):
        if self.answer is ...:
            self.answer, self.ours_len = self.ask(self)
        return self.answer

    def ours_rcode(self):
        return dns.rcode.to_text(self.ours().rcode()) if self.ours() is not None else None

    def ours_aliases(self):
        """[(owner, target)] of the CNAMEs in our answer, in order."""
        if self.raw and not self.name or self.ours() is None:
            return []
        return [(rrset.name.labels[:-1], rrset[0].target.labels[:-1]) for rrset in self.ours().answer if rrset.rdtype == 5]

    def targets(self):
        """What the SVCB records in our answer name."""
        return {lower(rrset[0].target.labels[:-1]) for rrset in self.ours().answer if rrset.rdtype in (64, 65)} \
            if self.ours() is not None else set()

    def all_names(self):
        return {name for zone in self.world for name in zone.rrsets}

    def plain(self):
        return not self.raw and self.qclass == "IN" and "opcode" not in self.flags


def edns_options(flags, values):
    """What the words of a question ask for in its OPT record. TCP keepalive (11) is left out: over UDP it is ignored."""
    options = []
    if "nsid" in flags:
        options.append((3, b""))
    if "cookie" in flags:
        options.append((10, b"\0" * 8))
    if "subnet" in flags:
        options.append((8, dns.edns.ECSOption.from_text(values["subnet"]).to_wire()))
    if "opt" in flags:
        code, _, data = values["opt"].partition(":")
        options += [(int(code), bytes.fromhex(data))] if code != "11" else []
    return b"".join(struct.pack("!HH", code, len(data)) + data for code, data in options)


def question_name(message):
    """The name of the first question, or ()."""
    labels, at = [], 12
    while at < len(message) and 0 < message[at] < 64:
        labels.append(message[at + 1:at + 1 + message[at]])
        at += 1 + message[at]
    return lower(tuple(labels)) if at < len(message) and message[at] == 0 else ()


@dataclasses.dataclass
class Rule:
    """`items` may only return what it is given."""
    name: str
    peers: tuple
    reason: str
    items: typing.Callable  # (question, items) -> those it explains

    def explains(self, question, items):
        return self.items(question, items)


def owner(item):
    return lower(unescape((item["old"] or item["new"]).split()[0]))


def record_type(item):
    words = (item["old"] or item["new"]).split()
    return next((word for word in words[1:4] if not word.isdigit()), "")


def of(items, *classes):
    return [item for item in items if item["class"] in classes]


def ours_rcode(items):
    return next((item["new"] for item in items if item["class"] == "rcode"), None)


def theirs_rcode(items):
    return next((item["old"] for item in items if item["class"] == "rcode"), None)


def cd_copied(_, items):
    return [item for item in of(items, "flags") if item["old"].split() + ["cd"] == item["new"].split()]


def subnet_echoed(question, items):
    return [item for item in of(items, "ecs") if "subnet" in question.flags and not question.version
            and item["old"] == "none" and item["new"].endswith("scope /0")]


def any_is_hinfo(question, items):
    if question.type != "ANY" or not question.plain():
        return []
    return of(items, "answer", "additional", "truncation", "order", "authority")


META = {"OPT": "FORMERR", "TSIG": "FORMERR", "TKEY": "NOTIMPL", "TYPE253": "NOTIMPL", "TYPE254": "NOTIMPL", "IXFR": "REFUSED"}


def any_through_dname(question, items):
    response = question.ours()
    if question.type != "ANY" or response is None or not any(rrset.rdtype == 39 for rrset in response.answer):
        return []
    return of(items, "rcode", "answer", "authority", "additional")


def meta_types(question, items):
    return items if META.get(question.type) and ours_rcode(items) == META[question.type] else []


def meta_flags(question, items):
    """BIND says NOTIMP or FORMERR too, and copies CD into it."""
    return of(items, "flags", "edns", "question") if question.type in META else []


def bind_meta_range(question, items):
    match = re.fullmatch(r"TYPE(\d+)", question.type)
    return items if match and 128 <= int(match.group(1)) < 256 and theirs_rcode(items) == "FORMERR" else []


def names_asked(question):
    return [question.name] + [lower(target) for _, target in question.ours_aliases()]


def star_asked(question):
    return any(name[:1] == (b"*",) for name in names_asked(question))


def star_unproved(question, items):
    if not star_asked(question):
        return []
    proofs = [item for item in only_ours(of(items, "authority")) if record_type(item) in PROOFS]
    return proofs + [item for item in of(items, "truncation") if proofs and item["new"] == "tc"]


def knot_pointer(question, items):
    return [item for item in of(items, "malformed") if item["new"] == "well formed" and question.type in ("HTTPS", "SVCB")]


def nsec_of_wildcard(question, items):
    """The NSEC record of a wildcard is the answer, and its own proof."""
    return only_ours(only_proofs(items)) if question.type == "NSEC" and (b"*",) + question.name[1:] in question.all_names() else []


def star_proved_more(question, items):
    return [item for item in of(items, "authority") if star_asked(question) and not item["new"] and record_type(item) in PROOFS]


def only_proofs(items):
    authority = of(items, "authority")
    return authority if all(record_type(item) in PROOFS for item in authority) else []


def nsd_dname_proof(question, items):
    response = question.ours()
    if response is None or not any(rrset.rdtype == 39 for rrset in response.answer):
        return []
    return only_ours(only_proofs(items))


def nsd_opt_out(question, items):
    zones = [question.zone(name) for name in names_asked(question)]
    return only_proofs(items) + of(items, "truncation") if any(zone is not None and zone.signed == "optout" for zone in zones) else []


def canonical(name):
    """RFC 4034 section 6.1."""
    return tuple(reversed(lower(name)))


def denies(item_text, name):
    """Does this NSEC record, as text, cover the name?"""
    words = item_text.split()
    first, last = canonical(unescape(words[0])), canonical(unescape(words[3]))
    return first < canonical(name) and (canonical(name) < last or last <= first)


def nsd_wildcard_nsec(question, items):
    """Ours covers a wildcard that is to be denied; theirs, another or none, does not."""
    proofs = only_proofs(items)
    stars = {(b"*",) + name[i:] for name in names_asked(question) for i in range(1, len(name))}
    ours = [item["new"] for item in proofs if item["new"] and record_type(item) == "NSEC"]
    theirs = [item["old"] for item in proofs if item["old"] and record_type(item) == "NSEC"]
    if not any(denies(record, star) for star in stars for record in ours if not any(denies(t, star) for t in theirs)):
        return []
    return proofs + [item for item in of(items, "truncation") if item["new"] == "tc"]


def nsd_more_proofs(question, items):
    """An NSEC record more, and none of ours missing."""
    proofs = only_proofs(items)
    signed = {zone.signed for zone in map(question.zone, names_asked(question)) if zone is not None}
    return proofs if "nsec" in signed and not only_ours(proofs) else []


def nsd_no_encloser(question, items):
    """NODATA of a wildcard: one NSEC3 record of ours is missing in theirs, nothing else is different."""
    proofs = only_proofs(items)
    hashes = {owner(item) for item in proofs}
    response = question.ours()
    nodata = response is not None and response.rcode() == 0 and sum(rrset.rdtype == 50 for rrset in response.authority) >= 3
    return proofs if nodata and len(hashes) == 1 and len(proofs) <= 2 and not any(item["old"] for item in proofs) else []


def ds_of_alias(question, items):
    origins = {lower(zone.origin) for zone in question.world}
    aliased = question.type == "DS" and any(lower(target) in origins for _, target in question.ours_aliases())
    return of(items, "answer", "authority", "rcode") if aliased else []


def nsec_at_cut(question, items):
    at_cut = any(name in zone.cuts for zone in question.world for name in names_asked(question))
    return items if question.type == "NSEC" and at_cut else []


def signature_ttl(_, items):
    """Theirs is lower than that of the set, ours is the set's: the signature's own field says which that is."""
    found = []
    for item in of(items, "ttl"):
        if record_type(item) == "RRSIG":
            old, new = item["old"].split(), item["new"].split()
            found += [item] if int(old[1]) < int(new[1]) and new[1] == new[6] else []
    return found


def some_signatures(question, items):
    return [item for item in of(items, "answer", "truncation") if question.type == "RRSIG" and not item["new"] or item["old"] == "tc"]


def type_zero(question, items):
    return items if question.type == "TYPE0" and theirs_rcode(items) in ("NOTIMPL", "FORMERR") else []


def other_opcode(question, items):
    """How they say no; not records, nor OPT that they have and we do not."""
    if not question.opcode:
        return []
    return of(items, "question", "flags", "rcode", "no-answer") + [item for item in of(items, "edns") if item["old"] == "none"]


def signed_for_all(question, items):
    """They do not look at TSIG."""
    return of(items, "rcode") if question.raw and ours_rcode(items) == "BADKEY" and \
        theirs_rcode(items) in ("NOTAUTH", "NOTIMPL", "REFUSED") else []


def signed_version(_, items):
    return of(items, "rcode") if (theirs_rcode(items), ours_rcode(items)) == (f"RCODE{9 | 16}", "BADVERS") else []


def malformed(question, items):
    if not question.raw or ours_rcode(items) not in (None, "FORMERR"):
        return []
    return items if question.ours_rcode() == "FORMERR" or len(question.bytes) < 12 else []


def more_records(question, items):
    """A record that is no OPT in the additional section of a query."""
    return items if question.raw and question.bytes[10:12] in (b"\0\1", b"\0\2") and theirs_rcode(items) == "FORMERR" else []


def only_ours(items):
    return [item for item in items if not item["old"]]


def end_of_chain(question, items):
    """What comes after the point where they stop following: more records on our side, perhaps another RCODE; of theirs only what says
    where the chain stopped."""
    return of(items, "answer", "authority", "additional", "rcode", "truncation")


def long_chain(question, items):
    aliases = question.ours_aliases()
    if len(aliases) < 5 or of(items, "flags") or any(item["old"] for item in of(items, "answer", "additional")):
        return []
    return end_of_chain(question, items)


PROOFS = ("DS", "RRSIG", "NSEC", "NSEC3")


def other_zone(question, items):
    """They stop where the chain leaves the zone that it began in; a child of that zone looks like a delegation to them."""
    start = question.zone()
    zones = [question.zone(target) for _, target in question.ours_aliases()]
    if start is None or not any(zone is not None and zone is not start for zone in zones):
        return []
    foreign = []
    for item in of(items, "answer", "authority", "additional"):
        if item["old"] and record_type(item) not in ("NS", "A", "AAAA", "SOA", *PROOFS):
            return []
        if item["class"] == "answer" and item["old"]:
            return []
        foreign.append(item)
    return foreign + of(items, "rcode") + [item for item in of(items, "truncation") if item["new"] == "tc" and foreign]


def at_alias(question, items):
    aliases = [item for item in of(items, "answer") if item["old"] and record_type(item) == "CNAME" and owner(item) == question.name]
    return of(items, "answer", "authority", "rcode", "additional", "order", "ttl") if question.type in ("NSEC", "RRSIG") and aliases \
        else []


def our_chain(question, items):
    """We stop after twelve names."""
    return end_of_chain(question, items) if len(question.ours_aliases()) >= 11 else []


def too_long(question, items):
    return of(items, "rcode", "answer", "authority") if question.ours_rcode() == "YXDOMAIN" else []


def no_room(question, items):
    """What the UDP answer had no room for and the TCP answer has; theirs may be cut for it."""
    response = question.ours()
    if question.tcp or response is None or ours_is_cut(items):
        return []
    there = {(lower(rrset.name.labels[:-1]), dns.rdatatype.to_text(rrset.rdtype)) for rrset in response.additional}
    missing = [item for item in of(items, "additional") if not item["new"] and (owner(item), record_type(item)) in there]
    return missing + (of(items, "truncation") if missing else [])


def ours_is_cut(items):
    return any(item["new"] == "tc" for item in of(items, "truncation"))


def room_for_others(question, items):
    """A referral in which NSD had room for other addresses, none of them required."""
    return [] if question.tcp else referral_addresses(question, items)


def looped(question, items):
    aliases = question.ours_aliases()
    if len(aliases) >= 11:
        return items if theirs_rcode(items) == "SERVFAIL" else []
    owners = {lower(name) for name, _ in aliases}
    return items if theirs_rcode(items) == "SERVFAIL" and aliases and lower(aliases[-1][1]) in owners else []


def referral_addresses(question, items):
    """Addresses of name servers that we have by authority, outside of the delegation."""
    response = question.ours()
    if response is None or not any(rrset.rdtype == 2 for rrset in response.authority):
        return []
    return [item for item in only_ours(of(items, "additional")) if record_type(item) in ("A", "AAAA", "RRSIG")]


def optional_additional(question, items):
    """Addresses of what MX, SRV or NS records of the answer name."""
    response = question.ours()
    if response is None or not any(rrset.rdtype in (2, 15, 33, 64, 65) for rrset in response.answer):
        return []
    return [item for item in only_ours(of(items, "additional")) if record_type(item) in ("A", "AAAA", "SVCB", "HTTPS", "RRSIG")]


def more_additional(question, items):
    """What AFSDB, KX, NAPTR and RP name; behind a SVCB target what it is an alias of; what a wildcard makes of a target; glue below a
    cut."""
    extra = [item for item in of(items, "additional") if not item["new"]]
    if question.type in ("AFSDB", "KX", "NAPTR", "RP"):
        return extra
    if question.type not in ("MX", "SRV", "SVCB", "HTTPS") or question.ours() is None or not question.ours().answer:
        return []
    found = []
    for item in extra:
        name = owner(item)
        zone = question.zone(name)
        below = any(name[i:] in other.cuts for other in question.world for i in range(len(name)))
        made = zone is not None and name not in zone.rrsets
        behind = question.type in ("SVCB", "HTTPS") and (name not in question.targets() or record_type(item) == "CNAME")
        if below or made or behind or name[0] == b"*" or record_type(item) in PROOFS:
            found.append(item)
    return found


def star_target(_, items):
    return [item for item in only_ours(of(items, "additional")) if owner(item)[0] == b"*"]


def twice(question, items):
    """A record that both have, and they once more."""
    response = question.ours()
    there = {(lower(rrset.name.labels[:-1]), dns.rdatatype.to_text(rrset.rdtype)) for rrset in response.answer + response.additional} \
        if response else ()
    return [item for item in of(items, "answer", "additional") if not item["new"] and (owner(item), record_type(item)) in there]


def made_by_wildcard(question, items):
    """Addresses of a name server that is not in the zone, but matches a wildcard there."""
    response = question.ours()
    if response is None or not any(rrset.rdtype == 2 for rrset in response.authority):
        return []
    made = []
    for item in of(items, "additional"):
        zone = question.zone(owner(item))
        if not item["new"] and zone is not None and owner(item) not in zone.rrsets:
            made.append(item)
    return made


def knot_svcb(question, items):
    return [item for item in only_ours(of(items, "additional")) if question.type in ("SVCB", "HTTPS")
            and record_type(item) in ("A", "AAAA", question.type, "RRSIG")]


def shared_tree(question, items):
    """A name above the question's, or the alias's target's, that only another zone of the server has, as glue or below a cut."""
    names = [question.name] + [lower(target) for _, target in question.ours_aliases()]
    for name in names:
        zone = question.zone(name)
        if zone is None:
            continue
        for other in question.world:
            hidden = [there for there in other.rrsets if other is not zone and under(there, zone.origin)]
            if any(under(name, there[i:]) and there[i:] not in zone.rrsets for there in hidden
                   for i in range(len(there) - len(zone.origin))):
                return of(items, "rcode", "answer", "authority", "additional")
    return []


def nsd_rcode(question, items):
    given = "rcode" in question.flags or question.raw and question.bytes[3:4] and question.bytes[3] & 0xf
    if given and theirs_rcode(items) == "FORMERR":
        return items
    return items if given and any(item["old"] == "none" for item in of(items, "question", "edns")) else []


def nsd_badvers(question, items):
    if not question.version:
        return []
    return [item for item in of(items, "edns", "flags", "truncation")
            if item["class"] != "edns" or item["old"] + " do" == item["new"]]


def bind_ad(question, items):
    return [item for item in of(items, "flags") if "ad" in question.flags
            and [flag for flag in item["old"].split() if flag != "ad"] == item["new"].split()]


def shorter(_, items):
    """They set TC, and the whole answers are alike."""
    return items if [(item["class"], item["old"]) for item in items] == [("truncation", "tc")] else []


def over_limit(question):
    """Is our whole answer in truth longer than what was asked for?"""
    return question.ours() is not None and question.ours_len > min(max(question.payload, 512), OUR_MAX)


def longer(question, items):
    """We set TC, and the whole answers are alike."""
    return items if [(item["class"], item["new"]) for item in items] == [("truncation", "tc")] and over_limit(question) else []


def knot_no_room(question, items):
    """Over UDP ours is more than half of the limit, and only addresses are missing in theirs."""
    close = question.ours() is not None and 2 * question.ours_len > min(max(question.payload, 512), OUR_MAX)
    return optional_additional(question, items) if close and not question.tcp else []


def knot_empty(question, items):
    """Opt-out: neither alias nor proof, and no AA; everything is ours alone."""
    opt_out = any(zone is not None and zone.signed == "optout" for zone in map(question.zone, names_asked(question)))
    flags = of(items, "flags")
    empty = flags and "aa" not in flags[0]["old"].split() and not any(item["old"] for item in of(items, "answer", "authority"))
    return items if opt_out and empty else []


def knot_partial(question, items):
    """We set TC, they do not and leave out authority records."""
    cut = [item for item in of(items, "truncation") if item["new"] == "tc"]
    missing = only_ours(of(items, "authority"))
    return cut + missing if cut and missing and len(cut + missing) == len(items) and over_limit(question) else []


def nsec3_at_alias(question, items):
    return of(items, "answer", "authority", "rcode", "additional") if question.type == "NSEC3" and question.ours_aliases() else []


def old_types(question, items):
    if question.type not in ("SIG", "KEY", "TYPE30"):
        return []
    return of(items, "answer", "authority", "rcode", "additional") if question.ours_aliases() else only_ours(only_proofs(items))


def nsd_errors(question, items):
    """FORMERR without the question, and no OPT."""
    return of(items, "question", "edns") if question.raw else []


RULES = [
    Rule("signature-ttl", ("nsd", "bind"), "RFC 4034 section 3: the TTL of an RRSIG MUST match that of what it covers; dnssec-signzone writes "
         "a smaller one for TTLs above its validity, which NSD and BIND pass on and Knot corrects, too.", signature_ttl),
    Rule("cd-copied", ("knot", "nsd"), "RFC 4035 section 3.1.6: the CD bit MUST be copied from a query into the response; BIND does.",
         cd_copied),
    Rule("subnet-echoed", ("knot", "nsd", "bind"), "RFC 7871 section 7.2.1: a server that knows the option answers with it, scope 0 for "
         "what does not depend on the client; the peers do not use it.", subnet_echoed),
    Rule("any-is-hinfo", ("knot", "nsd", "bind"), "RFC 8482 section 4.2: ANY may be answered with a HINFO record made up for it; the "
         "peers choose sections 4.1 or 4.3.", any_is_hinfo),
    Rule("any-through-dname", ("bind",), "RFC 6672 section 3.2 step 3c: after the CNAME is made up the search goes on for its target, "
         "whatever QTYPE; BIND stops for ANY.", any_through_dname),
    Rule("meta-types", ("knot", "nsd", "bind"), "RFC 6895 section 3.1: OPT and TSIG are meta-types, no question can ask for them "
         "(FORMERR, as BIND); TKEY, MAILA and MAILB are not implemented, and saying NOTIMP is honest; Knot and NSD look for data.",
         meta_types),
    Rule("meta-flags", ("bind",), "RFC 4035 section 3.1.6: the CD bit is copied, into errors about meta-types too.", meta_flags),
    Rule("bind-meta-range", ("bind",), "RFC 6895 section 3.1: 128 to 255 are for QTYPEs and meta-types, most of them not assigned; "
         "RFC 3597 section 2: an unknown type is data.", bind_meta_range),
    Rule("type-zero", ("knot", "bind"), "RFC 6895 section 3.1: type 0 is reserved for a special indicator and never in a zone; as for "
         "every type that is not there the answer is NODATA or NXDOMAIN, as NSD's.", type_zero),
    Rule("other-opcode", ("knot", "nsd", "bind"), "RFC 1035 section 4.1.1, RFC 8906 section 3.1.4: NOTIMP for every other opcode and class; "
         "RD is copied; what stands in the message is no question and not repeated; an OPT record is answered with one (RFC 6891 "
         "section 6.1.1), or BADVERS (section 6.1.3). The peers differ among themselves: BIND drops some classes, Knot refuses some, NSD "
         "sends no OPT.", other_opcode),
    Rule("signed-for-all", ("knot",), "RFC 8945 section 5.2: a TSIG record is checked before anything is answered, as by NSD and BIND; "
         "Knot answers some questions without.", signed_for_all),
    Rule("signed-version", ("nsd",), "RFC 6891 section 6.1.3: BADVERS; NSD adds the bits of NOTAUTH to it.", signed_version),
    Rule("malformed", ("knot", "nsd", "bind"), "RFC 1035 section 4.1.1: FORMERR for what cannot be interpreted: counts that are not "
         "true, records where a query has none, options that are cut (RFC 6891 section 6.1.2), a client subnet with a scope (RFC "
         "7871 section 6), two OPT records (RFC 6891 section 6.1.1, and section 7: with OPT in the response). The peers drop, "
         "overlook or answer without OPT some of it, each another part.", malformed),
    Rule("more-records", ("nsd",), "RFC 1035 section 4.1: a query may carry additional records; NSD takes OPT and TSIG only.",
         more_records),
    Rule("nsd-errors", ("nsd",), "RFC 6891 section 7: FORMERR of a server that knows EDNS has OPT.", nsd_errors),
    Rule("bind-loop", ("bind",), "RFC 1034 section 3.6.2: CNAME loops should be caught, the records are the answer and say so; BIND 9.18 "
         "gives SERVFAIL.", looped),
    Rule("long-chain", ("knot",), "RFC 1034 section 4.3.2 step 3a: the alias is followed; Knot follows five, the client has to ask for "
         "the rest.", long_chain),
    Rule("other-zone", ("knot", "bind"), "RFC 1034 section 4.3.2 step 3a: 'go back to step 1', that is: find the nearest zone for the "
         "alias's target, which may be another; NSD does.", other_zone),
    Rule("at-alias", ("nsd",), "RFC 4035 section 2.5: RRSIG and NSEC belong beside a CNAME, so a question for them is one about the "
         "alias itself, as in Knot and BIND; NSD follows the alias.", at_alias),
    Rule("our-chain", ("nsd",), "RFC 1034 section 4.3.2 sets no length; after twelve names the client asks on by itself.", our_chain),
    Rule("too-long", ("knot",), "RFC 6672 section 2.2: a name that DNAME makes too long is YXDOMAIN, and that is all; BIND and NSD say "
         "so, Knot denies the name.", too_long),
    Rule("no-room", ("knot", "nsd", "bind"), "RFC 9471 section 3.2: glue for siblings and other addresses need not fit and do not set TC; "
         "over TCP they are there.", no_room),
    Rule("room-for-others", ("nsd",), "RFC 9471 section 3.2: what fits of addresses that are not required is the server's choice.",
         room_for_others),
    Rule("referral-addresses", ("knot", "bind"), "RFC 1034 section 4.3.2 step 3b: whatever addresses are available, glue where there is "
         "no authoritative data; NSD does.", referral_addresses),
    Rule("optional-additional", ("nsd", "bind"), "RFC 1034 section 4.3.2 step 6: other useful data may go along; NSD sends none with "
         "minimal-responses.", optional_additional),
    Rule("more-additional", ("knot", "bind"), "RFC 2181 section 5.4.1: glue has its place in referrals; RFC 9460 section 4.1 asks "
         "for the target's own records, not for what an alias or a wildcard leads to, and would have proofs, which a validator that "
         "wants them asks for; addresses for the names of AFSDB, KX, NAPTR and "
         "RP records are optional.", more_additional),
    Rule("nsd-shared-tree", ("nsd",), "RFC 4592 section 3.3.1: the closest encloser is a name of this zone; NSD keeps all zones in one "
         "tree and takes a name that only the parent zone has, as glue, for it, so that a wildcard no longer matches. Knot and BIND "
         "find the wildcard.", shared_tree),
    Rule("made-by-wildcard", ("knot", "nsd", "bind"), "RFC 9471 section 3: glue is what the zone has below the cut; what a wildcard would "
         "make of a name server's name is authoritative data that the client can ask for.", made_by_wildcard),
    Rule("star-target", ("knot",), "RFC 4592 section 2.1.1: a name that starts with an asterisk is a name; its addresses go along.",
         star_target),
    Rule("knot-twice", ("knot",), "RFC 2181 section 5: an RRset has no record twice; Knot sends the addresses of a target again for each "
         "record that names it, and the alias of a wildcard that leads to itself.", twice),
    Rule("knot-svcb", ("knot",), "RFC 9460 section 4.1: A, AAAA and SVCB records of each target; section 2.5: '.' stands for the owner. "
         "Knot takes it for the root, and sends SVCB records only for the target of an alias.", knot_svcb),
    Rule("nsd-rcode", ("nsd",), "RFC 1035 section 4.1.1: RCODE is set in responses; that of a query says nothing.", nsd_rcode),
    Rule("nsd-badvers", ("nsd",), "RFC 6891 section 6.1.4: DO is copied into the response, BADVERS included; Z and TC of a query mean "
         "nothing (RFC 1035 section 4.1.1).", nsd_badvers),
    Rule("nsd-nsec3-at-alias", ("nsd",), "RFC 1034 section 4.3.2 step 3a: QTYPE does not match CNAME, so the alias is followed; BIND and "
         "Knot do.", nsec3_at_alias),
    Rule("bind-ad", ("bind",), "RFC 4035 section 3.1.6: AD says that data are authentic; nothing in an unsigned zone is.", bind_ad),
    Rule("bind-old-types", ("bind",), "RFC 2535 let SIG, KEY and NXT stand beside a CNAME; it is obsolete (RFC 4034 section 1), and the "
         "alias is followed, and a wildcard without them proved, as by Knot and NSD.", old_types),
    Rule("shorter", ("knot", "nsd", "bind"), "RFC 1035 section 4.1.4: names may be compressed; what fits thanks to that is whole.",
         shorter),
    Rule("knot-no-room", ("knot",), "RFC 1034 section 4.3.2 step 6: other useful data may go along; Knot sends an address for each record "
         "that names it and so has room for fewer.", knot_no_room),
    Rule("knot-empty", ("knot",), "RFC 1034 section 4.3.2 step 3a: the alias is in the answer, with AA; Knot gives an empty NXDOMAIN when the "
         "closest encloser has no NSEC3 record for opt-out, NSD and BIND answer as we do.", knot_empty),
    Rule("knot-partial", ("knot",), "RFC 2181 section 9, RFC 4035 section 3.1.1: what belongs to an answer and does not fit sets TC; at the "
         "end of a chain of aliases Knot leaves SOA and proofs out without.", knot_partial),
    Rule("longer", ("knot", "nsd", "bind"), "RFC 1035 section 4.1.4: compression is optional; ours finds fewer names again in long chains, and what "
         "then does not fit is cut (section 4.1.1).", longer),
    Rule("star-unproved", ("knot",), "RFC 4035 sections 3.1.3.3 and 3.1.3.4, RFC 5155 section 7.2.5: what a wildcard answers is proved "
         "whatever the first label of QNAME; Knot leaves the proof out when it is an asterisk.", star_unproved),
    Rule("knot-pointer", ("knot",), "RFC 1035 section 4.1.4: a pointer is to a prior occurrence; where a record of the additional section did "
         "not fit, Knot points forward to what it left out.", knot_pointer),
    Rule("nsec-of-wildcard", ("knot",), "RFC 4035 section 3.1.3.3: an answer made of a wildcard has the NSEC record that proves no closer "
         "match; Knot leaves it out when a wildcard's NSEC record is asked for, since it is in the answer, but under another name.",
         nsec_of_wildcard),
    Rule("star-proved-more", ("nsd",), "RFC 5155 section 7.2.3: one NSEC3 record proves NODATA of a name that is there, be it a wildcard; NSD "
         "adds one that proves nothing more.", star_proved_more),
    Rule("nsd-dname-proof", ("nsd",), "RFC 4035 section 3.1.3.2: what a DNAME leads to and is not there is proved absent; NSD leaves it out, "
         "Knot and BIND do not.", nsd_dname_proof),
    Rule("nsd-opt-out", ("nsd",), "RFC 5155 section 7.2.1: the closest provable encloser is an ancestor that has an NSEC3 record; NSD "
         "proves with one that opt-out left without.", nsd_opt_out),
    Rule("nsd-wildcard-nsec", ("nsd",), "RFC 4035 section 3.1.3.2: the NSEC record must cover the wildcard in canonical order (RFC 4034 "
         "section 6.1), where the descendants of a name come right after it; NSD forgets them. Checked against both records.",
         nsd_wildcard_nsec),
    Rule("nsd-more-proofs", ("nsd",), "RFC 4035 section 3.1.3: no more NSEC records than prove the answer.", nsd_more_proofs),
    Rule("nsd-no-encloser", ("nsd",), "RFC 5155 section 7.2.5: NODATA of a wildcard has the whole closest encloser proof; NSD leaves one "
         "record out.", nsd_no_encloser),
    Rule("ds-of-alias", ("knot", "bind"), "RFC 4035 section 3.1.4.1: DS is on the parent's side, also for what an alias leads to; NSD "
         "finds it there.", ds_of_alias),
    Rule("nsec-at-cut", ("bind",), "RFC 4035 section 3.1: the NSEC record of a delegation is on both sides and either may answer; we refer to "
         "the child, as Knot and NSD.", nsec_at_cut),
    Rule("some-signatures", ("nsd", "bind"), "RFC 8482 section 7: a question for RRSIG may be answered with a part of them, as by Knot.",
         some_signatures),
]
