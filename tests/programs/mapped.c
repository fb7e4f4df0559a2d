// Calls the function `answer` of a copy of this program that lies somewhere in a file (an archive): mapped FILE
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

__asm__(".text\n"
        ".ascii \"CODE BEGINS HERE\"\n"
        ".globl answer\n"
        ".type answer, @function\n"
        "answer: leal 1(%rdi), %eax\n"
        "ret\n"
        ".size answer, . - answer\n");

int main(int argc, char **argv)
{
    char mark[] = "code begins here";
    struct stat status;
    int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;
    char *file, *code;

    for (char *c = mark; *c; c++)
        if (*c != ' ')
            *c -= 'a' - 'A';
    if (fd < 0 || fstat(fd, &status))
        return 1;
    file = mmap(NULL, status.st_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    if (file == MAP_FAILED)
        return 2;
    code = memmem(file, status.st_size, mark, strlen(mark));
    return code ? ((int (*)(int))(code + strlen(mark)))(41) != 42 : 3;
}
