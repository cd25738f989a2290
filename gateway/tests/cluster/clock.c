/* The wall clock of whoever is started with this (LD_PRELOAD), moved by as many seconds as the eight bytes of the file RILL_TEST_CLOCK
 * say. Every other clock is left alone: how much time passes is what it is. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile long long *shift_s;

__attribute__((constructor)) static void map_shift(void) {
    const char *path = getenv("RILL_TEST_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = file >= 0 ? mmap(NULL, sizeof *shift_s, PROT_READ, MAP_SHARED, file, 0) : MAP_FAILED;
    if (mapped == MAP_FAILED)
        abort();
    shift_s = mapped;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int outcome = (int)syscall(SYS_clock_gettime, clock, now);
    if (outcome == 0 && clock == CLOCK_REALTIME && shift_s)
        now->tv_sec += (time_t)*shift_s;
    return outcome;
}
