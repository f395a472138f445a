# SPDX-License-Identifier: GPL-3.0-or-later
"""PoP states from the operator and the fleet feed, and explanations that agree with the answers."""
import subprocess
import time

import dns.edns
import dns.rcode
import pytest

from edge_lab import BIN, SERVICES, Edge, build_map, until

FRA, SIN, NYC = "20.1.5.0/24", "20.2.5.0/24", "99.9.9.0/24"
ADDRESS = {"fra": "192.0.2.10", "sin": "192.0.2.20", "nyc": "192.0.2.30"}
WWW = "www.example.com."


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    folder = tmp_path_factory.mktemp("map")
    build_map(folder)
    return (folder / "cdn.isomap").read_bytes()


@pytest.fixture
def world(tmp_path, image):
    (tmp_path / "cdn.isomap").write_bytes(image)
    (tmp_path / "services.yaml").write_text(SERVICES)
    return Edge(tmp_path, map="cdn.isomap", services="services.yaml")


def pop_of(server, subnet, name=WWW):
    address, = server.addresses(name, subnet=subnet)
    return next(pop for pop, known in ADDRESS.items() if known == address)


def scope_of(server, subnet):
    return next(option for option in server.ask(WWW, subnet=subnet).options
                if option.otype == dns.edns.OptionType.ECS).scopelen


# --- the operator

def test_states_move_clients_and_lower_the_ttl(world):
    with world as server:
        assert pop_of(server, FRA) == "fra"
        assert server.ttl(WWW, subnet=FRA) == 30
        scope = scope_of(server, FRA)
        assert server.ctl("pop", "fra", "drain").returncode == 0
        moved = pop_of(server, FRA)
        assert moved != "fra"
        assert server.ttl(WWW, subnet=FRA) == 5
        assert scope_of(server, FRA) == scope  # never by state
        assert server.ctl("pop", "fra", "shed", "100").returncode == 0
        assert pop_of(server, FRA) == moved
        assert server.ctl("pop", "fra", "up").returncode == 0
        assert pop_of(server, FRA) == "fra"
        values = server.metrics()
        assert values['isochrone_edge_pop_state{service="web",pop="fra",family="ipv4"}'] == 0
        assert values['isochrone_edge_service_ttl_seconds{service="web"}'] == 5


def test_one_service_of_a_pop(world):
    with world as server:
        done = server.ctl("pop", "fra/web", "down", "--reason", "maintenance", "--owner", "alice")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "fra/web: down (operator alice: maintenance)\n"
        assert pop_of(server, FRA) != "fra"
        assert server.addresses("home.example.com.", subnet=FRA) == ["192.0.2.40"]


def test_names_are_globs(world):
    with world as server:
        done = server.ctl("pop", "[fs]*/w?b", "drain")
        assert done.returncode == 0
        assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["fra/web", "sin/web"]
        assert pop_of(server, FRA) == pop_of(server, SIN) == "nyc"
        done = server.ctl("pop", "*", "auto")
        assert done.returncode == 0
        assert (pop_of(server, FRA), pop_of(server, SIN)) == ("fra", "sin")
        assert server.data("status")["states"] == []


@pytest.mark.parametrize("words,reason", [
    (["tyo", "down"], "nothing in the map matches 'tyo'"),
    (["fra/none", "down"], "nothing in the map matches"),
    (["fra", "sideways"], "the state is up, down, drain, 'shed N' (0 to 100) or auto"),
    (["fra", "shed"], "the state is"),
    (["fra", "shed", "101"], "the state is"),
    (["fra/", "down"], "is no PoP"),
    (["fra", "down", "--for", "never"], "'never' is no time"),
    (["fra", "down", "--for", "0s"], "is no time"),
    (["fra", "down", "--reason", "x" * 300], "too long"),
])
def test_wrong_words_change_nothing(world, words, reason):
    with world as server:
        done = server.ctl("pop", *words)
        assert (done.returncode, done.stdout) == (1, "")
        assert reason in done.stderr
        assert server.data("status")["states"] == []


