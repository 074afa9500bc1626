/* Answers for a name server, for tests: names ending in ".test" are looked up in a file.
 *
 *     cc -shared -fPIC -o slow_names.so tests/slow_names/names.c -ldl
 *     SLOW_NAMES=/tmp/answer LD_PRELOAD=$PWD/slow_names.so PROGRAM
 *
 * The file holds an address, which is the answer, or "none", for which there is none at the moment. While there is no
 * file, there is no answer either: the call waits, as it does for a server that is silent. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    lookup *real = (lookup *)dlsym(RTLD_NEXT, "getaddrinfo");
    const char *path = getenv("SLOW_NAMES");
    size_t length = name ? strlen(name) : 0;
    if (!path || length < 5 || strcmp(name + length - 5, ".test") != 0)
        return real(name, service, hints, found);
    for (;;) {
        char answer[64] = "";
        FILE *file = fopen(path, "re");
        if (file) {
            int got = fscanf(file, "%63s", answer);
            fclose(file);
            if (got == 1)
                return strcmp(answer, "none") == 0 ? EAI_AGAIN : real(answer, service, hints, found);
        }
        usleep(10000);
    }
}
