# SPDX-License-Identifier: GPL-3.0-or-later
"""One world of zones, four servers, the same questions for all: what differs between ours and each of the others, and is that
explained? The comparing is `isochronectl compare`'s, the same that operators use."""
import collections
import dataclasses
import json
import pathlib
import random
import shutil
import struct
import subprocess
import tempfile

import dns.exception
import dns.message
import dns.rdatatype

from differential.explained import RULES, Question
from differential.questions import Questions
from differential.zones import SIGNERS, make_world, sign, text, wire
from edge_lab import BIN, Edge, frame, read_frame
from peer_servers import SERVERS, Peer


@dataclasses.dataclass
class Difference:
    """What one peer and we answered differently to one question."""
    peer: str
    question: str
    items: list  # {"class", "old": the peer's, "new": ours}

    def left(self, rules, world, hits):
        """The items that no rule explains; counts the rules that explain some."""
        question = Question(self.question, world.zones, world.ask)
        rest = list(self.items)
        for rule in rules:
            if self.peer in rule.peers and rest:
                explained = rule.explains(question, rest)
                if explained:
                    hits[rule.name] += 1
                    rest = [item for item in rest if item not in explained]
        return rest


class Round:
    """The servers of one world."""

    def __init__(self, seed, folder, name_n=40, signed=False, made=None):
        """`made`: [(zone, one of SIGNERS or None)] instead of what the seed makes."""
        self.seed = seed
        signing = random.Random(seed)
        self.folder = pathlib.Path(folder)
        self.rng = random.Random(seed)
        self.zones = [zone for zone, _ in made] if made else make_world(self.rng, name_n)
        self.files = {}
        for number, zone in enumerate(self.zones):
            name = f"zone{number}"
            (self.folder / name).write_text(zone.master_file())
            how = signing.choice([None, *SIGNERS, "nsec"]) if signed else made[number][1] if made else None
            if how:
                sign(self.folder, zone, name, how)
            self.files[text(zone.origin)] = name
        self.peers = [Peer(name, self.folder, self.files) for name in SERVERS if Peer.installed(name)]
        self.edge = Edge(self.folder, workers=1, metrics=None, rate_limit=None,
                         zones=[{"origin": origin, "file": file} for origin, file in self.files.items()])

    def __enter__(self):
        for peer in self.peers:
            peer.start()
        try:
            self.edge.start()
            for peer in self.peers:
                missing = peer.wait()
                if missing:
                    raise AssertionError(f"seed {self.seed}: {peer.name} does not serve {missing} of {self.folder}: {peer.log.read_text()[-3000:]}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for peer in self.peers:
            peer.stop()
        if self.edge.process and self.edge.process.poll() is None:
            self.edge.stop()

    def ask(self, question):
        """Our whole answer, over TCP, and its length."""
        if question.raw:
            message = question.bytes
        else:
            qtype = dns.rdatatype.from_text(question.type)
            message = struct.pack("!HHHHHH", 0, 0, 1, 0, 0, int(question.edns)) + wire(question.name) + struct.pack("!HH", qtype, 1)
            if question.edns:  # with its options: the length has to be that of the answer over UDP
                message += struct.pack("!BHHIH", 0, 41, 65535, 0x8000 if "do" in question.flags else 0,
                                       len(question.options)) + question.options
        try:
            with self.edge.connect() as connection:
                connection.sendall(frame(message))
                reply = read_frame(connection)
            return dns.message.from_wire(reply, ignore_trailing=True, one_rr_per_rrset=True), len(reply)
        except (dns.exception.DNSException, OSError, EOFError, ValueError):
            return None, 0

    def compare(self, questions, *options):
        """{peer: [Difference]}; the peers are asked at the same time."""
        path = self.folder / "questions"
        path.write_text("".join(line + "\n" for line in questions))
        running = {peer.name: subprocess.Popen(
            [BIN / "isochronectl", "compare", "--old", f"127.0.0.1@{peer.port}", "--new", f"127.0.0.1@{self.edge.port}",
             "--queries", path, "--json", "--limit", "0", "--rate", "0", "--concurrency", "32", "--tries", "2", *options],
            stdout=subprocess.PIPE, text=True) for peer in self.peers}
        found = {}
        for name, process in running.items():
            lines = [json.loads(line) for line in process.communicate(timeout=600)[0].splitlines()]
            summary = lines.pop()["summary"]
            if summary["asked"] != len(questions) or summary["wrong"]:
                raise AssertionError(f"{name}: {summary}")
            found[name] = [Difference(name, questions[line["number"] - 1], line["differences"]) for line in lines]
        return found


def run_round(seed, question_n, hits, signed=False, folder=None, rules=RULES, name_n=40):
    """`signed`: most zones of the world are, in one way or another. (pairs asked, [Difference without explanation, only its unexplained items])"""
    own = tempfile.mkdtemp(prefix="differential-") if folder is None else folder
    try:
        with Round(seed, own, name_n, signed) as world:
            questions = Questions(world.rng, world.zones).many(question_n)
            first = world.compare(questions, "--timeout", "400ms", "--confirm", "0")
            doubtful = {difference.question: None for differences in first.values() for difference in differences
                        if difference.left(rules, world, hits)}
            if not doubtful:
                return question_n * len(world.peers), []
            again = world.compare(list(doubtful), "--timeout", "2s", "--confirm", "1")
            unexplained = []
            for differences in again.values():
                for difference in differences:
                    rest = difference.left(rules, world, collections.Counter())
                    if rest:
                        unexplained.append(Difference(difference.peer, difference.question, rest))
            return question_n * len(world.peers), unexplained
    finally:
        if folder is None:
            shutil.rmtree(own, ignore_errors=True)


def majority(unexplained):
    """{(question, class): peers that differ from us there}: two of three are a strong hint."""
    votes = collections.defaultdict(set)
    for difference in unexplained:
        for item in difference.items:
            votes[difference.question, item["class"]].add(difference.peer)
    return votes


def describe(unexplained):
    """For a reader: each question once, worst first, with every peer that differs."""
    votes = majority(unexplained)
    by_question = collections.defaultdict(list)
    for difference in unexplained:
        by_question[difference.question].append(difference)
    lines = []
    for question, differences in sorted(by_question.items(),
                                        key=lambda pair: -max(len(votes[pair[0], item["class"]]) for d in pair[1] for item in d.items)):
        lines.append(question)
        for difference in differences:
            for item in difference.items:
                lines.append(f"  {difference.peer:5} {item['class']:10} theirs {item['old'] or '-'}")
                lines.append(f"  {'':5} {'':10} ours   {item['new'] or '-'}")
    return "\n".join(lines)
