/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A command as a check: exit status 0 passes, 1 fails, everything else (another status, a signal,
 * no such command) is our own trouble. It runs without a shell in a process group of its own, gets
 * /dev/null as input and no descriptor of ours; the first line it prints is the evidence. When a
 * tenth of its time is left it is asked to end (SIGTERM), at the timeout the whole group is killed:
 * that is a failure, as with everything else that is silent.
 */
#ifndef BGP_PROBE_EXEC_H
#define BGP_PROBE_EXEC_H

#include "bgp/probe/probe.h"

#define PROBE_EXEC_ARGUMENTS_MAX 64

struct probe_exec_settings {
    char *command[PROBE_EXEC_ARGUMENTS_MAX + 1]; /* ends with NULL; without "/" it is looked for in
                                                    PATH */
};

extern const struct probe_type probe_exec;

/* What an ended command means, as waitid() has it; `line` is what it printed, or "". */
bool probe_exec_judge(int code, int status, const char *line, struct probe_outcome *ret_outcome);

#endif
