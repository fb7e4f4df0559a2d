/* Threads that call one function, each with a text of its own: more of them than CPUs, so that they preempt one another. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8, LENGTH = 200 };

static long rounds;

__attribute__((noinline)) size_t say(const char *text) {
    __asm__ volatile("" ::: "memory"); /* or the compiler calls it once */
    return strlen(text);
}

static void *run(void *letter) {
    char text[LENGTH + 1];
    memset(text, *(const char *)letter, LENGTH);
    text[LENGTH] = 0;
    size_t sum = 0;
    for (long i = 0; i < rounds; i++)
        sum += say(text);
    return (void *)sum;
}

/* preempted ROUNDS */
int main(int argc, char **argv) {
    static const char letters[THREADS + 1] = "ABCDEFGH";
    pthread_t threads[THREADS];
    rounds = argc > 1 ? atol(argv[1]) : 1;
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, run, (void *)&letters[i]))
            return 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
