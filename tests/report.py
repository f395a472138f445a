#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sums JUnit files and "ok|FAILED|SKIP name" lines of a test run into one line.

Usage: tests/report.py RESULTS_DIR      reads *.xml and *.txt in it; exit 1 on any failure or if nothing passed
"""
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def cases_of_junit(path):
    """(outcome, name, reason) of every case; ctest says skipped and failed both ways, pytest one way."""
    for case in ElementTree.parse(path).iter("testcase"):
        name = f"{path.stem}: {case.get('classname') or ''} {case.get('name')}".replace("  ", " ")
        skipped, failed = case.find("skipped"), case.find("failure")
        if failed is None:
            failed = case.find("error")
        if failed is not None or case.get("status") == "fail":
            yield "failed", name, ""
        elif skipped is not None or case.get("status") in ("notrun", "disabled"):
            reason = (skipped.get("message") if skipped is not None else "") or ""
            output = (case.findtext("system-out") or "").strip()
            said = [line for line in output.splitlines() if "SKIP" in line]
            yield "skipped", name, said[0] if said else reason
        else:
            yield "passed", name, ""


def cases_of_text(path):
    outcomes = {"ok": "passed", "FAILED": "failed", "SKIP": "skipped"}
    for line in path.read_text().splitlines():
        word, _, rest = line.partition(" ")
        if word in outcomes:
            name, _, reason = rest.strip().partition(": ")
            yield outcomes[word], name, reason


def main():
    if len(sys.argv) != 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    folder = pathlib.Path(sys.argv[1])
    cases = [case for path in sorted(folder.glob("*.xml")) for case in cases_of_junit(path)]
    cases += [case for path in sorted(folder.glob("*.txt")) for case in cases_of_text(path)]
    count = {outcome: sum(case[0] == outcome for case in cases) for outcome in ("passed", "failed", "skipped")}
    for outcome, word in (("skipped", "SKIP"), ("failed", "FAILED")):
        for case in cases:
            if case[0] == outcome:
                print(f"{word} {case[1]}" + (f": {case[2]}" if case[2] else ""))
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return 1 if count["failed"] or not count["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
