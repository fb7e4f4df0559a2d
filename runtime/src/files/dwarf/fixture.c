/* Inlined calls over several levels, a loop, a cold path and a function in another section. */
#include <stdio.h>
#include <stdlib.h>

struct packet { int kind; int length; unsigned char data[64]; };

static volatile int sink;

static inline __attribute__((always_inline)) int checksum(const struct packet *p)
{
	int sum = 0;
	for (int i = 0; i < p->length; i++)
		sum += p->data[i] * 31;
	return sum ^ p->kind;
}

static inline __attribute__((always_inline)) int accept_packet(struct packet *p, int mark)
{
	if (p->kind == mark) {
		sink++;
		return checksum(p);
	}
	return -1;
}

static __attribute__((noinline, cold)) int complain(int kind)
{
	fprintf(stderr, "kind %d\n", kind);
	return -kind;
}

__attribute__((noinline)) int process(struct packet *p, int round)
{
	int first = accept_packet(p, 1);
	if (first < 0) {
		sink = round;
		first = accept_packet(p, 2);
	}
	if (__builtin_expect(first < 0, 0))
		return complain(p->kind);
	return first + checksum(p) / (round + 1);
}

__attribute__((noinline, section(".text.apart"))) int apart(int x)
{
	return x * 3 + sink;
}

int main(int argc, char **argv)
{
	struct packet p = { .kind = argc, .length = 64 };
	for (int i = 0; i < 64; i++)
		p.data[i] = (unsigned char)(i * argc);
	printf("%d %d\n", process(&p, argc), apart(argc));
	if (argc > 1) {
		fflush(stdout);
		getchar();
	}
	return argv[0] == NULL;
}
