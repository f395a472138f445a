# SPDX-License-Identifier: GPL-3.0-or-later
"""Differential testing: the same zones and queries for our server and for Knot, NSD and BIND."""
