/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Runs a fuzz target over the files of its corpus, without libFuzzer: the normal test run replays
 * every input that ever mattered, under any compiler. Arguments are files or folders (not recursed
 * into).
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    size_t len = 0;
    long size;

    if (!file) {
        perror(path);
        return 1;
    }
    if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 &&
        fseek(file, 0, SEEK_SET) == 0 && (bytes = malloc((size_t)size + 1))) {
        len = fread(bytes, 1, (size_t)size, file);
    }
    fclose(file);
    if (!bytes) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return 1;
    }
    /* exactly `len` bytes, so that a sanitizer sees every read past the end */
    uint8_t *exact = malloc(len ? len : 1);
    if (exact) {
        memcpy(exact, bytes, len);
        (void)LLVMFuzzerTestOneInput(exact, len);
    }
    free(exact);
    free(bytes);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned count = 0;

    for (int i = 1; i < argc; i++) {
        struct stat status;
        struct dirent **names = NULL;
        int n;

        if (stat(argv[i], &status) < 0) {
            perror(argv[i]);
            return 1;
        }
        if (!S_ISDIR(status.st_mode)) {
            if (replay_file(argv[i])) {
                return 1;
            }
            count++;
            continue;
        }
        n = scandir(argv[i], &names, NULL, alphasort);
        for (int k = 0; k < n; k++) {
            char path[4096];

            snprintf(path, sizeof(path), "%s/%s", argv[i], names[k]->d_name);
            if (names[k]->d_name[0] != '.') {
                if (replay_file(path)) {
                    return 1;
                }
                count++;
            }
            free(names[k]);
        }
        free(names);
    }
    printf("%s: %u inputs replayed\n", argv[0], count);
    return count ? 0 : 1; /* an empty corpus is a test that cannot fail */
}
