/* Memory at a known place, 0x10000000, that is written four times by the first thread and three times by a second one,
 * read once, and called once. With `slow` there are 100 ms before each write and before the call; with `waiting` the second thread begins
 * before a line comes from standard input, and all else follows it. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile char *place;
static int slow;
static pthread_barrier_t barrier;

static void pause_if_slow(void) {
    if (slow)
        usleep(100000);
}

static void *second(void *unused) {
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 3; i++) {
        pause_if_slow();
        *place = i;
    }
    return unused;
}

int main(int argc, char **argv) {
    int waiting = argc > 1 && !strcmp(argv[1], "waiting");
    pthread_t thread;
    slow = argc > 1 && !strcmp(argv[1], "slow");
    place = mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (place == MAP_FAILED)
        return 1;
    place[16] = 0xc3; /* ret */
    pthread_barrier_init(&barrier, NULL, 2);
    if (waiting) {
        pthread_create(&thread, NULL, second, NULL);
        getchar();
    }
    for (int i = 0; i < 4; i++) {
        pause_if_slow();
        *place = i;
    }
    if (!waiting)
        pthread_create(&thread, NULL, second, NULL);
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    pause_if_slow();
    char read = *place;
    ((void (*)(void))(place + 16))();
    return read < 0;
}
