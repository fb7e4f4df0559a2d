// Calls `inner` in ways that only call frame information can follow: no function of this file keeps a frame pointer.
//
// unwound chain [times]   main -> first -> second -> inner, every 20 ms
// unwound aligned         over a function that aligns its stack and takes an unknown amount of it
// unwound sorted          from a comparison that the C library calls
// unwound signal          from a signal's handler, on a stack of its own
// unwound thread          in a thread
// unwound child [times]   in a child, every 20 ms
// unwound busy            for 5 seconds of work in `inner`, then ends
#pragma GCC optimize("omit-frame-pointer")
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned long rounds;

__attribute__((noinline, noclone)) int inner(int n)
{
    unsigned long most = rounds;

    for (unsigned long i = 0; i < most; i++)
        __asm__ volatile("" : "+r"(n));
    return n + 1;
}

__attribute__((noinline, noclone)) int second(int n)
{
    return inner(n) * 2;
}

__attribute__((noinline, noclone)) int first(int n)
{
    volatile char some[40];

    some[n & 31] = 1;
    return second(n) + some[0];
}

static void again(int times)
{
    struct timespec pause = {0, 20000000};

    for (int i = 0; i < times; i++) {
        first(i);
        nanosleep(&pause, NULL);
    }
}

__attribute__((noinline, noclone, force_align_arg_pointer)) int aligned(int n)
{
    volatile char *some = __builtin_alloca(n * 16);
    volatile char wide[64] __attribute__((aligned(64)));

    some[0] = wide[n & 63] = 1;
    return first(n) + some[0] + wide[0];
}

static int compare(const void *a, const void *b)
{
    return inner(*(const int *)a) - *(const int *)b - 1;
}

static void handler(int signal)
{
    first(signal);
}

static void signalled(void)
{
    stack_t other = {.ss_sp = malloc(SIGSTKSZ), .ss_size = SIGSTKSZ};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};

    sigaltstack(&other, NULL);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
}

static void *thread(void *nothing)
{
    first(1);
    return nothing;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "chain";
    int times = argc > 2 ? atoi(argv[2]) : 1;
    int numbers[] = {3, 1, 2};
    pthread_t other;

    if (!strcmp(how, "aligned")) {
        return aligned(argc) == 0;
    } else if (!strcmp(how, "sorted")) {
        qsort(numbers, 3, sizeof numbers[0], compare);
    } else if (!strcmp(how, "signal")) {
        signalled();
    } else if (!strcmp(how, "thread")) {
        pthread_create(&other, NULL, thread, NULL);
        pthread_join(other, NULL);
    } else if (!strcmp(how, "child")) {
        if (fork() == 0) {
            again(times);
            _exit(0);
        }
        wait(NULL);
    } else if (!strcmp(how, "busy")) {
        rounds = 20000000;
        for (time_t end = time(NULL) + 5; time(NULL) < end;)
            first(1);
    } else {
        again(times);
    }
    return 0;
}
