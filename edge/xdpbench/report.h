/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What was measured, on standard output.
 */
#ifndef EDGE_XDPBENCH_REPORT_H
#define EDGE_XDPBENCH_REPORT_H

#include "edge/xdpbench/bench.h"

void report_table(const struct bench_options *options, const struct bench_result *result);
void report_json(const struct bench_options *options, const struct bench_result *result);

#endif
