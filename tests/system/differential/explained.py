# SPDX-License-Identifier: GPL-3.0-or-later
"""Where we answer otherwise than a peer, and are right: which peer, which kind of question, which part of the answer, and the text
that says so. A rule explains as little as it can, so that nothing else hides behind it; one that a long run never meets is
reported. Versions: Knot 3.2, NSD 4.6, BIND 9.18."""
import dataclasses
import re
import typing

import dns.rcode
import dns.rdatatype

from differential.zones import lower, under, unescape


OPT_LEN = 11  # bytes, without options
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
        values = dict(word[1:].split("=", 1) for word in words if word.startswith("+") and "=" in word)
        self.version = int(values.get("edns", 0))
        self.edns = bool(self.flags & {"bufsize", "do", "edns", "subnet", "nsid", "cookie", "opt"})
        self.payload = int(values.get("bufsize", 1232 if self.edns else 0))
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

    def behind_targets(self):
        """The names that the targets of the SVCB records in our answer are aliases of, in the zone."""
        zone, names = self.zone(), set()
        targets = [rrset[0].target for rrset in self.ours().answer if rrset.rdtype in (64, 65)] if self.ours() is not None else []
        for name in (lower(target.labels[:-1]) for target in targets):
            while zone is not None and name not in names and "CNAME" in zone.types(name):
                name = lower(unescape(zone.types(name)["CNAME"][1][0]))
                names.add(name)
        return names

    def plain(self):
        return not self.raw and self.qclass == "IN" and "opcode" not in self.flags


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
    return [item for item in of(items, "ecs") if "subnet" in question.flags and item["old"] == "none"
            and item["new"].endswith("scope /0")]


def any_is_hinfo(question, items):
    if question.type != "ANY" or not question.plain():
        return []
    return of(items, "answer", "additional", "truncation", "order", "authority")


META = {"OPT": "FORMERR", "TSIG": "FORMERR", "TKEY": "NOTIMPL", "TYPE253": "NOTIMPL", "TYPE254": "NOTIMPL", "IXFR": "REFUSED"}


def meta_types(question, items):
    return items if META.get(question.type) and ours_rcode(items) == META[question.type] else []


def meta_flags(question, items):
    """BIND says NOTIMP or FORMERR too, and copies CD into it."""
    return of(items, "flags", "edns", "question") if question.type in META else []


def bind_meta_range(question, items):
    match = re.fullmatch(r"TYPE(\d+)", question.type)
    return items if match and 128 <= int(match.group(1)) < 256 and theirs_rcode(items) == "FORMERR" else []


def type_zero(question, items):
    return items if question.type == "TYPE0" and theirs_rcode(items) in ("NOTIMPL", "FORMERR") else []


def other_opcode(question, items):
    return items if "opcode" in question.flags or question.raw and question.bytes[2:3] and question.bytes[2] & 0x78 else []


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
    return of(items, "answer", "authority", "additional", "rcode", "truncation", "ttl", "flags")


def long_chain(question, items):
    aliases = question.ours_aliases()
    if len(aliases) < 5 or of(items, "flags") or any(item["old"] for item in of(items, "answer", "additional")):
        return []
    return end_of_chain(question, items)


def other_zone(question, items):
    """They stop where the chain leaves the zone that it began in; a child of that zone looks like a delegation to them."""
    start = question.zone()
    zones = [question.zone(target) for _, target in question.ours_aliases()]
    if start is None or not any(zone is not None and zone is not start for zone in zones):
        return []
    foreign = []
    for item in of(items, "answer", "authority", "additional"):
        if item["old"] and record_type(item) not in ("NS", "A", "AAAA", "SOA"):
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
    return items if theirs_rcode(items) == "NXDOMAIN" and ours_rcode(items) == "YXDOMAIN" else []


def no_room(question, items):
    """What the UDP answer had no room for and the TCP answer has."""
    response = question.ours()
    if question.tcp or response is None or ours_is_cut(items):
        return []
    there = {(rrset.name.labels[:-1], rrset.rdtype) for rrset in response.additional}
    there = {(lower(name), dns.rdatatype.to_text(rdtype)) for name, rdtype in there}
    return [item for item in items if item["class"] == "additional" and not item["new"]
            and (owner(item), record_type(item)) in there or item["class"] == "truncation" and item["old"] == "tc"]


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
    return [item for item in only_ours(of(items, "additional")) if record_type(item) in ("A", "AAAA")]


