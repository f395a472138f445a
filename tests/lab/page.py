# SPDX-License-Identifier: GPL-3.0-or-later
"""The timelines of a run as one HTML page with drawings (SVG), that needs nothing else and reads in light and dark.

A drawing has a lane for each server (what was done to it, what its announcer said), for each PoP's router (which
server's routes it had, IPv4 above IPv6) and for each client network (who answered it, and what was lost).
"""
import collections
import html
import time

import plan

WIDTH, LEFT, RIGHT = 1100, 118, 12
LANE, BAR = 26, 8
BUCKETS = 240  # at most
COLOURS = {name: name for name in ("fra1", "fra2", "sin1", "nyc1", "lost", "wrong")}

STYLE = """
:root { color-scheme: light dark; --text: #1c2024; --faint: #60646c; --line: #d9d9e0; --ground: #fcfcfd;
  --fra1: #3b7dd8; --fra2: #8ab4ee; --sin1: #2e9e6b; --nyc1: #c58a16; --lost: #d13438; --wrong: #9b3fb5; }
@media (prefers-color-scheme: dark) { :root { --text: #edeef0; --faint: #a0a4ab; --line: #3a3d42; --ground: #17191c;
  --fra1: #5b9bf0; --fra2: #2f5f9e; --sin1: #3fbf86; --nyc1: #e0a83a; --lost: #ff6369; --wrong: #d178e8; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--ground); max-width: 1140px;
  margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.1em; margin: 2.2em 0 .4em; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .15em 1.2em .15em 0; vertical-align: top; }
th { font-weight: 600; } td { border-top: 1px solid var(--line); }
.bad { color: var(--lost); font-weight: 600; } .faint, summary { color: var(--faint); }
svg { width: 100%; height: auto; display: block; } svg text { font: 11px system-ui, sans-serif; fill: var(--text); }
svg .faint { fill: var(--faint); } svg .rule { stroke: var(--line); } svg .mark { stroke: var(--text); stroke-width: 1.5; }
svg .said { fill: var(--faint); } ul { margin: .4em 0; padding-left: 1.2em; } pre { overflow-x: auto; font-size: 12px; }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin: 0 .35em 0 1em; }
"""


def text(value):
    return html.escape(str(value), quote=True)


class Drawing:
    """One scenario. Times are put on the horizontal axis, lanes below each other."""

    def __init__(self, begin, end):
        self.begin, self.end, self.parts, self.lanes = begin, end, [], 0

    def x(self, when):
        share = (min(max(when, self.begin), self.end) - self.begin) / (self.end - self.begin)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def lane(self, name, note=""):
        """Starts a lane; the height of its middle."""
        middle = 14 + LANE * self.lanes + LANE / 2
        self.lanes += 1
        self.parts.append(f'<text x="4" y="{middle + 4:.0f}">{text(name)} <tspan class="faint">{text(note)}</tspan></text>'
                          f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{middle + LANE / 2:.0f}" '
                          f'y2="{middle + LANE / 2:.0f}"/>')
        return middle

    def bar(self, begin, end, y, height, colour, title):
        left, right = self.x(begin), self.x(end)
        self.parts.append(f'<rect x="{left:.1f}" y="{y:.1f}" width="{max(right - left, 0.8):.1f}" height="{height:.1f}" '
                          f'style="fill:var(--{colour})"><title>{text(title)}</title></rect>')

    def mark(self, when, middle, label):
        x = self.x(when)
        self.parts.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{middle - 11:.1f}" y2="{middle + 11:.1f}"/>'
                          f'<text x="{x + 3:.1f}" y="{middle - 2:.1f}">{text(label)}</text>')

    def dot(self, when, middle, title):
        self.parts.append(f'<circle class="said" cx="{self.x(when):.1f}" cy="{middle + 7:.1f}" r="2.6"><title>{text(title)}'
                          "</title></circle>")

    def axis(self):
        span = self.end - self.begin
        step = next(step for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 600) if span / step <= 12)
        bottom = 14 + LANE * self.lanes
        for number in range(int(span / step) + 1):
            x = self.x(self.begin + number * step)
            self.parts.insert(0, f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="14" y2="{bottom}"/>'
                                 f'<text class="faint" x="{x - 6:.1f}" y="10">{number * step:g} s</text>')

    def svg(self):
        self.axis()
        return f'<svg viewBox="0 0 {WIDTH} {18 + LANE * self.lanes}" role="img">{"".join(self.parts)}</svg>'


def route_spans(recorder, router, server, prefix, begin, end):
    """When the router had the server's route: [(from, to)]."""
    since = begin if (router, server) in recorder.routes(begin)[prefix] else None
    spans = []
    for event in recorder.changes(begin, end, server):
        if event.prefix not in ("", prefix):
            continue
        if event.verb == "removed" and since is not None:
            spans.append((since, event.time))
            since = None
        elif event.verb != "removed" and since is None:
            since = event.time
    return spans + ([(since, end)] if since is not None else [])


