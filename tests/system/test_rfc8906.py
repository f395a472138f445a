# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests of RFC 8906 section 8, with the command lines it gives, asked with a real dig."""
import re
import shutil
import subprocess

import pytest

from edge_lab import Edge

# section, options and question of dig, wanted (rcode and words explained in check())
ROWS = [
    ("8.1.1", "+noedns +noad +norec soa ZONE", "NOERROR soa aa noopt"),
    ("8.1.2", "+noedns +noad +norec type1000 ZONE", "NOERROR nosoa aa noopt"),
    ("8.1.3.1", "+noedns +noad +norec +cd soa ZONE", "NOERROR soa aa noopt"),
    ("8.1.3.2", "+noedns +norec +ad soa ZONE", "NOERROR soa aa noad noopt"),
    ("8.1.3.3", "+noedns +noad +norec +zflag soa ZONE", "NOERROR soa aa noz noopt"),
    ("8.1.3.4", "+noedns +noad +rec soa ZONE", "NOERROR soa aa rd nora noopt"),
    ("8.1.4", "+noedns +noad +opcode=15 +norec +header-only", "NOTIMP opcode15 empty noaa noopt"),
    ("8.1.5", "+noedns +noad +norec +tcp soa ZONE", "NOERROR soa aa noopt"),
    ("8.2.1", "+nocookie +edns=0 +noad +norec soa ZONE", "NOERROR soa aa opt"),
    ("8.2.2", "+nocookie +edns=1 +noednsneg +noad +norec soa ZONE", "BADVERS nosoa opt"),
    ("8.2.3", "+nocookie +edns=0 +noad +norec +ednsopt=100 soa ZONE", "NOERROR soa aa opt noopt100"),
    ("8.2.4", "+nocookie +edns=0 +noad +norec +ednsflags=0x40 soa ZONE", "NOERROR soa aa opt nombz"),
    ("8.2.5", "+nocookie +edns=1 +noednsneg +noad +norec +ednsflags=0x40 soa ZONE", "BADVERS nosoa opt nombz"),
    ("8.2.6", "+nocookie +edns=1 +noednsneg +noad +norec +ednsopt=100 soa ZONE", "BADVERS nosoa opt noopt100"),
    ("8.2.7", "+norec +dnssec +bufsize=512 +ignore dnskey ZONE", "NOERROR opt"),
    ("8.2.8", "+nocookie +edns=0 +noad +norec +dnssec soa ZONE", "NOERROR soa aa opt do"),
    ("8.2.9", "+nocookie +edns=1 +noednsneg +noad +norec +dnssec soa ZONE", "BADVERS nosoa opt do"),
    ("8.2.10", "+edns=0 +noad +norec +cookie +nsid +expire +subnet=0.0.0.0/0 soa ZONE", "NOERROR soa aa opt cookie nsid subnet"),
]


def check(out, word):
    head = re.search(r"opcode: (\w+), status: (\w+), id: \d+\n;; flags:([^;]*); QUERY: (\d+), ANSWER: (\d+), AUTHORITY: (\d+)", out)
    flags, answers = head[3].split(), out.partition("ANSWER SECTION")[2]
    edns = re.search(r"; EDNS: version: (\d+), flags:([^;]*);([^\n]*)", out)
    return {
        "soa": bool(re.search(r"\sIN\s+SOA\s", answers)), "nosoa": "SOA" not in answers.partition("AUTHORITY")[0],
        "aa": "aa" in flags, "noaa": "aa" not in flags, "noad": "ad" not in flags, "nora": "ra" not in flags,
        "rd": "rd" in flags, "noz": "MBZ" not in head[3] and "; MBZ" not in out.partition("OPT")[0],
        "opcode15": head[1] == "RESERVED15", "empty": head.groups()[3:] == ("0", "0", "0"),
        "opt": bool(edns) and edns[1] == "0", "noopt": not edns, "noopt100": "OPT=100" not in out,
        "nombz": bool(edns) and "MBZ" not in edns[0], "do": bool(edns) and "do" in edns[2],
        "cookie": "COOKIE" in out, "nsid": "NSID" in out, "subnet": "CLIENT-SUBNET: 0.0.0.0/0/0" in out,
    }.get(word, head[2] == word)


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    if not shutil.which("dig"):
        pytest.skip("dig is not installed")
    with Edge(tmp_path_factory.mktemp("rfc8906")) as running:
        yield running


@pytest.mark.parametrize("section,options,wanted", ROWS, ids=[row[0] for row in ROWS])
def test_section_8(edge, section, options, wanted):
    command = ["dig", "@127.0.0.1", "-p", str(edge.port), "+tries=1", "+time=3"]
    command += options.replace("ZONE", "example.com.").split()
    out = subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
    assert "no servers could be reached" not in out, "each query gets an answer"
    assert [word for word in wanted.split() if not check(out, word)] == [], out
