/*
 * The least that a front can do, in C: what the kernel takes for the way from a runtime to a
 * caller.
 *
 *     c_front PORT runtime [argument ...]
 *
 * It starts the runtime, is its Runtime API, and passes what it posts on to the caller: chunks
 * are taken apart and made anew, as every HTTP server does. One thread, blocking, one caller
 * and one runtime at a time; the event is the body of the caller's request. No limits, no
 * log, no time limits, no errors: whatever is amiss ends it.
 *
 * Build: cc -O2 -Wall -Wextra -I../server -o c_front c_front.c ../server/http.c
 */
#define _GNU_SOURCE
#include "http.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { READ_SIZE = 262144, EVENT_LIMIT = 65536 };

struct peer {
    int fd;
    struct http_reader reader;
    char buffer[READ_SIZE];
    const char *bytes;
    size_t length;
};

static struct peer caller = {.fd = -1}, runtime = {.fd = -1};

__attribute__((noreturn)) static void give_up(const char *what)
{
    perror(what);
    exit(1);
}

static int listen_on(int port, int *chosen)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 16) ||
        getsockname(fd, (struct sockaddr *)&address, &size))
        give_up("listen");
    *chosen = ntohs(address.sin_port);
    return fd;
}

static void accept_peer(struct peer *peer, int listener)
{
    int on = 1;
    peer->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (peer->fd < 0)
        give_up("accept");
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    memset(&peer->reader, 0, sizeof peer->reader);
    peer->length = 0;
}

/* The next event of this peer's requests; it is accepted first, and again when it has gone. */
static enum http_event next_event(struct peer *peer, int listener)
{
    for (;;) {
        if (peer->fd < 0)
            accept_peer(peer, listener);
        enum http_event event = http_next(&peer->reader, &peer->bytes, &peer->length);
        if (event == HTTP_BROKEN)
            give_up(peer->reader.complaint);
        if (event != HTTP_NEEDS_MORE)
            return event;
        ssize_t got = recv(peer->fd, peer->buffer, sizeof peer->buffer, 0);
        if (got <= 0) {
            if (!http_is_between_requests(&peer->reader))
                give_up("closed in mid-request");
            close(peer->fd);
            peer->fd = -1;
            continue;
        }
        peer->bytes = peer->buffer;
        peer->length = (size_t)got;
    }
}

static void send_parts(int fd, struct iovec *parts, size_t count)
{
    while (count > 0) {
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
        ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (sent < 0)
            give_up("sendmsg");
        while (count > 0 && (size_t)sent >= parts->iov_len) {
            sent -= (ssize_t)parts->iov_len;
            parts++;
            count--;
        }
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + sent;
            parts->iov_len -= (size_t)sent;
        }
    }
}

static void send_text(int fd, const char *text, size_t length)
{
    struct iovec part = {(void *)text, length};
    send_parts(fd, &part, 1);
}

static void send_chunk(int fd, const char *bytes, size_t length)
{
    char size[32];
    size_t digits = (size_t)snprintf(size, sizeof size, "%zx\r\n", length);
    struct iovec parts[] = {{size, digits}, {(void *)bytes, length}, {(char *)"\r\n", 2}};
    send_parts(fd, parts, 3);
}

/* Waits for a caller's request, and answers /next with its body. */
static void hand_out_invocation(int front)
{
    static char event[EVENT_LIMIT];
    size_t length = 0;
    enum http_event got;
    while ((got = next_event(&caller, front)) != HTTP_ENDED)
        if (got == HTTP_BODY && length + caller.reader.data_length <= sizeof event) {
            memcpy(event + length, caller.reader.data, caller.reader.data_length);
            length += caller.reader.data_length;
        }
    char head[1024];
    int head_length = snprintf(head, sizeof head,
                               "HTTP/1.1 200 OK\r\n"
                               "Content-Type: application/json\r\n"
                               "Lambda-Runtime-Aws-Request-Id: "
                               "00000000-0000-4000-8000-000000000000\r\n"
                               "Lambda-Runtime-Deadline-Ms: 9999999999999\r\n"
                               "Lambda-Runtime-Invoked-Function-Arn: "
                               "arn:aws:lambda:us-east-1:123456789012:function:benchmark\r\n"
                               "Lambda-Runtime-Trace-Id: "
                               "Root=1-00000000-000000000000000000000000;Sampled=0\r\n"
                               "Content-Length: %zu\r\n\r\n",
                               length);
    struct iovec parts[] = {{head, (size_t)head_length}, {event, length}};
    send_parts(runtime.fd, parts, 2);
}

static const char answer_head[] = "HTTP/1.1 200 OK\r\n"
                                  "Content-Type: application/octet-stream\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n";
static const char accepted[] = "HTTP/1.1 202 Accepted\r\n"
                               "Content-Type: application/json\r\n"
                               "Content-Length: 16\r\n\r\n"
                               "{\"status\":\"OK\"}\n";

static void serve(int front, int api)
{
    enum { NEXT, RESPONSE } request = NEXT;
    for (;;) {
        switch (next_event(&runtime, api)) {
        case HTTP_REQUEST_LINE:
            request = strncmp(runtime.reader.line, "GET ", 4) == 0 ? NEXT : RESPONSE;
            break;
        case HTTP_HEAD_ENDED:
            if (request == RESPONSE)
                send_text(caller.fd, answer_head, sizeof answer_head - 1);
            break;
        case HTTP_BODY:
            if (request == RESPONSE && runtime.reader.data_length > 0)
                send_chunk(caller.fd, runtime.reader.data, runtime.reader.data_length);
            break;
        case HTTP_ENDED:
            if (request == NEXT) {
                hand_out_invocation(front);
            } else {
                send_text(caller.fd, "0\r\n\r\n", 5);
                send_text(runtime.fd, accepted, sizeof accepted - 1);
            }
            break;
        default:
            break;
        }
    }
}

static void start(char **command, int api_port)
{
    char address[32];
    pid_t us = getpid();
    snprintf(address, sizeof address, "127.0.0.1:%d", api_port);
    setenv("AWS_LAMBDA_RUNTIME_API", address, 1);
    if (fork() != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != us)
        _exit(127);
    execvp(command[0], command);
    perror(command[0]);
    _exit(127);
}

int main(int count, char **arguments)
{
    int front_port, api_port;
    if (count < 3) {
        fprintf(stderr, "usage: c_front PORT runtime [argument ...]\n");
        return 2;
    }
    int front = listen_on(atoi(arguments[1]), &front_port), api = listen_on(0, &api_port);
    start(arguments + 2, api_port);
    serve(front, api);
}
