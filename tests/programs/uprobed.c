/* What the uprobe cases trace: functions with known arguments and results, called a known number of times. */
#include <stdio.h>
#include <stdlib.h>

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

int main(int argc, char **argv) {
    struct point p = {3, -4, "origin"};
    int rounds = argc > 1 ? atoi(argv[1]) : 1;
    long sum = 0;
    for (int i = 1; i <= rounds; i++)
        sum += add(i, -i) + length(&p) + outer(i);
    greet(argc > 2 ? argv[2] : "world");
    return sum == 0;
}
