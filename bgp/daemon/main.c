/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * isochrone-bgp: announces this PoP's VIPs through ExaBGP while what stands behind them answers.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "bgp/config/config.h"
#include "bgp/daemon/holder.h"
#include "bgp/daemon/loop.h"
#include "bgp/daemon/once.h"
#include "bgp/daemon/replay.h"
#include "bgp/link/link.h"
#include "bgp/speak/exabgp_config.h"

/* ExaBGP stops altogether, with every route it has, when a process dies six times within about a
 * minute. */
#define FAIL_SLOWLY_NS (15 * CLOCK_NS_PER_S)

enum mode {
    MODE_HOLD,
    MODE_THINK,
    MODE_CHECK,
    MODE_ONCE,
    MODE_DRY_RUN,
    MODE_REPLAY,
    MODE_EXABGP_CONFIG
};

struct arguments {
    enum mode mode;
    const char *config;
    const char *journal; /* of MODE_REPLAY */
    bool json, verbose;
};

static void usage(FILE *file)
{
    fputs(
        "Usage: isochrone-bgp --config FILE [--check | --once [--json] | --dry-run |\n"
        "                     --replay LOG [--json] | --print-exabgp-config]\n"
        "\n"
        "Announces the VIPs of FILE (bgp.yaml) while their checks pass. Started by ExaBGP as an\n"
        "API process: commands on stdout, replies on stdin, log on stderr. What decides runs as\n"
        "a process of its own. SIGHUP has another one take its place, from the program and FILE\n"
        "as they are then, if it can; routes stay meanwhile.\n"
        "\n"
        "  -c, --config FILE        configuration\n"
        "      --check              read FILE and say what is wrong\n"
        "      --once               make every check once; exit 1 unless every VIP would be\n"
        "                           announced\n"
        "      --json               with --once and --replay: one JSON object instead of a table\n"
        "      --dry-run            probe and decide, but print changes to stderr\n"
        "      --replay LOG         what would have been decided about what the journal LOG (and\n"
        "                           LOG.1, LOG.2, ...) recorded, and where that differs from what\n"
        "                           was\n"
        "      --print-exabgp-config\n"
        "                           the exabgp.conf for the neighbors in FILE\n"
        "      --brain              what decides; only the process started by ExaBGP uses it\n"
        "      --verbose            log more\n"
        "      --help, --version\n",
        file);
}

enum option_id {
    OPTION_CHECK = 256,
    OPTION_ONCE,
    OPTION_DRY_RUN,
    OPTION_EXABGP_CONFIG,
    OPTION_REPLAY,
    OPTION_BRAIN,
    OPTION_JSON,
    OPTION_VERBOSE,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"check", no_argument, NULL, OPTION_CHECK},
    {"once", no_argument, NULL, OPTION_ONCE},
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {"print-exabgp-config", no_argument, NULL, OPTION_EXABGP_CONFIG},
    {"replay", required_argument, NULL, OPTION_REPLAY},
    {"brain", no_argument, NULL, OPTION_BRAIN},
    {"json", no_argument, NULL, OPTION_JSON},
    {"verbose", no_argument, NULL, OPTION_VERBOSE},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

/* -1 to go on, else the exit code. */
static int option_take(struct arguments *arguments, int option)
{
    switch (option) {
    case 'c':
        arguments->config = optarg;
        return -1;
    case OPTION_CHECK:
        arguments->mode = MODE_CHECK;
        return -1;
    case OPTION_ONCE:
        arguments->mode = MODE_ONCE;
        return -1;
    case OPTION_DRY_RUN:
        arguments->mode = MODE_DRY_RUN;
        return -1;
    case OPTION_EXABGP_CONFIG:
        arguments->mode = MODE_EXABGP_CONFIG;
        return -1;
    case OPTION_JSON:
        arguments->json = true;
        return -1;
    case OPTION_BRAIN:
        arguments->mode = MODE_THINK;
        return -1;
    case OPTION_VERBOSE:
        arguments->verbose = true;
        log_set_threshold(LOG_LEVEL_DEBUG);
        return -1;
    case OPTION_REPLAY:
        arguments->mode = MODE_REPLAY;
        arguments->journal = optarg;
        return -1;
    case OPTION_HELP:
        usage(stdout);
        return 0;
    case OPTION_VERSION:
        puts("isochrone-bgp " ISOCHRONE_VERSION);
        return 0;
    default:
        usage(stderr);
        return 2;
    }
}

/* Under ExaBGP a failed start waits a while, or until ExaBGP is gone; what comes meanwhile is read
 * and dropped, so that ExaBGP does not block on us. */
static void fail_slowly(void)
{
    const int64_t end_ns = clock_monotonic_ns() + FAIL_SLOWLY_NS;
    struct stat status;

    if (fstat(STDIN_FILENO, &status) < 0 ||
        !(S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode))) {
        return;
    }
    for (int64_t left_ns = FAIL_SLOWLY_NS; left_ns > 0; left_ns = end_ns - clock_monotonic_ns()) {
        struct pollfd item = {.fd = STDIN_FILENO, .events = POLLIN};
        char bytes[4096];

        if (poll(&item, 1, (int)(left_ns / CLOCK_NS_PER_MS) + 1) > 0) {
            const ssize_t len = read(STDIN_FILENO, bytes, sizeof(bytes));

            if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR)) {
                return;
            }
        }
    }
}

