/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A closed loop of queries: never more than WINDOW unanswered, so that no queue on the way
 * overflows and the server, not the sender's pace, decides the rate; or, over UDP, RATE queries a
 * second whatever comes back, to see how long each answer takes. Replays a query file from its
 * start, again and again, until the time or the number of queries is used up; prints one JSON
 * object. An answer is one whose id is awaited; what has no answer after 400 ms is lost and its
 * place in the window is given away.
 *
 * Usage: load -s ADDRESS [-p PORT] -f FILE [-d SECONDS] [-n QUERIES] [-w WINDOW]
 * [-t TCP_CONNECTIONS] [-r RATE]
 */
#include "load.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define REAP_NS 100000000u
#define WINDOW_MAX 4096u
#define CONNECTION_MAX 256u
#define LONGEST_S 600.0
#define RATE_MAX 1e6

uint64_t load_now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t cpu_ns(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u;
}

void load_die(const char *what)
{
    perror(what);
    exit(1);
}

const struct query *load_next(struct load *load, uint64_t now)
{
    const struct query *query = &load->file.queries[load->query_next];
    uint8_t *wire = load->file.wire + query->wire_at;
    uint16_t id = load->id_free[--load->id_free_n];
    if (++load->query_next == load->file.query_n)
        load->query_next = 0;
    wire[0] = (uint8_t)(id >> 8);
    wire[1] = (uint8_t)id;
    load->sent_ns[id] = now;
    load->sent++;
    load->awaited++;
    return query;
}

static void id_release(struct load *load, unsigned id)
{
    load->sent_ns[id] = 0;
    load->id_free[load->id_free_n++] = (uint16_t)id;
    load->awaited--;
}

void load_answer(struct load *load, const uint8_t *answer, size_t len)
{
    unsigned id = len >= 12 ? (unsigned)answer[0] << 8 | answer[1] : 0;
    if (len < 12 || (answer[2] & 0x80) == 0 || load->sent_ns[id] == 0) {
        load->stray++;
        return;
    }
    uint64_t latency =
        load->received_ns > load->sent_ns[id] ? load->received_ns - load->sent_ns[id] : 0;
    latency /= LOAD_LATENCY_STEP_NS;
    load->latency[latency < LOAD_LATENCY_N ? latency : LOAD_LATENCY_N - 1]++;
    id_release(load, id);
    load->answered++;
    load->bytes += len;
    load->rcodes[answer[3] & 15]++;
    load->truncated += (answer[2] & 2) != 0;
    load->empty += answer[6] == 0 && answer[7] == 0;
}

void load_reap(struct load *load, uint64_t now)
{
    if (now < load->reaped_ns + REAP_NS)
        return;
    load->reaped_ns = now;
    for (unsigned id = 0; id < LOAD_ID_N; id++) {
        if (load->sent_ns[id] == 0 || load->sent_ns[id] + LOAD_LOSS_NS > now)
            continue;
        id_release(load, id);
        load->lost++;
    }
}

bool load_over(const struct load *load, uint64_t now, uint64_t end_ns)
{
    return now >= end_ns || load->sent >= load->query_max;
}

/* In microseconds; what was lost is left out. */
static double latency_us(const struct load *load, double share)
{
    double wanted = share * (double)load->answered;
    uint64_t seen = 0;
    uint32_t i = 0;
    while (i < LOAD_LATENCY_N - 1 && (double)(seen += load->latency[i]) < wanted)
        i++;
    return (double)(i + 1) * LOAD_LATENCY_STEP_NS / 1000;
}

static void load_print(const struct load *load, double seconds, uint64_t spent_ns)
{
    printf("{\"sent\":%lu,\"answered\":%lu,\"lost\":%lu,\"stray\":%lu,\"closed\":%lu,"
           "\"seconds\":%.3f,\"cpu_ns\":%lu,\"truncated\":%lu,\"empty\":%lu,\"bytes\":%lu,"
           "\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"rcodes\":{",
           load->sent, load->answered, load->lost + load->awaited, load->stray, load->closed,
           seconds, spent_ns, load->truncated, load->empty, load->bytes, latency_us(load, 0.5),
           latency_us(load, 0.9), latency_us(load, 0.99));
    const char *comma = "";
    for (unsigned i = 0; i < 16; i++) {
        if (load->rcodes[i] == 0)
            continue;
        printf("%s\"%u\":%lu", comma, i, load->rcodes[i]);
        comma = ",";
    }
    puts("}}");
}

static void usage(void)
{
    fputs("usage: load -s ADDRESS [-p PORT] -f FILE [-d SECONDS] [-n QUERIES] [-w WINDOW]"
          " [-t TCP_CONNECTIONS] [-r RATE]\n",
          stderr);
    exit(2);
}

int main(int argc, char **argv)
{
    static struct load load = {
        .window = 192, .query_max = UINT64_MAX, .server.sin_family = AF_INET};
    const char *path = NULL;
    double seconds = 1;
    unsigned connection_n = 0;
    load.server.sin_port = htons(53);
    for (int option; (option = getopt(argc, argv, "s:p:f:d:n:w:t:r:")) >= 0;) {
        if (option == 's' && inet_pton(AF_INET, optarg, &load.server.sin_addr) != 1)
            usage();
        else if (option == 'p')
            load.server.sin_port = htons((uint16_t)strtoul(optarg, NULL, 10));
        else if (option == 'f')
            path = optarg;
        else if (option == 'd')
            seconds = strtod(optarg, NULL);
        else if (option == 'n')
            load.query_max = strtoull(optarg, NULL, 10);
        else if (option == 'w')
            load.window = (uint32_t)strtoul(optarg, NULL, 10);
        else if (option == 't')
            connection_n = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'r')
            load.rate = strtod(optarg, NULL);
        else if (option == '?')
            usage();
    }
    if (path == NULL || load.server.sin_addr.s_addr == 0 || !(seconds > 0) || seconds > LONGEST_S ||
        load.window == 0 || load.window > WINDOW_MAX || connection_n > CONNECTION_MAX ||
        connection_n > load.window || !(load.rate >= 0 && load.rate <= RATE_MAX) ||
        (load.rate > 0 && connection_n > 0))
        usage();
    if (query_file_read(&load.file, path) != 0)
        return 1;
    for (unsigned id = 0; id < LOAD_ID_N; id++)
        load.id_free[load.id_free_n++] = (uint16_t)id;
    uint64_t spent_ns = cpu_ns();
    seconds = connection_n == 0 ? load_run_udp(&load, seconds)
                                : load_run_tcp(&load, seconds, connection_n);
    load_print(&load, seconds, cpu_ns() - spent_ns);
    query_file_done(&load.file);
    return 0;
}
