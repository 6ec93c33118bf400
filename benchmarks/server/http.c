#include "http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Takes bytes up to and including the end of a line. Returns whether the line is whole. */
static bool collect_line(struct http_reader *r, const char **bytes, size_t *length)
{
    const char *newline = memchr(*bytes, '\n', *length);
    size_t taken = newline ? (size_t)(newline - *bytes) + 1 : *length;
    size_t text = newline ? taken - 1 : taken;
    size_t room = LINE_LIMIT - 1 - r->line_length;
    size_t kept = text < room ? text : room;
    memcpy(r->line + r->line_length, *bytes, kept);
    r->line_length += kept;
    *bytes += taken;
    *length -= taken;
    if (!newline)
        return false;
    if (r->line_length > 0 && r->line[r->line_length - 1] == '\r')
        r->line_length--;
    r->line[r->line_length] = '\0';
    r->line_length = 0; /* the next one; the text stays until then */
    return true;
}

static bool read_number(struct http_reader *r, const char *text, int base)
{
    char *end;
    errno = 0;
    r->remaining = strtoll(text, &end, base);
    bool is_alone = *end == '\0' || *end == ';' || *end == ' ';
    return end != text && is_alone && !errno && r->remaining >= 0;
}

static enum http_event broken(struct http_reader *r, const char *complaint)
{
    r->complaint = complaint;
    return HTTP_BROKEN;
}

static enum http_event take_request_line(struct http_reader *r)
{
    if (!r->line[0])
        return HTTP_NEEDS_MORE; /* an empty line before a request is allowed */
    r->remaining = 0;
    r->is_chunked = r->closes = r->awaits_continue = false;
    r->state = AT_HEADER;
    return HTTP_REQUEST_LINE;
}

static enum http_event take_header(struct http_reader *r)
{
    const char *value;
    if (!r->line[0]) {
        r->state = r->is_chunked ? AT_CHUNK_SIZE : AT_SIZED_DATA;
        return HTTP_HEAD_ENDED;
    }
    if ((value = http_header_value(r->line, "Content-Length"))) {
        if (!read_number(r, value, 10))
            return broken(r, "not a content length");
    } else if ((value = http_header_value(r->line, "Transfer-Encoding"))) {
        r->is_chunked = strcasecmp(value, "chunked") == 0;
    } else if ((value = http_header_value(r->line, "Connection"))) {
        r->closes = strcasecmp(value, "close") == 0;
    } else if ((value = http_header_value(r->line, "Expect"))) {
        r->awaits_continue = strcasecmp(value, "100-continue") == 0;
    }
    return HTTP_NEEDS_MORE;
}

static enum http_event take_chunk_size(struct http_reader *r)
{
    if (!read_number(r, r->line, 16))
        return broken(r, "not a chunk size");
    r->state = r->remaining > 0 ? AT_CHUNK_DATA : AT_TRAILER;
    return HTTP_NEEDS_MORE;
}

static enum http_event end_request(struct http_reader *r)
{
    r->state = AT_REQUEST_LINE;
    return HTTP_ENDED;
}

/* What a whole line means; HTTP_NEEDS_MORE if nothing that anybody wants to know. */
static enum http_event take_line(struct http_reader *r)
{
    switch (r->state) {
    case AT_REQUEST_LINE:
        return take_request_line(r);
    case AT_HEADER:
        return take_header(r);
    case AT_CHUNK_SIZE:
        return take_chunk_size(r);
    case AT_CHUNK_END:
        if (r->line[0])
            return broken(r, "a chunk is longer than its size says");
        r->state = AT_CHUNK_SIZE;
        return HTTP_NEEDS_MORE;
    case AT_TRAILER:
        return r->line[0] ? HTTP_TRAILER : end_request(r);
    case AT_SIZED_DATA:
    case AT_CHUNK_DATA:
        break;
    }
    return HTTP_NEEDS_MORE;
}

static enum http_event take_data(struct http_reader *r, const char **bytes, size_t *length)
{
    r->data = *bytes;
    r->data_length = (long long)*length < r->remaining ? *length : (size_t)r->remaining;
    r->remaining -= (long long)r->data_length;
    *bytes += r->data_length;
    *length -= r->data_length;
    if (r->remaining == 0 && r->state == AT_CHUNK_DATA)
        r->state = AT_CHUNK_END;
    return HTTP_BODY;
}

enum http_event http_next(struct http_reader *r, const char **bytes, size_t *length)
{
    if (r->state == AT_SIZED_DATA && r->remaining == 0)
        return end_request(r);
    while (*length > 0) {
        if (r->state == AT_SIZED_DATA || r->state == AT_CHUNK_DATA)
            return take_data(r, bytes, length);
        if (collect_line(r, bytes, length)) {
            enum http_event event = take_line(r);
            if (event != HTTP_NEEDS_MORE)
                return event;
        }
    }
    return HTTP_NEEDS_MORE;
}

bool http_is_between_requests(const struct http_reader *r)
{
    return r->state == AT_REQUEST_LINE && r->line_length == 0;
}

const char *http_header_value(const char *line, const char *name)
{
    size_t length = strlen(name);
    if (strncasecmp(line, name, length) != 0 || line[length] != ':')
        return NULL;
    line += length + 1;
    return line + strspn(line, " \t");
}
