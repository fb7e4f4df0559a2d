/* What the uprobe cases trace: functions with known arguments and results, called a known number of times. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct point {
    int x;
    int y;
    char name[16];
};

__attribute__((noinline)) int add(int a, int b) {
    return a + b;
}

__attribute__((noinline)) const char *greet(const char *who) {
    printf("hello %s\n", who);
    return who;
}

__attribute__((noinline)) int length(const struct point *p) {
    return p->x * p->x + p->y * p->y;
}

__attribute__((noinline)) int inner(int n) {
    return n + 1;
}

__attribute__((noinline)) int outer(int n) {
    return inner(n) * 2;
}

struct point origin = {3, -4, "origin"};

/* uprobed [ROUNDS [NAME [MS]]]: stays for MS milliseconds, so that its stacks can still be named. */
int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 1;
    long sum = 0;
    for (int i = 1; i <= rounds; i++)
        sum += add(i, -i) + length(&origin) + outer(i);
    greet(argc > 2 ? argv[2] : "world");
    fflush(stdout);
    usleep(argc > 3 ? atoi(argv[3]) * 1000 : 0);
    return sum == 0;
}
