/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What libbpf had to say. It prints instead of returning reasons and has one hook for the whole
 * process; here its last warning is kept for the next failure's text. One thread at a time.
 */
#ifndef XDP_BPF_WORDS_H
#define XDP_BPF_WORDS_H

/* From now on libbpf prints nothing; forgets what was kept. */
void bpf_words_keep(void);

/* The last warning without its line end; empty if there was none. */
const char *bpf_words_last(void);

#endif
