/* What the usdt cases trace: static probes with arguments in every form, some at several places, one with a
   semaphore. The notes are made here: no header of systemtap is needed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One place of a probe: a nop, and a note with its address, the base, the semaphore's address, three texts. */
#define PLACE(provider, name, semaphore, arguments)                                                                   \
    "661: nop\n"                                                                                                      \
    ".pushsection .note.stapsdt, \"\", @note\n"                                                                       \
    ".balign 4\n"                                                                                                     \
    ".long 8, 663f - 662f, 3\n"                                                                                       \
    ".asciz \"stapsdt\"\n"                                                                                            \
    "662: .quad 661b, static_probes_base, " semaphore "\n"                                                            \
    ".asciz \"" provider "\", \"" name "\", \"" arguments "\"\n"                                                      \
    "663: .balign 4\n"                                                                                                \
    ".popsection\n"

__asm__(".pushsection .stapsdt.base, \"a\", @progbits\n"
        "static_probes_base: .byte 0\n"
        ".popsection\n");

#define PROBE0(provider, name) __asm__ volatile(PLACE(provider, name, "0", ""))
#define PROBE2(provider, name, type, a, b) __asm__ volatile(PLACE(provider, name, "0", type "@%0 8@%1") ::"nor"(a), "nor"(b))

__attribute__((section(".probes"), used)) volatile unsigned short watched_semaphore = 0;

/* Looked at as programs do: the arguments are prepared only for somebody who listens. */
static void watched(int round) {
    if (!watched_semaphore)
        return;
    __asm__ volatile(PLACE("shop", "watched", "watched_semaphore", "-4@%0 2@%1")::"nor"(round), "m"(watched_semaphore));
    if (round < 0)
        __asm__ volatile(PLACE("shop", "watched", "watched_semaphore", "-4@$0 2@$0"));
    __asm__ volatile(PLACE("shop", "noticed", "watched_semaphore", ""));
}

volatile unsigned long numbers[6] = {1, 2, 0xf7f6f5f4f3f2f1f0, 4, 5, 6};
volatile int counters[3] = {-41, 42, 43};

__attribute__((noinline)) static void forms(void) {
    __asm__ volatile("movabs $0xf7f6f5f4f3f2f1f0, %%rax\n"
                     "mov %%rax, %%r8\n mov %%rax, %%r9\n mov %%rax, %%r10\n" PLACE(
                         "forms", "register", "0",
                         "8@%%rax -8@%%rax 4@%%eax -4@%%eax 2@%%ax -2@%%ax 1@%%al -1@%%al 1@%%ah 4@%%r8d 2@%%r9w -1@%%r10b") ::
                         : "rax", "r8", "r9", "r10");
    __asm__ volatile(PLACE("forms", "constant", "0",
                           "8@$17867739004052632048 -8@$-579005069656919568 4@$-202182160 -4@$-202182160 "
                           "2@$61936 -2@$-3600 1@$0xf0 -1@$-16")::);
    __asm__ volatile("lea 16+%0, %%rbx\n mov $2, %%rcx\n mov $-1, %%rdx\n" PLACE(
                         "forms", "memory", "0",
                         "8@(%%rbx) -4@4(%%rbx) 2@2(%%rbx) -1@(%%rbx) 8@-16(%%rbx) 8@-8(%%rbx,%%rcx,8) "
                         "8@(%%rbx,%%rdx,8) 8@6(%%rbx,%%rcx) 8@16(,%%rbx,1)")::"m"(numbers[0])
                     : "rbx", "rcx", "rdx");
    __asm__ volatile(PLACE("forms", "symbol", "0", "-4@counters(%%rip) -4@counters+4(%%rip) -4@8+counters(%%rip) -4@counters")::);
    __asm__ volatile(PLACE("forms", "unreadable", "0", "-4@$7 8f@%%xmm0 8@%%fs:16 16@(%%rax) 8@no_such_symbol(%%rip)")::);
}

/* A probe in a function that is copied into its callers: a place for each, with arguments of its own. */
__attribute__((always_inline)) static inline void copied(long a, long b) {
    PROBE2("shop", "copied", "-8", a, b);
}

__attribute__((noinline)) static void copies(long round) {
    volatile long on_stack = round * 100;
    copied(1, round);
    copied(2, on_stack);
    copied(round + 3, 5);
}

static void all(int round, const char *name) {
    PROBE2("shop", "open", "-4", round, name);
    watched(round);
    copies(round);
    forms();
    PROBE0("shop", "close");
    PROBE0("bakery", "close");
    __asm__ volatile(PLACE("shop", "\\\"odd\\\"", "0", "4@$9"));
}

/* static_probes [ROUNDS [MS]]: MS milliseconds before each round. */
int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 1;
    for (int i = 1; i <= rounds; i++) {
        usleep(argc > 2 ? atoi(argv[2]) * 1000 : 0);
        all(i, argv[0]);
    }
    return 0;
}
