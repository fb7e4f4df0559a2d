/* Functions whose parameters the cases read by the types of debug information: of each way in which C passes them. */
#include <stdio.h>
#include <stdlib.h>

enum colour { RED = 1, GREEN = 2, BLUE = 40 };

union either {
    unsigned int number;
    unsigned char bytes[4];
};

struct inner {
    short low;
    long high;
};

struct order {
    int id;
    unsigned int urgent : 1;
    int delta : 5;
    unsigned long size : 40;
    char name[12];
    int parts[3];
    int grid[2][2];
    enum colour colour;
    union either either;
    struct inner inner;
    struct {
        int hidden;
    };
    struct order *next;
    const char *note;
    double price;
};

struct pair {
    int left;
    long right;
};

struct mixed {
    double ratio;
    long count;
};

struct large {
    long values[4];
};

typedef struct {
    int width;
} sized_t;

#define PLAIN __attribute__((noinline, optimize("O0")))

/* Not optimised: debug information says where the parameters will be stored. */
PLAIN int whole(struct order *order, char letter, unsigned char byte, _Bool flag, enum colour colour, sized_t *sized) {
    return order->id + letter + byte + flag + colour + sized->width;
}

PLAIN long many(int a, int b, int c, int d, int e, int f, int g, long h) {
    return a + b + c + d + e + f + g + h;
}

PLAIN long by_value(struct pair pair, struct large large, sized_t sized, int after) {
    return pair.left + pair.right + large.values[3] + sized.width + after;
}

PLAIN double floats(double first, int n, float second, struct mixed mixed, long last) {
    return first + n + second + mixed.ratio + mixed.count + last;
}

/* The address of its result comes before its parameters. */
PLAIN struct large give(int n, long m) {
    struct large large = {{n, m, 3, 4}};
    return large;
}

/* Optimised: debug information says where the parameters are at each instruction. */
__attribute__((noinline)) int optimised(const struct order *order, int n) {
    int sum = 0;
    for (int i = 0; i < n; i++)
        sum += order->parts[i];
    return printf("%d\n", sum) + n;
}

static int callback(int (*call)(int), const int *list, int volatile *cell) {
    return call(list[0]) + *cell;
}

int (*volatile callbacks)(int (*)(int), const int *, int volatile *) = callback;

int main(void) {
    struct order last = {.id = -7, .name = "last"};
    struct order order = {
        .id = 9, .urgent = 1, .delta = -3, .size = 1UL << 33, .name = "first", .parts = {1, 2, 3},
        .grid = {{1, 2}, {3, 4}}, .colour = BLUE, .either = {0x01020304}, .inner = {5, 6}, .hidden = 77,
        .next = &last, .note = "a note",
    };
    sized_t sized = {12};
    struct pair pair = {1, 1L << 40};
    struct large large = {{1, 2, 3, 4}};
    struct mixed mixed = {0.5, 8};
    int cell = 3;

    whole(&order, 'x', 200, 1, GREEN, &sized);
    many(1, 2, 3, 4, 5, 6, -7, 8);
    by_value(pair, large, sized, 5);
    floats(1.5, 2, 2.5, mixed, 3);
    give(10, 11);
    optimised(&order, 3);
    callbacks(abs, &cell, &cell);
    return 0;
}