def test_nobody_empties_a_service_by_accident(world):
    with world as server:
        assert server.ctl("pop", "nyc", "down").returncode == 0
        done = server.ctl("pop", "[fs]*", "down")
        assert done.returncode == 1
        assert "that would leave service" in done.stderr and "--force" in done.stderr
        assert pop_of(server, FRA) == "fra"
        assert [state["pop"] for state in server.data("status")["states"]] == ["nyc"]
        # a drain empties nothing: who drains is asked last
        assert server.ctl("pop", "[fs]*", "drain").returncode == 0
        assert pop_of(server, SIN) == "sin"
        done = server.ctl("pop", "fra", "down")  # home has nobody else
        assert done.returncode == 1 and "'home'" in done.stderr
        assert server.ctl("pop", "*", "down", "--force").returncode == 0
        assert server.addresses(WWW, subnet=FRA) == ["192.0.2.99"]  # on_empty: static
        assert server.ask("home.example.com.", subnet=FRA).rcode() == dns.rcode.SERVFAIL
        assert server.outcome("geo_empty") == 2
        values = server.metrics()
        assert values['isochrone_edge_service_empty{service="web",family="ipv6"}'] == 1
        assert values['isochrone_edge_service_empty{service="home",family="ipv4"}'] == 1
        assert 'isochrone_edge_service_empty{service="home",family="ipv6"}' not in values
        assert "web: nobody is left for IPv6" in server.ctl("status").stdout
        assert server.ttl(WWW, subnet=FRA) <= 300


def test_states_survive_a_kill(world):
    with world as server:
        assert server.ctl("pop", "fra", "drain", "--for", "1h", "--owner", "alice").returncode == 0
        before = server.data("status")["states"]
        server.kill()
        server.start()
        assert server.data("status")["states"] == before
        assert pop_of(server, FRA) != "fra"
        assert server.ctl("pop", "fra", "auto").returncode == 0
        server.kill()
        server.start()
        assert pop_of(server, FRA) == "fra"


def test_without_state_dir_it_says_that_states_will_not_survive(world):
    world.configure(state_dir=None)
    with world as server:
        assert "no state_dir" in server.ctl("pop", "fra", "drain").stdout


def test_a_broken_file_of_states_is_put_aside_loudly(world):
    (world.folder / "state").mkdir()
    (world.folder / "state/operator-states.json").write_text("{")
    with world as server:
        assert "operator-states.json:1:" in server.logged()
        assert (world.folder / "state/operator-states.json.bad").exists()
        assert server.ctl("pop", "fra", "drain").returncode == 0


def test_a_state_that_cannot_be_written_is_not_announced(world):
    with world as server:
        assert server.ctl("pop", "sin", "drain").returncode == 0
        state = world.folder / "state"
        state.rename(world.folder / "elsewhere")
        done = server.ctl("pop", "fra", "drain")
        assert done.returncode == 1
        assert "operator-states.json" in done.stderr
        assert pop_of(server, FRA) == "fra"


def test_an_expiry_comes_true(world):
    with world as server:
        assert server.ctl("pop", "fra", "drain", "--for", "2s").returncode == 0
        assert pop_of(server, FRA) != "fra"
        assert until(lambda: pop_of(server, FRA) == "fra", 6)
        assert until(lambda: "pop fra: drain of operator" in server.logged() and "has expired" in server.logged())
        assert server.data("status")["states"] == []
        assert (world.folder / "state/operator-states.json").read_text().count("fra") == 0


def test_the_ttl_rises_again(world):
    (world.folder / "services.yaml").write_text(SERVICES.replace("ttl: 30", "ttl: 3").replace("ttl_min: 5", "ttl_min: 1"))
    with world as server:
        assert server.ttl(WWW, subnet=FRA) == 3
        assert server.ctl("pop", "fra", "drain").returncode == 0
        assert server.ttl(WWW, subnet=FRA) == 1
        assert "recent" in server.ctl("status").stdout
        assert until(lambda: server.ttl(WWW, subnet=FRA) == 3, 6)


# --- the fleet feed