def optional_additional(question, items):
    """Addresses of what MX, SRV or NS records of the answer name."""
    response = question.ours()
    if response is None or not any(rrset.rdtype in (2, 15, 33, 64, 65) for rrset in response.answer):
        return []
    return [item for item in only_ours(of(items, "additional")) if record_type(item) in ("A", "AAAA", "SVCB", "HTTPS")]


def more_additional(question, items):
    """What AFSDB, KX, NAPTR and RP name; behind a SVCB target the alias it is, what a wildcard makes of it, glue below a cut."""
    extra = [item for item in of(items, "additional") if not item["new"]]
    if question.type in ("AFSDB", "KX", "NAPTR", "RP"):
        return extra
    if question.type not in ("MX", "SRV", "SVCB", "HTTPS"):
        return []
    response = question.ours()
    aliases = {owner(item) for item in extra if record_type(item) == "CNAME"}
    behind = {lower(unescape(item["old"].split()[-1])) for item in extra if record_type(item) == "CNAME"}
    behind |= {lower(target) for _, target in question.ours_aliases()} | question.behind_targets()
    zone = question.zone()
    found = []
    for item in extra:
        name = owner(item)
        below = zone is not None and any(name[i:] in zone.cuts for i in range(len(name)))
        made = zone is not None and under(name, zone.origin) and name not in zone.rrsets
        if below or made or name in aliases | behind or name[0] == b"*":
            found.append(item)
    return found if response is not None and response.answer else []


def twice(question, items):
    """A record that both have, and they once more."""
    response = question.ours()
    there = {(lower(rrset.name.labels[:-1]), dns.rdatatype.to_text(rrset.rdtype)) for rrset in response.answer + response.additional} \
        if response else ()
    return [item for item in of(items, "additional") if not item["new"] and (owner(item), record_type(item)) in there]


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
            and record_type(item) in ("A", "AAAA", question.type)]


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


def longer(question, items):
    """We set TC, the whole answers are alike, and ours is in truth longer than what was asked for."""
    if [(item["class"], item["new"]) for item in items] != [("truncation", "tc")] or question.ours() is None:
        return []
    return items if question.ours_len + (OPT_LEN if question.edns else 0) > min(max(question.payload, 512), OUR_MAX) else []


def nsec3_at_alias(question, items):
    return of(items, "answer", "authority", "rcode", "additional") if question.type == "NSEC3" and question.ours_aliases() else []


def old_types(question, items):
    return of(items, "answer", "authority", "rcode", "additional") if question.type in ("SIG", "KEY", "TYPE30") \
        and question.ours_aliases() else []


def nsd_errors(question, items):
    """FORMERR without the question, and no OPT."""
    return of(items, "question", "edns") if question.raw else []


