// A library to preload into a server: the clock of the day is off by the seconds that the file CHAOS_CLOCK_FILE
// says, from one call to the next. Other clocks are right, as when somebody sets the clock of a machine.
// libfaketime does not do, because it calls malloc at its first use, and Redis' malloc asks for the time.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t none;
static const volatile int64_t *offset;

static int64_t seconds(void) {
    if (!offset) {
        const char *path = getenv("CHAOS_CLOCK_FILE");
        int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        void *mapped = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, fd, 0);
        if (fd >= 0)
            close(fd);
        offset = mapped == MAP_FAILED ? &none : mapped;
    }
    return *offset;
}

int clock_gettime(clockid_t id, struct timespec *ts) {
    int failed = syscall(SYS_clock_gettime, id, ts);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        ts->tv_sec += seconds();
    return failed;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone) {
    struct timespec ts;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &ts))
        return -1;
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME_COARSE, &ts);
    if (at)
        *at = ts.tv_sec;
    return ts.tv_sec;
}
