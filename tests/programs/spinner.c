/* What the profiling cases sample: a function that keeps a CPU busy for a number of milliseconds. */
#include <stdlib.h>
#include <time.h>

static long now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

__attribute__((noinline)) unsigned long busy_loop(unsigned long rounds) {
    volatile unsigned long sum = 0;
    for (unsigned long i = 0; i < rounds; i++)
        sum += i;
    return sum;
}

int main(int argc, char **argv) {
    long until = now_ms() + (argc > 1 ? atoi(argv[1]) : 1000);
    unsigned long sum = 0;
    while (now_ms() < until)
        sum += busy_loop(100000);
    return sum == 0;
}