RULES = [
    Rule("cd-copied", ("knot", "nsd"), "RFC 4035 section 3.1.6: the CD bit MUST be copied from a query into the response; BIND does.",
         cd_copied),
    Rule("subnet-echoed", ("knot", "nsd", "bind"), "RFC 7871 section 7.2.1: a server that knows the option answers with it, scope 0 for "
         "what does not depend on the client; the peers do not use it.", subnet_echoed),
    Rule("any-is-hinfo", ("knot", "nsd", "bind"), "RFC 8482 section 4.2: ANY may be answered with a HINFO record made up for it; the "
         "peers choose sections 4.1 or 4.3.", any_is_hinfo),
    Rule("meta-types", ("knot", "nsd", "bind"), "RFC 6895 section 3.1: OPT and TSIG are meta-types, no question can ask for them "
         "(FORMERR, as BIND); TKEY, MAILA and MAILB are not implemented, and saying NOTIMP is honest; Knot and NSD look for data.",
         meta_types),
    Rule("meta-flags", ("bind",), "RFC 4035 section 3.1.6: the CD bit is copied, into errors about meta-types too.", meta_flags),
    Rule("bind-meta-range", ("bind",), "RFC 6895 section 3.1: 128 to 255 are for QTYPEs and meta-types, most of them not assigned; "
         "RFC 3597 section 2: an unknown type is data.", bind_meta_range),
    Rule("type-zero", ("knot", "bind"), "RFC 6895 section 3.1: type 0 is reserved for a special indicator and never in a zone; as for "
         "every type that is not there the answer is NODATA or NXDOMAIN, as NSD's.", type_zero),
    Rule("other-opcode", ("knot", "nsd", "bind"), "RFC 1035 section 4.1.1, RFC 8906 section 3.1.4: NOTIMP; what stands behind the header "
         "is only defined for known opcodes, so nothing of it is read or repeated, as in NSD.", other_opcode),
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
    Rule("too-long", ("knot",), "RFC 6672 section 2.2: a name that DNAME makes too long is YXDOMAIN; BIND and NSD say so.", too_long),
    Rule("no-room", ("knot", "nsd", "bind"), "RFC 9471 section 3.2: glue for siblings and other addresses need not fit and do not set TC; "
         "over TCP they are there.", no_room),
    Rule("room-for-others", ("nsd",), "RFC 9471 section 3.2: what fits of addresses that are not required is the server's choice.",
         room_for_others),
    Rule("referral-addresses", ("knot", "bind"), "RFC 1034 section 4.3.2 step 3b: whatever addresses are available, glue where there is "
         "no authoritative data; NSD does.", referral_addresses),
    Rule("optional-additional", ("nsd", "bind"), "RFC 1034 section 4.3.2 step 6: other useful data may go along; NSD sends none with "
         "minimal-responses.", optional_additional),
    Rule("more-additional", ("knot", "bind"), "RFC 2181 section 5.4.1: glue has its place in referrals; RFC 9460 section 4.1 asks "
         "for the target's own records, not for what an alias or a wildcard leads to; addresses for the names of AFSDB, KX, NAPTR and "
         "RP records are optional.", more_additional),
    Rule("nsd-shared-tree", ("nsd",), "RFC 4592 section 3.3.1: the closest encloser is a name of this zone; NSD keeps all zones in one "
         "tree and takes a name that only the parent zone has, as glue, for it, so that a wildcard no longer matches. Knot and BIND "
         "find the wildcard.", shared_tree),
    Rule("made-by-wildcard", ("knot", "nsd", "bind"), "RFC 9471 section 3: glue is what the zone has below the cut; what a wildcard would "
         "make of a name server's name is authoritative data that the client can ask for.", made_by_wildcard),
    Rule("knot-twice", ("knot",), "RFC 2181 section 5: an RRset has no record twice; Knot sends the addresses of a target again for each "
         "record that names it.", twice),
    Rule("knot-svcb", ("knot",), "RFC 9460 section 4.1: A, AAAA and SVCB records of each target; section 2.5: '.' stands for the owner. "
         "Knot takes it for the root, and sends SVCB records only for the target of an alias.", knot_svcb),
    Rule("nsd-rcode", ("nsd",), "RFC 1035 section 4.1.1: RCODE is set in responses; that of a query says nothing.", nsd_rcode),
    Rule("nsd-badvers", ("nsd",), "RFC 6891 section 6.1.4: DO is copied into the response, BADVERS included; Z and TC of a query mean "
         "nothing (RFC 1035 section 4.1.1).", nsd_badvers),
    Rule("nsd-nsec3-at-alias", ("nsd",), "RFC 1034 section 4.3.2 step 3a: QTYPE does not match CNAME, so the alias is followed; BIND and "
         "Knot do.", nsec3_at_alias),
    Rule("bind-ad", ("bind",), "RFC 4035 section 3.1.6: AD says that data are authentic; nothing in an unsigned zone is.", bind_ad),
    Rule("bind-old-types", ("bind",), "RFC 2535 let SIG, KEY and NXT stand beside a CNAME; it is obsolete (RFC 4034 section 1), and the "
         "alias is followed, as by Knot and NSD.", old_types),
    Rule("shorter", ("knot", "nsd", "bind"), "RFC 1035 section 4.1.4: names may be compressed; what fits thanks to that is whole.",
         shorter),
    Rule("longer", ("knot", "nsd", "bind"), "RFC 1035 section 4.1.4: compression is optional; ours finds fewer names again in long chains, and what "
         "then does not fit is cut (section 4.1.1).", longer),
]
