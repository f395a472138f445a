/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * `isochronectl compare`: options in, exit status out.
 */
#ifndef EDGE_COMPARE_COMMAND_H
#define EDGE_COMPARE_COMMAND_H

/* `argv[0]` is the verb. Prints to stdout and stderr. 0: alike, 1: different, or something could
 * not be compared, 2: usage. */
int compare_command(int argc, char **argv);

/* The options, for the program's --help. */
extern const char compare_usage[];

#endif
