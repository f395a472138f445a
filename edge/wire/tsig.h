/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The TSIG record of a query (RFC 8945): taken apart, and the unsigned one that says why it cannot
 * be checked. No key is known here, and no signature made.
 */
#ifndef EDGE_TSIG_H
#define EDGE_TSIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TSIG_ERROR_BADKEY 17 /* RFC 8945 section 3 */

/* Borrows the query's bytes. */
struct tsig {
    const uint8_t *name; /* of the key, as it came: it may end in a pointer into the question */
    uint16_t name_len;
    uint16_t signed_len;      /* of what follows */
    const uint8_t *algorithm; /* its name; then the time signed and the fudge */
};

/* A TSIG record as RFC 8945 section 4.2 has it? Its owner name at `name` and its RDATA, with the
 * fields of a record between them, are in a message whose question, `question_len` bytes (0: none),
 * follows the header, and do not run past its end. */
bool tsig_parse(struct tsig *ret_tsig, const uint8_t *message, size_t question_len,
                const uint8_t *name, const uint8_t *rdata, size_t rdata_len);

/* How long the TSIG record of an error is. */
size_t tsig_error_len(const struct tsig *tsig);

/* Writes it, RFC 8945 section 5.3.2: unsigned, with the key, the algorithm and the time of the
 * query's. It is for a response with the question of the query, right after the header. */
void tsig_write_error(uint8_t *bytes, const struct tsig *tsig, uint16_t id, uint16_t error);

#endif