def test_the_fleet_feed_is_followed(world):
    states = world.folder / "states.yaml"
    states.write_text("pops: {fra: drain}\n")
    world.configure(states=["states.yaml"])
    with world as server:
        assert pop_of(server, FRA) != "fra"
        states.write_text("pops: {}\n")
        assert until(lambda: pop_of(server, FRA) == "fra")
        assert until(lambda: f"{states}: taken, 0 states" in server.logged())
        states.write_text("pops: {fra/web: {state: shed 100, reason: full, owner: noc}}\n")
        assert until(lambda: pop_of(server, FRA) != "fra")
        # the operator's word is stronger, and taken back it is as the feed says
        assert server.ctl("pop", "fra", "up").returncode == 0
        assert pop_of(server, FRA) == "fra"
        why = server.ctl("explain", "20.1.5.1", WWW).stdout
        assert "overrides shed 100, fleet noc: full" in why
        assert server.ctl("pop", "fra", "auto").stdout == "fra: up (nobody says otherwise)\n"
        assert pop_of(server, FRA) != "fra"


@pytest.mark.parametrize("fault", ["missing", "broken", "cut", "emptying"])
def test_a_feed_that_fails_keeps_its_last_states_and_alarms(world, fault):
    states = world.folder / "states.yaml"
    states.write_text("pops: {fra: drain}\n")
    world.configure(states=["states.yaml"])
    with world as server:
        assert server.metrics()[f'isochrone_edge_feed_ok{{file="{states}"}}'] == 1
        if fault == "missing":
            states.unlink()
        else:
            states.write_text({"broken": "pops: {fra: sideways}\n", "cut": "",
                               "emptying": "pops: {fra: down, sin: down, nyc: down}\n"}[fault])
        assert until(lambda: server.metrics()[f'isochrone_edge_feed_ok{{file="{states}"}}'] == 0)
        assert pop_of(server, FRA) not in ("fra",)
        assert pop_of(server, SIN) == "sin"
        feed, = server.data("status")["feeds"]
        assert feed["status"] == {"missing": "missing", "emptying": "held"}.get(fault, "invalid")
        assert str(states) in feed["fault"]
        assert server.ctl("reload").returncode == 1
        # the same after a restart: the copy in state_dir
        server.kill()
        server.start()
        assert pop_of(server, FRA) != "fra"
        states.write_text("pops: {sin: drain}\n")
        assert until(lambda: pop_of(server, FRA) == "fra" and pop_of(server, SIN) != "sin")
        assert server.metrics()[f'isochrone_edge_feed_ok{{file="{states}"}}'] == 1


def test_a_feed_may_empty_a_service_if_it_says_so(world):
    states = world.folder / "states.yaml"
    states.write_text("pops: {}\n")
    world.configure(states=["states.yaml"])
    with world as server:
        states.write_text("pops: {fra: down, sin: down, nyc: down}\nforce: true\n")
        assert until(lambda: server.addresses(WWW, subnet=FRA) == ["192.0.2.99"])


def test_files_come_and_go_with_the_configuration(world):
    (world.folder / "a.yaml").write_text("pops: {fra: shed 100}\n")
    (world.folder / "b.yaml").write_text("pops: {sin: drain}\n")
    world.configure(states=["a.yaml"])
    with world as server:
        assert (pop_of(server, FRA) != "fra", pop_of(server, SIN)) == (True, "sin")
        server.configure(states=["b.yaml", "a.yaml"])
        assert server.ctl("reload").returncode == 0
        assert (pop_of(server, FRA) != "fra", pop_of(server, SIN) != "sin") == (True, True)
        server.configure(states=["b.yaml"])
        assert server.ctl("reload").returncode == 0
        assert (pop_of(server, FRA), pop_of(server, SIN) != "sin") == ("fra", True)


# --- explain

