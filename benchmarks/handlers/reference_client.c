/*
 * The least that a streaming runtime can do, in C: how far a limit the kernel sets.
 *
 * One blocking connection, one sendmsg of size, chunk and CRLF for each write, no
 * handler to call and nothing to check. It is no bound for other designs: who joins
 * writes, or does not block, may be faster.
 *
 * BENCHMARK_CHUNKS chunks of BENCHMARK_CHUNK_SIZE bytes, for as many invocations as
 * there are. Ends with exit code 1 and a line on standard error if anything is amiss.
 *
 * Build: cc -O2 -Wall -Wextra -o reference_client reference_client.c
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL /* macOS */
#define MSG_NOSIGNAL 0
#endif

enum { HEAD_LIMIT = 8192 };

static const char next_request[] = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"
                                   "Host: 127.0.0.1\r\n"
                                   "\r\n";

__attribute__((noreturn)) static void give_up(const char *what)
{
    perror(what);
    exit(1);
}

static long from_environment(const char *name)
{
    const char *text = getenv(name);
    long number = text ? strtol(text, NULL, 10) : 0;
    if (number < 1) {
        fprintf(stderr, "%s must be a number above 0\n", name);
        exit(1);
    }
    return number;
}

static int connect_to_runtime_api(void)
{
    char host[64];
    unsigned short port;
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (!api || sscanf(api, "%63[0-9.]:%hu", host, &port) != 2) {
        fprintf(stderr, "AWS_LAMBDA_RUNTIME_API must be an IPv4 address and a port\n");
        exit(1);
    }
    address.sin_port = htons(port);
    inet_pton(AF_INET, host, &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
        give_up("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void send_all(int fd, struct iovec *parts, size_t count)
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

/* Reads one answer; its head, as text, stays in `head`. */
static void read_answer(int fd, char *head)
{
    size_t have = 0;
    char *end = NULL;
    while (!end) {
        ssize_t got = recv(fd, head + have, HEAD_LIMIT - 1 - have, 0);
        if (got <= 0)
            give_up("recv");
        have += (size_t)got;
        head[have] = '\0';
        end = strstr(head, "\r\n\r\n");
    }
    const char *length = strcasestr(head, "\r\nContent-Length:");
    size_t whole = (size_t)(end + 4 - head) + (length ? strtoul(length + 17, NULL, 10) : 0);
    while (have < whole) {
        ssize_t got = recv(fd, head + have, HEAD_LIMIT - 1 - have, 0);
        if (got <= 0)
            give_up("recv");
        have += (size_t)got;
    }
    *end = '\0';
}

static void take_request_id(const char *head, char *id)
{
    const char *name = "\r\nLambda-Runtime-Aws-Request-Id:";
    const char *found = strcasestr(head, name);
    if (!found || sscanf(found + strlen(name), " %127s", id) != 1) {
        fprintf(stderr, "an invocation without an id: %s\n", head);
        exit(1);
    }
}

static void stream(int fd, const char *id, char *chunk, size_t chunk_size, long chunks)
{
    char request[512], size_line[32], *crlf = (char *)"\r\n", *end = (char *)"0\r\n\r\n";
    size_t request_length = (size_t)snprintf(
        request, sizeof request,
        "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\n"
        "Host: 127.0.0.1\r\n"
        "Content-Type: application/octet-stream\r\n"
        "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
        "Transfer-Encoding: chunked\r\n"
        "\r\n",
        id);
    size_t size_length = (size_t)snprintf(size_line, sizeof size_line, "%zx\r\n", chunk_size);
    for (long i = 0; i < chunks; i++) {
        struct iovec parts[] = {{request, request_length},
                                {size_line, size_length},
                                {chunk, chunk_size},
                                {crlf, 2}};
        size_t skipped = i > 0; /* the head goes with the first chunk */
        send_all(fd, parts + skipped, 4 - skipped);
    }
    struct iovec last = {end, 5};
    send_all(fd, &last, 1);
}

int main(void)
{
    long chunks = from_environment("BENCHMARK_CHUNKS");
    size_t chunk_size = (size_t)from_environment("BENCHMARK_CHUNK_SIZE");
    char head[HEAD_LIMIT], id[128], *chunk = malloc(chunk_size);
    if (!chunk)
        give_up("malloc");
    memset(chunk, 'x', chunk_size);
    int fd = connect_to_runtime_api();
    for (;;) {
        struct iovec request = {(char *)next_request, sizeof next_request - 1};
        send_all(fd, &request, 1);
        read_answer(fd, head);
        take_request_id(head, id);
        stream(fd, id, chunk, chunk_size, chunks);
        read_answer(fd, head);
        if (strncmp(head, "HTTP/1.1 202", 12) != 0) {
            fprintf(stderr, "the response was refused: %s\n", head);
            return 1;
        }
    }
}
