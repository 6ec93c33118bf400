/* The server's sockets, and its one loop. */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    READ_SIZE = 262144,
    TICK_MS = 200,           /* how often the time limit is looked at while idle */
    SEND_TIMEOUT_SECONDS = 5 /* our answers are small: a runtime that does not read them is stuck */
};

int open_listener(struct run *run)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        return -1;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, MAX_CONNECTIONS) ||
        getsockname(fd, (struct sockaddr *)&address, &size)) {
        close(fd);
        return -1;
    }
    run->listener = fd;
    return ntohs(address.sin_port);
}

static void accept_connection(struct run *run)
{
    int fd = accept(run->listener, NULL, NULL);
    if (fd < 0)
        return; /* gone again, or a signal: poll will tell */
    struct connection *c = NULL;
    if (run->connection_count < MAX_CONNECTIONS)
        c = calloc(1, sizeof *c);
    if (!c) {
        close(fd);
        fail(run, "more than %d connections at once", MAX_CONNECTIONS);
        return;
    }
    int on = 1;
    struct timeval timeout = {SEND_TIMEOUT_SECONDS, 0};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    c->fd = fd;
    run->connections[run->connection_count++] = c;
}

static void drop_connection(struct run *run, int index)
{
    struct connection *c = run->connections[index];
    if (!http_is_between_requests(&c->reader))
        fail(run, "the runtime closed a connection in mid-request");
    if (run->waiting == c)
        run->waiting = NULL;
    close(c->fd);
    free(c);
    run->connections[index] = run->connections[--run->connection_count];
}

static void read_connection(struct run *run, int index, char *buffer)
{
    struct connection *c = run->connections[index];
    ssize_t length = recv(c->fd, buffer, READ_SIZE, MSG_DONTWAIT);
    double at = now_us();
    if (length > 0) {
        take_input(run, c, buffer, (size_t)length, at);
        if (run->options.read_pause_us)
            sleep_us(run->options.read_pause_us);
    } else if (length == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        drop_connection(run, index);
    }
}

static int poll_connections(struct run *run, struct pollfd *polled)
{
    polled[0] = (struct pollfd){.fd = run->listener, .events = POLLIN};
    for (int i = 0; i < run->connection_count; i++)
        polled[i + 1] = (struct pollfd){.fd = run->connections[i]->fd, .events = POLLIN};
    return poll(polled, (nfds_t)run->connection_count + 1, run->options.busy ? 0 : TICK_MS);
}

static void serve_once(struct run *run, char *buffer)
{
    struct pollfd polled[MAX_CONNECTIONS + 1];
    int count = run->connection_count;
    int ready = poll_connections(run, polled);
    if (ready > 0) {
        /* From the end, because dropping one moves the last into its place. */
        for (int i = count - 1; i >= 0 && !run->over; i--)
            if (polled[i + 1].revents)
                read_connection(run, i, buffer);
        if (polled[0].revents && !run->over)
            accept_connection(run);
    } else if (runtime_changed) {
        notice_runtime_end(run); /* only when nothing is left to read */
    }
}

void serve(struct run *run)
{
    double limit = run->started_at + (double)run->options.limit_seconds * 1e6;
    char *buffer = malloc(READ_SIZE);
    if (!buffer)
        fail(run, "out of memory");
    while (!run->over) {
        serve_once(run, buffer);
        if (run->over)
            break;
        if (stop_signal)
            fail(run, "stopped by signal %d", (int)stop_signal);
        else if (now_us() > limit)
            fail(run, "time limit of %ld s after %ld invocations", run->options.limit_seconds,
                 run->given);
    }
    free(buffer);
}
