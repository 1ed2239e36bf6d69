/* Bells on Linux: an epoll descriptor over a datagram socket, which others send to by its name, and a timer.
 *
 * The socket is reached through /proc/self/fd/<directory>/<name>, because the address of a socket has 107 bytes and a path may have
 * more; where there is no /proc, such bells are not to be had. */
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

static struct sockaddr_un address_of(covei_dir dir, const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%.64s", (int)dir.handle, name);
    return address;
}

static void set_timer(const covei_bell *bell, uint64_t first_ns) {
    struct itimerspec when = {.it_value = {(time_t)(first_ns / NS_PER_S), (long)(first_ns % NS_PER_S)}};
    timerfd_settime((int)bell->timer, 0, &when, NULL);
}

static bool add(const covei_bell *bell, int64_t fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = (int)fd};
    return epoll_ctl((int)bell->poll, EPOLL_CTL_ADD, (int)fd, &event) == 0;
}

static int open_socket(covei_dir dir, const char *name, uint32_t mode) {
    struct sockaddr_un address = address_of(dir, name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        if (fchmodat((int)dir.handle, name, mode, 0) == 0)
            return fd;
        unlinkat((int)dir.handle, name, 0);
    }
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

cove_result covei_bell_open(covei_dir dir, const char *name, uint32_t mode, uint64_t slice_ns, covei_bell *out_bell) {
    covei_bell bell = {epoll_create1(EPOLL_CLOEXEC), COVEI_NO_HANDLE, timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)};
    cove_result result = COVE_ERR_LIMIT;
    if (bell.poll < 0 || bell.timer < 0 || !add(&bell, bell.timer))
        goto fail;
    if (name && ((bell.socket = open_socket(dir, name, mode)) < 0 || !add(&bell, bell.socket))) {
        result = errno == EADDRINUSE                       ? COVE_ERR_EXISTS
                 : errno == EMFILE || errno == ENFILE      ? COVE_ERR_LIMIT
                 : errno == EACCES || errno == EROFS       ? COVE_ERR_ACCESS
                 : errno == ENOSPC                         ? COVE_ERR_SPACE
                                                           : COVE_ERR_UNSUPPORTED;
        goto fail;
    }
    set_timer(&bell, slice_ns);
    *out_bell = bell;
    return COVE_OK;
fail:
    covei_bell_close(dir, bell.socket >= 0 ? name : NULL, &bell);
    return result;
}

cove_result covei_bell_ring(covei_dir dir, const char *name) {
    struct sockaddr_un address = address_of(dir, name);
    ssize_t sent;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return COVE_ERR_LIMIT;
    COVEI_RETRY_EINTR(sent, sendto(fd, "", 1, MSG_NOSIGNAL, (struct sockaddr *)&address, sizeof address));
    int error = sent < 0 ? errno : 0;
    close(fd);
    if (!error || error == EAGAIN || error == ENOBUFS) /* full: it rings */
        return COVE_OK;
    struct stat facts;
    if (error == ENOENT && fstatat((int)dir.handle, name, &facts, AT_SYMLINK_NOFOLLOW) == 0)
        return COVE_ERR_UNSUPPORTED; /* the name is there, and only we have no way to it: no /proc */
    return error == ECONNREFUSED || error == ENOENT ? COVE_ERR_NOT_FOUND : error == EACCES ? COVE_ERR_ACCESS : COVE_ERR_SYSTEM;
}

void covei_bell_touch(const covei_bell *bell) {
    set_timer(bell, 1);
}

void covei_bell_silence(const covei_bell *bell, uint64_t slice_ns) {
    struct epoll_event ready[2];
    char bytes[16];
    int count = epoll_wait((int)bell->poll, ready, 2, 0);
    for (int i = 0; i < count; i++)
        if (ready[i].data.fd == (int)bell->socket) {
            while (recv((int)bell->socket, bytes, sizeof bytes, 0) >= 0)
                ;
        }
    set_timer(bell, slice_ns); /* also takes back what has expired */
}

void covei_bell_close(covei_dir dir, const char *name, covei_bell *bell) {
    if (name)
        unlinkat((int)dir.handle, name, 0);
    int64_t *const handles[] = {&bell->poll, &bell->socket, &bell->timer};
    for (int i = 0; i < 3; i++) {
        if (*handles[i] >= 0)
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
