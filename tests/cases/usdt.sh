# usdt.sh DIR: a program there, and beside it the library that it is linked to, which has a static probe.
set -e
mkdir -p "$1"
cat > "$1/tick.c" <<'END'
int tick(int n) {
    __asm__ volatile("661: nop\n"
                     ".pushsection .note.stapsdt, \"\", @note\n"
                     ".balign 4\n"
                     ".long 8, 663f - 662f, 3\n"
                     ".asciz \"stapsdt\"\n"
                     "662: .quad 661b, 0, 0\n"
                     ".asciz \"clock\", \"tick\", \"-4@%0\"\n"
                     "663: .balign 4\n"
                     ".popsection\n"
                     :
                     : "r"(n));
    return n + 1;
}
END
cat > "$1/linked.c" <<'END'
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

int tick(int n);
static int rounds, micros;

/* In another thread than the first. */
static void *run(void *unused) {
    for (int n = 0; n < rounds; n = tick(n))
        usleep(micros);
    return unused;
}

int main(int argc, char **argv) {
    pthread_t thread;
    rounds = argc > 2 ? atoi(argv[1]) : 1;
    micros = argc > 2 ? atoi(argv[2]) : 0;
    return pthread_create(&thread, 0, run, 0) || pthread_join(thread, 0);
}
END
gcc -O1 -shared -fPIC "$1/tick.c" -o "$1/libtick.so"
gcc -O1 "$1/linked.c" -o "$1/linked" -L"$1" -ltick -lpthread -Wl,-rpath,'$ORIGIN'