static int check(const struct config *config)
{
    bool used[CONFIG_CHECKS_MAX] = {false};

    for (size_t i = 0; i < config->vips_n; i++) {
        for (size_t k = 0; k < config->vips[i].checks_n; k++) {
            used[config->vips[i].checks[k]] = true;
        }
    }
    for (size_t i = 0; i < config->checks_n; i++) {
        if (!used[i]) {
            fprintf(stderr, "%s: note: check %s governs no VIP\n", config->path,
                    config->checks[i].name);
        }
    }
    printf("%s: good: %zu VIPs, %zu checks, %zu neighbors\n", config->path, config->vips_n,
           config->checks_n, config->neighbors_n);
    return 0;
}

static int exabgp_config_print(const struct config *config, struct failure *failure)
{
    char program[PATH_MAX], path[PATH_MAX];
    const ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);

    if (len < 0 || !realpath(config->path, path)) {
        return failure_set(failure, -errno, "%s: %s", config->path, strerror(errno));
    }
    program[len] = '\0';
    return exabgp_config_write(stdout, config, program, path, failure);
}

/* ExaBGP may be killed without closing anything in order; nobody would steer an orphan. Our parent
 * may be any process, 1 in a container, so it is only compared with what it was. */
static int parent_watch(pid_t parent, struct failure *failure)
{
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0) {
        log_warning("PR_SET_PDEATHSIG: %s", strerror(errno));
    }
    return getppid() == parent ? 0 : failure_set(failure, -ESRCH, "ExaBGP is gone already");
}

static int replay(const struct config *config, const struct arguments *arguments,
                  struct failure *failure)
{
    const struct replay_limits limits = REPLAY_LIMITS;
    struct replay_log log;
    int result = replay_log_load(arguments->journal, &log, failure);

    if (result == 0) {
        result = replay_run(config, &log, &limits, stdout, arguments->json, failure);
        replay_log_done(&log);
    }
    return result;
}

/* The configuration is the brain's business: the holder must live whatever it says. */
static int hold(const struct arguments *arguments, char **argv, pid_t parent)
{
    char path[PATH_MAX] = "";
    char brain[] = "--brain", config[] = "--config", verbose[] = "--verbose";
    char *file = strdup(arguments->config);
    char *const words[] = {argv[0], brain, config, file, arguments->verbose ? verbose : NULL, NULL};
    const struct holder_options options = {STDIN_FILENO, STDOUT_FILENO,
                                           strchr(argv[0], '/') ? argv[0] : path, words};
    struct failure failure;
    int result = file ? 0 : failure_set(&failure, -ENOMEM, "out of memory");

    if (result == 0 && readlink("/proc/self/exe", path, sizeof(path) - 1) < 0) {
        result = failure_set(&failure, -errno, "/proc/self/exe: %s", strerror(errno));
    }
    result = result ? result : parent_watch(parent, &failure);
    result = result ? result : holder_run(&options, &failure);
    free(file);
    if (result < 0) {
        log_error("%s", failure.text);
        fail_slowly();
    }
    return result < 0;
}

/* What is wrong is said by the holder, which knows what that means. */
static int think(const struct config *config, int result, struct failure *failure)
{
    const struct loop_options options = {.link = LINK_FD, .version = ISOCHRONE_VERSION};
    static uint8_t bytes[LINK_MESSAGE_MAX];
    int type;
    socklen_t len = sizeof(type);

    if (getsockopt(LINK_FD, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET) {
        fputs("isochrone-bgp: --brain is for the holder alone\n", stderr);
        return 2;
    }
    (void)fcntl(LINK_FD, F_SETFD, FD_CLOEXEC);
    result = result ? result : loop_run(config, &options, failure);
    if (result < 0) {
        (void)send(LINK_FD, bytes, link_encode_failed(failure->text, bytes), MSG_NOSIGNAL);
    }
    return result < 0;
}

static int mode_run(const struct arguments *arguments, const struct config *config,
                    struct failure *failure)
{
    const struct loop_options dry_run = {.link = -1, .dry_run = true, .version = ISOCHRONE_VERSION};
    bool good = true;
    int result = 0;

    switch (arguments->mode) {
    case MODE_CHECK:
        return check(config);
    case MODE_ONCE:
        result = once_run(config, stdout, arguments->json, &good, failure);
        break;
    case MODE_REPLAY:
        result = replay(config, arguments, failure);
        break;
    case MODE_EXABGP_CONFIG:
        result = exabgp_config_print(config, failure);
        break;
    case MODE_DRY_RUN:
        result = loop_run(config, &dry_run, failure);
        break;
    case MODE_HOLD:
    case MODE_THINK:
        break; /* main() knows */
    }
    if (result < 0) {
        log_error("%s", failure->text);
    }
    return result < 0 || !good;
}

int main(int argc, char **argv)
{
    const pid_t parent = getppid();
    struct arguments arguments = {.mode = MODE_HOLD};
    struct failure failure = {{0}};
    struct config *config = NULL;
    int option, code;

    log_open("isochrone-bgp", LOG_LEVEL_INFO);
    while ((option = getopt_long(argc, argv, "c:", long_options, NULL)) != -1) {
        code = option_take(&arguments, option);
        if (code >= 0) {
            return code;
        }
    }
    if (!arguments.config || optind < argc) {
        usage(stderr);
        return 2;
    }
    if (arguments.mode == MODE_HOLD) {
        return hold(&arguments, argv, parent);
    }
    code = config_load_file(arguments.config, &config, &failure);
    if (arguments.mode == MODE_THINK) {
        code = think(config, code, &failure);
    } else if (code < 0) {
        fprintf(stderr, "%s\n", failure.text);
        code = 1;
    } else {
        code = mode_run(&arguments, config, &failure);
    }
    config_free(config);
    return code;
}
