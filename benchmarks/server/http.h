/*
 * HTTP/1.1 requests out of bytes, in whatever pieces they arrive.
 *
 * Opens nothing, waits for nothing, knows nothing of Lambda. A request comes out as
 *
 *     REQUEST_LINE  HEAD_ENDED  [BODY ...]  [TRAILER ...]  ENDED
 */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stddef.h>

enum { LINE_LIMIT = 8192 }; /* of a longer line only the beginning is kept */

enum http_event {
    HTTP_NEEDS_MORE,   /* the bytes are used up */
    HTTP_REQUEST_LINE, /* in `line` */
    HTTP_HEAD_ENDED,   /* `closes` and `awaits_continue` are known */
    HTTP_BODY,         /* a part of the body, as it came: `data` and `data_length` */
    HTTP_TRAILER,      /* in `line` */
    HTTP_ENDED,        /* of the whole request */
    HTTP_BROKEN        /* not HTTP: `line`, and `complaint` says what is wrong with it */
};

/* Where a connection is in its request. All states but the two *_DATA ones collect a line. */
enum http_state {
    AT_REQUEST_LINE,
    AT_HEADER,
    AT_SIZED_DATA,
    AT_CHUNK_SIZE,
    AT_CHUNK_DATA,
    AT_CHUNK_END,
    AT_TRAILER
};

/* All zero at first. */
struct http_reader {
    enum http_state state;
    long long remaining; /* bytes left of the body (sized) or of the chunk */
    bool is_chunked;
    bool closes;
    bool awaits_continue;
    char line[LINE_LIMIT];
    size_t line_length;
    const char *complaint;
    const char *data;
    size_t data_length;
};

/* The next event in the bytes; moves `bytes` and `length` past what it has used. */
enum http_event http_next(struct http_reader *reader, const char **bytes, size_t *length);

/* Whether a connection may end here. */
bool http_is_between_requests(const struct http_reader *reader);

/* The value of a header line if it has this name, else NULL. */
const char *http_header_value(const char *line, const char *name);

#endif
