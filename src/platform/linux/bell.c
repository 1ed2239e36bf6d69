/* Bells on Linux: an epoll descriptor over a datagram socket, which others send to by its name, and a timer.
 *
 * A name is looked up in two steps, first without following a link and then through /proc, so that nothing but a socket is ever rung,
 * changed or taken for a bell, whatever somebody else puts in its place; and because the address of a socket has 107 bytes, and a path may
 * have more. Where there is no /proc, such bells are not to be had. thread-self, because self shows nothing once the main thread has
 * ended. */
#define _GNU_SOURCE
#include "platform/linux/linux.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)
/* More datagrams than a queue holds by default; who sends faster than we empty it keeps the bell ringing, and nobody busy. */
#define DATAGRAMS_MAX 600

static struct sockaddr_un address_of(int fd, const char *slash_and_name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *root = access("/proc/thread-self/fd", F_OK) == 0 ? "thread-self" : "self"; /* Linux 3.17 */
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/%s/fd/%d%.66s", root, fd, slash_and_name);
    return address;
}

static void set_timer(int timer, uint64_t first_ns) {
    struct itimerspec when = {.it_value = {(time_t)(first_ns / NS_PER_S), (long)(first_ns % NS_PER_S)}};
    timerfd_settime(timer, 0, &when, NULL);
}

