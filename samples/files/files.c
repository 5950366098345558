/* One behaviour towards files, by name, in a directory that `prepare` has made (and `all` runs them all).
 *
 *   files NAME DIRECTORY
 *   files --list
 *
 * Exits 0; 3 when something was refused (EACCES or EPERM); 2 when the kernel does not know it; 1 when it failed otherwise.
 */
#include "files.h"

#include <sys/socket.h>
#include <sys/wait.h>

const char *directory;

int must(const char *what, long result) {
    if (result >= 0)
        return (int)result;
    if (errno == ENOSYS || errno == EOPNOTSUPP)
        exit(2);
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(errno == EACCES || errno == EPERM ? 3 : 1);
}

int opened(const char *name, int flags) {
    return must(name, open(name, flags, 0644));
}

void in_child(void (*does)(void)) {
    int status;
    pid_t child = must("fork", fork());

    if (!child) {
        does();
        _exit(0);
    }
    must("waitpid", waitpid(child, &status, 0));
    if (!WIFEXITED(status))
        exit(1);
    if (WEXITSTATUS(status))
        exit(WEXITSTATUS(status));
}

void hand(int socket, int fd) {
    char byte = 0, room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec one = {&byte, 1};
    struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(int));
    must("sendmsg", sendmsg(socket, &message, 0));
}

int taken(int socket) {
    char byte, room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec one = {&byte, 1};
    struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    struct cmsghdr *header;
    int fd;

    must("recvmsg", recvmsg(socket, &message, 0));
    header = CMSG_FIRSTHDR(&message);
    /* Descriptors that may not be used here are left out (aa_inherit, security_file_receive). */
    if (!header || header->cmsg_type != SCM_RIGHTS)
        exit(3);
    memcpy(&fd, CMSG_DATA(header), sizeof(int));
    return fd;
}

static void nothing(void) {
}

static const struct behaviour alone[] = {{"nothing", nothing}, {0}};
static const struct behaviour *const all[] = {alone, opens, odd_names, entries, contents, programs, processes, trees};

int main(int argc, char **argv) {
    const struct behaviour *one;
    size_t i;

    if (argc == 2 && !strcmp(argv[1], "--list")) {
        for (i = 0; i < sizeof(all) / sizeof(*all); i++)
            for (one = all[i]; one->name; one++)
                puts(one->name);
        return 0;
    }
    if (argc < 3) {
        fprintf(stderr, "usage: files NAME DIRECTORY\n");
        return 1;
    }
    directory = argv[2];
    must(directory, chdir(directory));
    umask(022);
    for (i = 0; i < sizeof(all) / sizeof(*all); i++)
        for (one = all[i]; one->name; one++)
            if (!strcmp(one->name, argv[1])) {
                one->does();
                return 0;
            }
    fprintf(stderr, "%s: no such behaviour\n", argv[1]);
    return 1;
}
