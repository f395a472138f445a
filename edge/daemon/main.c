/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * isochrone-edge: an authoritative DNS server that answers with the nearest point of presence in
 * measured time.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "edge/daemon/config.h"
#include "edge/daemon/server.h"
#include "edge/wire/name.h"

#define MAIN_MAP_BYTES (768 << 10)
#define MAIN_TRIM_BYTES (2 << 20)

static void usage(FILE *to)
{
    fputs(
        "Usage: isochrone-edge --config FILE [--check | --replace[=SOCKET] [--detach]]\n"
        "\n"
        "Serves the zones and services of FILE (edge.yaml) until SIGTERM; stays in the "
        "foreground.\n"
        "SIGHUP or `isochronectl reload` reads everything again.\n"
        "\n"
        "  -c, --config FILE  configuration\n"
        "      --check        load everything, list what is wrong, serve nothing; exit 1 if "
        "something is\n"
        "      --replace      take the place of the running server, losing no query: its sockets, "
        "connections,\n"
        "                     counters and states; it is asked through SOCKET, or 'control' of "
        "FILE\n"
        "      --detach       with --replace: end when the new server serves, leaving it behind\n"
        "      --verbose      log more\n"
        "      --version      version\n"
        "      --help         this text\n",
        to);
}

enum option_id {
    OPTION_CHECK = 256,
    OPTION_REPLACE,
    OPTION_DETACH,
    OPTION_VERBOSE,
    OPTION_VERSION,
    OPTION_HELP
};

/* The parent ends with 0 once the child serves, else as the child ends. Returns in the child, with
 * the descriptor to tell the parent by, or -errno. Before there are threads. */
static int detach(void)
{
    int fds[2];
    pid_t child;
    int status;
    ssize_t got;
    char byte;

    if (pipe2(fds, O_CLOEXEC) < 0) {
        return -errno;
    }
    child = fork();
    if (child < 0) {
        return -errno;
    }
    if (child == 0) {
        (void)close(fds[0]);
        return fds[1];
    }
    (void)close(fds[1]);
    do {
        got = read(fds[0], &byte, 1);
    } while (got < 0 && errno == EINTR);
    if (got == 1) {
        _exit(0);
    }
    _exit(waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, OPTION_CHECK},
        {"replace", optional_argument, NULL, OPTION_REPLACE},
        {"detach", no_argument, NULL, OPTION_DETACH},
        {"verbose", no_argument, NULL, OPTION_VERBOSE},
        {"version", no_argument, NULL, OPTION_VERSION},
        {"help", no_argument, NULL, OPTION_HELP},
        {NULL, 0, NULL, 0},
    };
    const char *path = NULL;
    struct config *config = NULL;
    struct failure failure = {{0}};
    uint64_t hash_seed;
    struct server_options server = {.version = ISOCHRONE_VERSION, .ready_fd = -1};
    bool check = false;
    bool leave = false;
    int option;

    log_open("isochrone-edge", LOG_LEVEL_INFO);
    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case OPTION_CHECK:
            check = true;
            break;
        case OPTION_REPLACE:
            server.replace = optarg ? optarg : "";
            break;
        case OPTION_DETACH:
            leave = true;
            break;
        case OPTION_VERBOSE:
            log_set_threshold(LOG_LEVEL_DEBUG);
            break;
        case OPTION_VERSION:
            puts("isochrone-edge " ISOCHRONE_VERSION);
            return 0;
        case OPTION_HELP:
            usage(stdout);
            return 0;
        default:
            usage(stderr);
            return 2;
        }
    }
    if (!path || optind != argc || (check && server.replace) || (leave && !server.replace)) {
        usage(stderr);
        return 2;
    }
    /* A fixed threshold: what is loaded lives in mappings of its own, which go back whole. glibc
     * would raise it with the first large block that is freed, and then keep the holes. */
    (void)mallopt(M_MMAP_THRESHOLD, MAIN_MAP_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, MAIN_TRIM_BYTES);
    if (getrandom(&hash_seed, sizeof(hash_seed), 0) == (ssize_t)sizeof(hash_seed)) {
        name_hash_seed(hash_seed); /* before any zone is read */
    }
    if (config_load(path, &config, &failure) < 0) {
        fprintf(stderr, "%s\n", failure.text);
        return 1;
    }
    if (leave) {
        server.ready_fd = detach();
        if (server.ready_fd < 0) {
            fprintf(stderr, "cannot detach: %s\n", strerror(-server.ready_fd));
            return 1;
        }
    }
    return check ? server_check(config) : server_run(config, &server);
}