static bool add(int poll_fd, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Which file a descriptor is of: epoll descriptors and timers are all of one, which at least nothing of the program's usual ones is. */
static covei_identity identity_of(int64_t fd) {
    struct stat facts;
    if (fd < 0 || fstat((int)fd, &facts) != 0)
        return (covei_identity){0, 0};
    return (covei_identity){facts.st_dev, facts.st_ino};
}

/* The socket that has this name, held without being followed; -1 and errno where there is none. */
static int hold_socket(covei_dir dir, const char *name) {
    struct stat facts;
    int fd;
    COVEI_RETRY_EINTR(fd, openat((int)dir.handle, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (fd >= 0 && (fstat(fd, &facts) != 0 || !S_ISSOCK(facts.st_mode))) {
        close(fd);
        errno = ENOTSOCK;
        fd = -1;
    }
    return fd;
}

/* Gives the name that we have just made the mode and, where we may, the owner of the object: who may write that may ring this. False
 * where it comes out otherwise, or somebody has put something else there. */
static bool set_access(covei_dir dir, const char *name, const covei_bell_access *wanted) {
    struct stat facts;
    struct sockaddr_un path;
    int held = hold_socket(dir, name);
    if (held < 0)
        return false;
    path = address_of(held, "");
    bool is_good = fstat(held, &facts) == 0 && facts.st_uid == geteuid();
    if (is_good && (facts.st_uid != wanted->uid || facts.st_gid != wanted->gid)) {
        int ignored = fchownat(held, "", wanted->uid, wanted->gid, AT_EMPTY_PATH);
        (void)ignored; /* what came of it is looked at */
    }
    is_good = is_good && chmod(path.sun_path, wanted->mode) == 0 && fstat(held, &facts) == 0 && (facts.st_mode & 07777) == wanted->mode;
    bool others = wanted->mode & 02, owner = facts.st_uid == wanted->uid, group = facts.st_gid == wanted->gid || !(wanted->mode & 020);
    close(held);
    return is_good && (others || (owner && group));
}

static int open_socket(covei_dir dir, const char *name, const covei_bell_access *access) {
    char slashed[80];
    snprintf(slashed, sizeof slashed, "/%.64s", name);
    struct sockaddr_un address = address_of((int)dir.handle, slashed);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int error = 0;
    if (fchmod(fd, 0600) != 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
        error = errno;
    else if (set_access(dir, name, access))
        return fd;
    else {
        unlinkat((int)dir.handle, name, 0);
        error = EPERM;
    }
    close(fd);
    errno = error;
    return -1;
}

cove_result covei_bell_open(covei_dir dir, const char *name, const covei_bell_access *access, uint64_t slice_ns, covei_bell *out_bell) {
    covei_bell bell = {.poll = epoll_create1(EPOLL_CLOEXEC),
                       .socket = COVEI_NO_HANDLE,
                       .timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)};
    cove_result result = COVE_ERR_LIMIT;
    if (bell.poll >= 0 && bell.timer >= 0 && add((int)bell.poll, (int)bell.timer))
        result = COVE_OK;
    if (result == COVE_OK && name && ((bell.socket = open_socket(dir, name, access)) < 0 || !add((int)bell.poll, (int)bell.socket)))
        result = errno == EADDRINUSE                                   ? COVE_ERR_EXISTS
                 : errno == EMFILE || errno == ENFILE                  ? COVE_ERR_LIMIT
                 : errno == EACCES || errno == EROFS || errno == EPERM ? COVE_ERR_ACCESS
                 : errno == ENOSPC                                     ? COVE_ERR_SPACE
                                                                       : COVE_ERR_UNSUPPORTED;
    bell.identity[0] = identity_of(bell.poll);
    bell.identity[1] = identity_of(bell.socket);
    bell.identity[2] = identity_of(bell.timer);
    if (result != COVE_OK) {
        covei_bell_close(dir, bell.socket >= 0 ? name : NULL, &bell, false);
        return result;
    }
    set_timer((int)bell.timer, slice_ns);
    *out_bell = bell;
    return COVE_OK;
}

/* A socket of ours that is connected to the bell: nothing is sent. -1 and errno. */
static int reach(covei_dir dir, const char *name) {
    int held = hold_socket(dir, name);
    if (held < 0)
        return -1;
    struct sockaddr_un address = address_of(held, "");
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = fd < 0 ? errno : 0;
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        error = errno == ENOENT ? ENOTSUP : errno; /* the name is there, and only we have no way to it: no /proc */
        close(fd);
        fd = -1;
    }
    close(held);
    errno = error;
    return fd;
}

static cove_result result_of_reaching(int error) {
    return error == ECONNREFUSED || error == ENOENT ? COVE_ERR_NOT_FOUND
           : error == EACCES || error == EPERM      ? COVE_ERR_ACCESS
           : error == EMFILE || error == ENFILE     ? COVE_ERR_LIMIT
                                                    : COVE_ERR_UNSUPPORTED;
}

cove_result covei_bell_find(covei_dir dir, const char *name) {
    int fd = reach(dir, name);
    if (fd < 0)
        return result_of_reaching(errno);
    close(fd);
    return COVE_OK;
}

cove_result covei_bell_ring(covei_dir dir, const char *name) {
    ssize_t sent;
    int fd = reach(dir, name);
    if (fd < 0)
        return result_of_reaching(errno);
    COVEI_RETRY_EINTR(sent, send(fd, "", 1, MSG_NOSIGNAL));
    int error = sent < 0 ? errno : 0;
    close(fd);
    return !error || error == EAGAIN || error == ENOBUFS ? COVE_OK : result_of_reaching(error); /* full: it rings */
}

/* ---- One's own. The program may have closed the numbers under us (closefrom), and given them to others since. */

static bool is_ours(int64_t fd, covei_identity identity) {
    return fd >= 0 && identity.number && covei_identity_equal(identity_of(fd), identity);
}

bool covei_bell_is_sound(const covei_bell *bell) {
    return is_ours(bell->poll, bell->identity[0]) && is_ours(bell->timer, bell->identity[2]) &&
           (bell->socket < 0 || is_ours(bell->socket, bell->identity[1]));
}

void covei_bell_touch(const covei_bell *bell) {
    if (is_ours(bell->timer, bell->identity[2]))
        set_timer((int)bell->timer, 1);
}

void covei_bell_silence(const covei_bell *bell, uint64_t slice_ns) {
    char byte;
    if (!covei_bell_is_sound(bell))
        return;
    for (int i = 0; bell->socket >= 0 && i < DATAGRAMS_MAX && recv((int)bell->socket, &byte, 1, 0) >= 0; i++)
        ;
    set_timer((int)bell->timer, slice_ns); /* also takes back what has expired */
}

void covei_bell_close(covei_dir dir, const char *name, covei_bell *bell, bool is_inherited) {
    int64_t *const handles[] = {&bell->poll, &bell->socket, &bell->timer};
    if (name && !is_inherited)
        unlinkat((int)dir.handle, name, 0);
    /* A child of fork may keep the epoll alive, and with it the user's event loop would: so it is emptied first. */
    for (int i = 1; i < 3 && !is_inherited && is_ours(bell->poll, bell->identity[0]); i++)
        if (is_ours(*handles[i], bell->identity[i]))
            epoll_ctl((int)bell->poll, EPOLL_CTL_DEL, (int)*handles[i], NULL);
    for (int i = 0; i < 3; i++) {
        if (is_ours(*handles[i], bell->identity[i]))
            close((int)*handles[i]);
        *handles[i] = COVEI_NO_HANDLE;
    }
}

void covei_bell_wait(const int64_t *polls, bool *ready, uint32_t count, uint64_t duration_ns) {
    struct pollfd few[16], *fds = count <= 16 ? few : malloc(count * sizeof *fds);
    uint64_t ms = duration_ns == UINT64_MAX ? 0 : (duration_ns + 999999) / 1000000;
    for (uint32_t i = 0; i < count; i++)
        ready[i] = false;
    if (!fds) { /* then all are looked at, a little later */
        covei_pause(1000000);
        for (uint32_t i = 0; i < count; i++)
            ready[i] = true;
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        fds[i] = (struct pollfd){.fd = (int)polls[i], .events = POLLIN};
    if (poll(fds, count, duration_ns == UINT64_MAX ? -1 : ms > INT32_MAX ? INT32_MAX : (int)ms) > 0)
        for (uint32_t i = 0; i < count; i++)
            ready[i] = fds[i].revents;
    if (fds != few)
        free(fds);
}