def draw_servers(drawing, recorder, events):
    for server in plan.SERVERS:
        middle = drawing.lane(server.name, "via BIRD" if server.through_bird else "XDP" if server.xdp else "")
        last = None
        for event in events:
            if event.lane == server.name and event.kind == "said" and "isochrone-bgp" in event.text:
                drawing.dot(event.time, middle, f"+{event.time - drawing.begin:.3f} s {event.text}")
            elif event.lane == server.name and event.kind == "done":
                near = last is not None and drawing.x(event.time) - drawing.x(last) < 90
                drawing.mark(event.time, middle, "" if near else event.text)
                last = event.time


def draw_routers(drawing, recorder, events):
    for router in plan.ROUTERS:
        servers = plan.servers_of(router.name)
        middle = drawing.lane(router.name, "FRR" if router.kind == "frr" else "BIRD")
        height = BAR / max(len(servers), 1)
        for number, server in enumerate(servers):
            for prefix, family in plan.VIPS.items():
                y = middle - BAR - 1 + number * height + (BAR + 2 if family == 6 else 0)
                for begin, end in route_spans(recorder, router.name, server.name, prefix, drawing.begin, drawing.end):
                    drawing.bar(begin, end, y, height - 0.4, server.name,
                                f"{prefix} from {server.name}, +{begin - drawing.begin:.3f} to +{end - drawing.begin:.3f} s")
        for event in events:
            if event.lane == router.name and event.kind == "done":
                drawing.mark(event.time, middle, event.text)


def client_columns(queries, begin, end, rate):
    """[(from, to, {who or "lost" or "wrong": how many})], neighbours that show the same made one."""
    count = max(10, min(BUCKETS, int((end - begin) * rate / 2)))
    width = (end - begin) / count
    buckets = [collections.Counter() for _ in range(count)]
    for query in queries:
        buckets[min(int((query.sent - begin) / width), count - 1)][
            query.who if query.verdict == "ok" else query.verdict] += 1
    columns = []
    for index, bucket in enumerate(buckets):
        at = begin + index * width
        if columns and len(bucket) == 1 and set(bucket) == set(columns[-1][2]):
            columns[-1] = (columns[-1][0], at + width, columns[-1][2] + bucket)
        else:
            columns.append((at, at + width, bucket))
    return columns


def draw_clients(drawing, window):
    for client in plan.CLIENTS:
        middle = drawing.lane(client.name, client.city)
        for begin, end, what in client_columns(window.of(client.name), drawing.begin, drawing.end, window.rate):
            bottom, total = middle + 10, sum(what.values())
            for name, count in sorted(what.items(), key=lambda item: (item[0] in ("lost", "wrong"), item[0])):
                bottom -= 20 * count / total
                drawing.bar(begin, end, bottom, 20 * count / total, COLOURS.get(name, "faint"), f"{name}: {count} of {total}")


def section(played, recorder):
    drawing = Drawing(played.begin, played.window.end)
    events = recorder.between(drawing.begin, drawing.end)
    draw_servers(drawing, recorder, events)
    draw_routers(drawing, recorder, events)
    draw_clients(drawing, played.window)
    checks = "".join(f'<li{"" if ok else " class=bad"}>{"" if ok else "FAILED: "}{text(what)}</li>'
                     for ok, what in played.results)
    if played.error:
        checks += f'<li class="bad">FAILED: {text(played.error)}</li>'
    lines = "\n".join(f"+{event.time - drawing.begin:8.3f} s  {event.lane:6} {event.text}" for event in events)
    return (f'<section id="{text(played.title)}"><h2>{text(played.title)}{"" if played.ok else " <span class=bad>FAILED</span>"}'
            f'</h2>{drawing.svg()}<ul>{checks}</ul><details><summary>{len(events)} events</summary>'
            f"<pre>{text(lines)}</pre></details></section>")


def summary_row(played):
    figures = ", ".join(f"{name} {ms:.0f} ms" for name, ms in played.figures)
    lost = ", ".join(f"{client.name} {played.window.lost(client.name)}" for client in plan.CLIENTS
                     if played.window.lost(client.name)) or "none"
    wrong = sum(played.window.wrong(client.name) for client in plan.CLIENTS)
    asked = sum(len(played.window.of(client.name)) for client in plan.CLIENTS)
    state = "ok" if played.ok else '<span class="bad">FAILED</span>'
    return (f'<tr><td>{state}</td><td><a href="#{text(played.title)}">{text(played.title)}</a></td><td>{text(figures)}</td>'
            f"<td>{text(lost)} of {asked}</td><td>{wrong or ''}</td></tr>")


def page(all_played, recorder, notes):
    keys = "".join(f'<span class="key" style="background:var(--{name})"></span>{name}' for name in COLOURS)
    return (f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Anycast lab</title><style>{STYLE}</style>'
            f"<h1>Anycast lab</h1><p>{len(all_played)} scenarios, "
            f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime(all_played[0].begin))} UTC. Lanes: servers (a line is what was "
            "done, a dot what isochrone-bgp said: point at it), routers (whose routes they have, IPv4 above IPv6), client "
            f"networks (who answered).{keys}</p>" + "".join(f"<p class=faint>{text(note)}</p>" for note in notes) +
            "<table><tr><th></th><th>scenario</th><th>figures</th><th>queries lost</th><th>wrong</th></tr>" +
            "".join(summary_row(played) for played in all_played) + "</table>" +
            "".join(section(played, recorder) for played in all_played) + "</html>\n")
