/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How long ago, or for how long, for people.
 */
#ifndef BGP_AGE_H
#define BGP_AGE_H

#include <stdint.h>

#define AGE_LEN 32

/* "4.2s", "3m12s", "5h07m", "2d03h"; negative is "0.0s". */
const char *age_format(int64_t ns, char ret_text[static AGE_LEN]);

double age_seconds(int64_t ns);

#endif
