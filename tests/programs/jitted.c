// Runs code that belongs to no file, as that of a run-time compiler does, for a few seconds.
// Prints the address of that code first.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static const unsigned char forever[] = {0xeb, 0xfe}; // jmp to itself
    void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (code == MAP_FAILED)
        return 1;
    memcpy(code, forever, sizeof forever);
    printf("%lx\n", (unsigned long)code);
    fflush(stdout);
    alarm(argc > 1 ? atoi(argv[1]) : 5);
    ((void (*)(void))code)();
}
