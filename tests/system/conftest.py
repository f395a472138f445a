# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests that are marked `alone` want the machine for themselves: they time something, load it, or look for what others have
left. tests/run gives it to them, and runs the others side by side."""
import pytest

ALONE = {"test_anycast_lab", "test_bgp_brain", "test_bgp_lab", "test_edge_floods", "test_instructions", "test_manager",
         "test_quickstart", "test_replace", "test_replace_faults", "test_xdp_edge", "test_xdp_life", "test_xdpbench"}


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: wants the machine for itself")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.stem in ALONE:
            item.add_marker(pytest.mark.alone)
