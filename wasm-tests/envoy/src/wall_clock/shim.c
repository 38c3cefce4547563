/* Loaded into Envoy before the C library: CLOCK_REALTIME is off by the nanoseconds in the file that WEIR_WALL_CLOCK names;
 * every other clock is the machine's. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t *offset;

__attribute__((constructor)) static void map_offset(void) {
  const char *path = getenv("WEIR_WALL_CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0)
    return;
  void *place = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (place != MAP_FAILED)
    offset = place;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  const int64_t second = 1000000000;
  int result = (int)syscall(SYS_clock_gettime, clock, now);
  if (result == 0 && clock == CLOCK_REALTIME && offset) {
    int64_t nanos = now->tv_nsec + *offset % second;
    now->tv_sec += *offset / second;
    if (nanos < 0) {
      nanos += second;
      now->tv_sec -= 1;
    } else if (nanos >= second) {
      nanos -= second;
      now->tv_sec += 1;
    }
    now->tv_nsec = nanos;
  }
  return result;
}
