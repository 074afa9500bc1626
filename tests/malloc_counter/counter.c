/* Counts how often a program asks for memory, for tests.
 *
 *     cc -shared -fPIC -o malloc_counter.so tests/malloc_counter/counter.c -ldl
 *     MALLOC_COUNTER=/tmp/counts LD_PRELOAD=$PWD/malloc_counter.so PROGRAM
 *
 * The file, made here, holds two 64-bit numbers: calls so far of malloc and its relatives (calloc, realloc,
 * reallocarray, memalign, posix_memalign, aligned_alloc, valloc, pvalloc) and of mmap for anonymous memory, in all
 * threads; and a switch. While that is not 0, each such call is told on standard error with where it came from. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct page {
    _Atomic uint64_t count, told;
};

static struct page before_start, *page = &before_start;
static _Thread_local int telling __attribute__((tls_model("initial-exec")));
static void *(*real_mmap)(void *, size_t, int, int, int, off_t);

/* glibc's own names: its dynamic linker asks for memory before dlsym can be called. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static void count(void) {
    atomic_fetch_add(&page->count, 1);
    if (!atomic_load(&page->told) || telling)
        return;
    telling = 1;
    void *frames[24];
    int depth = backtrace(frames, 24);
    static const char words[] = "memory asked for by\n";
    if (write(2, words, sizeof words - 1) > 0)
        backtrace_symbols_fd(frames, depth, 2);
    telling = 0;
}

__attribute__((constructor)) static void start(void) {
    real_mmap = dlsym(RTLD_NEXT, "mmap");
    const char *path = getenv("MALLOC_COUNTER");
    if (!path)
        return;
    /* Its first call loads a library. */
    void *frame;
    backtrace(&frame, 1);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, sizeof *page))
        abort();
    void *shared = real_mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (shared == MAP_FAILED)
        abort();
    close(file);
    page = shared;
}

void *malloc(size_t size) {
    count();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    count();
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
    count();
    return __libc_realloc(old, size);
}

void *reallocarray(void *old, size_t number, size_t size) {
    count();
    if (size && number > SIZE_MAX / size) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_realloc(old, number * size);
}

void *memalign(size_t alignment, size_t size) {
    count();
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    count();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **into, size_t alignment, size_t size) {
    count();
    *into = __libc_memalign(alignment, size);
    return *into ? 0 : ENOMEM;
}

void *valloc(size_t size) {
    count();
    return __libc_memalign((size_t)sysconf(_SC_PAGESIZE), size);
}

void *pvalloc(size_t size) {
    size_t whole = (size_t)sysconf(_SC_PAGESIZE);
    return memalign(whole, (size + whole - 1) / whole * whole);
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
    if (!real_mmap)
        real_mmap = dlsym(RTLD_NEXT, "mmap");
    if (flags & MAP_ANONYMOUS)
        count();
    return real_mmap(address, length, protection, flags, fd, offset);
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t offset) {
    return mmap(address, length, protection, flags, fd, (off_t)offset);
}