@pytest.mark.parametrize("client,rdtype", [
    ("20.1.5.7", "A"), ("20.2.0.0/20", "A"), ("99.9.9.9", "A"), ("10.1.2.3", "A"), ("2400:1::5", "AAAA"),
    ("2400:2:1::/48", "AAAA"), ("2001:db8::1", "AAAA"), ("::ffff:20.1.5.7", "AAAA"),
])
def test_explain_says_what_is_answered(world, client, rdtype):
    import ipaddress
    with world as server:
        for change in (None, ["pop", "fra", "drain"], ["pop", "sin", "down"]):
            if change:
                assert server.ctl(*change).returncode == 0
            network = ipaddress.ip_network(client, strict=False)
            if "/" not in client:
                network = ipaddress.ip_network(f"{client}/{24 if network.version == 4 else 56}", strict=False)
            response = server.ask(WWW, rdtype, subnet=str(network))
            why = server.data("explain", client, WWW, rdtype)
            assert sorted(item["rdata"] for item in why["answers"]) == \
                sorted(item.to_text() for rrset in response.answer for item in rrset)
            assert [item["ttl"] for item in why["answers"]] == [rrset.ttl for rrset in response.answer]
            option = next(item for item in response.options if item.otype == dns.edns.OptionType.ECS)
            assert why["scope"] == option.scopelen
            assert why["generation"] == 1700000000
            assert why["path"] == "userspace"
            chosen = [item["pop"] for item in why["candidates"] if item["fate"] == "chosen"]
            assert chosen == why["pops"]


def test_explain_names_the_rule(world):
    with world as server:
        why = server.data("explain", "20.1.5.7", WWW)
        assert (why["basis"], why["source"], why["block"]) == ("ecs", "override", "20.1.0.0/16")
        assert why["pops"] == ["fra"]
        why = server.data("explain", "20.2.5.7", WWW, "--resolver")
        assert (why["pops"], why["scope"]) == (["sin"], None)
        assert why["basis"] in ("resolver", "source")
        why = server.data("explain", "10.1.2.3", WWW, "--from", "20.2.5.7")
        assert why["special"] is True
        why = server.data("explain", "20.1.5.7", "static.example.com.")
        assert (why["geo"], why["scope"], why["outcome"]) == (False, 0, "positive")
        assert why["answers"][0]["rdata"] == "192.0.2.1"


def test_explain_names_who_took_a_pop_out(world):
    with world as server:
        assert server.ctl("pop", "fra", "down", "--for", "1h", "--reason", "fibre cut", "--owner", "alice",
                          "--force").returncode == 0
        fra = next(item for item in server.data("explain", "20.1.5.7", WWW)["candidates"] if item["pop"] == "fra")
        assert (fra["fate"], fra["state"]) == ("down", "down")
        assert fra["by"][0]["owner"] == "alice" and fra["by"][0]["reason"] == "fibre cut"
        assert fra["by"][0]["layer"] == "operator" and fra["by"][0]["expires"] > time.time() + 3000
        text = server.ctl("explain", "20.1.5.7", WWW).stdout
        assert "down (operator alice until " in text and ": fibre cut)" in text
        home = server.data("explain", "20.1.5.7", "home.example.com.")
        assert (home["outcome"], home["rcode"], home["pops"]) == ("geo_empty", "SERVFAIL", [])
        fates = {item["pop"]: item["fate"] for item in home["candidates"]}
        assert fates == {"fra": "down", "sin": "not in this service", "nyc": "not in this service"}
        home = server.data("explain", "2400:1::5", "home.example.com.", "AAAA")
        assert home["outcome"] == "nodata"


@pytest.mark.parametrize("words,reason", [
    (["nonsense", WWW], "'nonsense' is no address or prefix"),
    (["1.2.3.4", "a..b"], "'a..b' is no domain name"),
    (["1.2.3.4", WWW, "WHAT"], "'WHAT' is no type"),
    (["1.2.3.4/33", WWW], "is no address or prefix"),
    (["1.2.3.0/24", WWW, "--resolver"], "is no address"),
    (["1.2.3.4", WWW, "--from", "x"], "'x' is no address"),
])
def test_explain_refuses_what_makes_no_sense(world, words, reason):
    with world as server:
        done = server.ctl("explain", *words)
        assert (done.returncode, done.stdout) == (1, "")
        assert reason in done.stderr
