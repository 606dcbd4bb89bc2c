/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/http.h"

#include "base/connect.h"
#include "base/error.h"
#include "base/resolve.h"
#include "base/text.h"

#include <string.h>

#define LINE_MAX_BYTES (8 * 1024)
#define HEAD_MAX (64 * 1024)
#define HEAD_LINES_MAX 200
#define INTERIM_MAX 5 /* answers 1xx before the real one */
#define STATUS_SHOWN 60

typedef struct {
  const BaseHttp *http;
  BaseConnection *connection;
  guint8 buffer[16 * 1024];
  gsize at;
  gsize have;
  gsize head; /* bytes of lines so far */
  int lines;
} Reader;

typedef struct {
  int status;
  char *words;    /* of the status, to show */
  char *location; /* (nullable) */
  char *type;     /* (nullable) */
  goffset length; /* -1: not said */
  gboolean chunked;
} Answer;

static void
answer_clear(Answer *answer)
{
  g_free(answer->words);
  g_free(answer->location);
  g_free(answer->type);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Answer, answer_clear)

static gboolean
no_http(GError **error, const char *why)
{
  return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "its answer is no good HTTP: %s", why);
}

/* ---- lines ---- */

/* FALSE with no error: the end. */
static gboolean
fill(Reader *reader, GError **error)
{
  gsize got;
  if (reader->at < reader->have)
    return TRUE;
  if (!base_connection_read(reader->connection, reader->buffer, sizeof reader->buffer, &got, error))
    return FALSE;
  reader->at = 0;
  reader->have = got;
  return got > 0;
}

static gboolean
read_line(Reader *reader, GString *line, GError **error)
{
  g_string_truncate(line, 0);
  if (++reader->lines > HEAD_LINES_MAX)
    return no_http(error, "too many lines in its head");
  for (;;) {
    g_autoptr(GError) failed = NULL;
    if (!fill(reader, &failed)) {
      if (!failed)
        return no_http(error, "it is cut off");
      g_propagate_error(error, g_steal_pointer(&failed));
      return FALSE;
    }
    const guint8 *from = reader->buffer + reader->at;
    const guint8 *end = memchr(from, '\n', reader->have - reader->at);
    gsize length = end ? (gsize)(end - from) + 1 : reader->have - reader->at;
    reader->at += length;
    reader->head += length;
    if (line->len + length > LINE_MAX_BYTES || reader->head > HEAD_MAX)
      return no_http(error, "its head is too long");
    g_string_append_len(line, (const char *)from, (gssize)length);
    if (end)
      break;
  }
  g_string_truncate(line, line->len - 1);
  if (line->len && line->str[line->len - 1] == '\r')
    g_string_truncate(line, line->len - 1);
  if (memchr(line->str, '\0', line->len) || memchr(line->str, '\r', line->len))
    return no_http(error, "control characters in its head");
  return TRUE;
}

/* ---- the head ---- */

/* "HTTP/1.1 200 OK" */
static gboolean
read_status(const char *line, Answer *answer, GError **error)
{
  if (strlen(line) < 12 || !g_str_has_prefix(line, "HTTP/1.") || line[8] != ' ' ||
      !g_ascii_isdigit(line[9]) || !g_ascii_isdigit(line[10]) || !g_ascii_isdigit(line[11]) ||
      (line[12] != '\0' && line[12] != ' '))
    return no_http(error, "its first line");
  answer->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  g_free(answer->words);
  g_autofree char *words = g_strndup(line + 12, STATUS_SHOWN);
  answer->words = base_text_shown(g_strstrip(words), -1);
  return TRUE;
}

static gboolean
read_length(const char *value, Answer *answer, GError **error)
{
  guint64 length;
  if (!g_ascii_isdigit(*value) ||
      !g_ascii_string_to_unsigned(value, 10, 0, G_MAXINT64, &length, NULL) ||
      (answer->length >= 0 && (guint64)answer->length != length))
    return no_http(error, "its length");
  answer->length = (goffset)length;
  return TRUE;
}

static gboolean
read_field(char *line, Answer *answer, GError **error)
{
  char *colon = strchr(line, ':');
  if (!colon || colon == line || *line == ' ' || *line == '\t')
    return no_http(error, "a line of its head");
  *colon = '\0';
  const char *name = line, *value = g_strstrip(colon + 1);
  if (g_ascii_strcasecmp(name, "Content-Length") == 0)
    return read_length(value, answer, error);
  if (g_ascii_strcasecmp(name, "Transfer-Encoding") == 0) {
    answer->chunked = g_ascii_strcasecmp(value, "chunked") == 0;
    return answer->chunked || no_http(error, "it is encoded");
  }
  if (g_ascii_strcasecmp(name, "Content-Encoding") == 0)
    return g_ascii_strcasecmp(value, "identity") == 0 || no_http(error, "it is encoded");
  char **keep = g_ascii_strcasecmp(name, "Location") == 0       ? &answer->location
                : g_ascii_strcasecmp(name, "Content-Type") == 0 ? &answer->type
                                                                : NULL;
  if (keep && !*keep)
    *keep = g_strdup(value);
  return TRUE;
}

static gboolean
read_head(Reader *reader, Answer *answer, GError **error)
{
  g_autoptr(GString) line = g_string_new(NULL);
  reader->head = 0;
  reader->lines = 0;
  if (!read_line(reader, line, error) || !read_status(line->str, answer, error))
    return FALSE;
  for (;;) {
    if (!read_line(reader, line, error))
      return FALSE;
    if (line->len == 0)
      break;
    if (!read_field(line->str, answer, error))
      return FALSE;
  }
  /* RFC 9112 6.1: both is what request smuggling is made of. */
  return !answer->chunked || answer->length < 0 || no_http(error, "two lengths");
}

static gboolean
read_final_head(Reader *reader, Answer *answer, GError **error)
{
  for (int i = 0; i < INTERIM_MAX; i++) {
    answer_clear(answer);
    *answer = (Answer){ .length = -1 };
    if (!read_head(reader, answer, error))
      return FALSE;
    if (answer->status >= 200)
      return TRUE;
  }
  return no_http(error, "no final status");
}

/* ---- the body ---- */

typedef struct {
  BaseSink *to;
  goffset total;
} Body;

/* At most `length` bytes of what there is; -1: error, 0: the end. */
static gssize
pass_on(Reader *reader, goffset length, Body *body, GError **error)
{
  g_autoptr(GError) failed = NULL;
  if (!fill(reader, &failed)) {
    if (!failed)
      return 0;
    g_propagate_error(error, g_steal_pointer(&failed));
    return -1;
  }
  gsize piece = (gsize)MIN(length, (goffset)(reader->have - reader->at));
  body->total += (goffset)piece;
  if (body->total > reader->http->max) {
    base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                   "its answer is larger than %" G_GOFFSET_FORMAT " bytes", reader->http->max);
    return -1;
  }
  if (!base_sink_write(body->to, reader->buffer + reader->at, piece, error))
    return -1;
  reader->at += piece;
  return (gssize)piece;
}

static gboolean
read_exactly(Reader *reader, goffset length, Body *body, GError **error)
{
  while (length > 0) {
    gssize piece = pass_on(reader, length, body, error);
    if (piece < 0)
      return FALSE;
    if (piece == 0)
      return no_http(error, "it is cut off");
    length -= piece;
  }
  return TRUE;
}

static gboolean
read_to_end(Reader *reader, Body *body, GError **error)
{
  gssize piece;
  while ((piece = pass_on(reader, G_MAXINT64, body, error)) > 0)
    ;
  return piece == 0;
}

/* RFC 9112 7.1. What comes behind the last chunk is not read: the connection is not used again. */
static gboolean
read_chunks(Reader *reader, Body *body, GError **error)
{
  g_autoptr(GString) line = g_string_new(NULL);
  for (;;) {
    guint64 size;
    reader->lines = 0;
    reader->head = 0;
    if (!read_line(reader, line, error))
      return FALSE;
    line->str[strcspn(line->str, "; \t")] = '\0';
    if (!g_ascii_isxdigit(*line->str) ||
        !g_ascii_string_to_unsigned(line->str, 16, 0, G_MAXINT64, &size, NULL))
      return no_http(error, "a chunk's size");
    if (size == 0)
      return TRUE;
    if (!read_exactly(reader, (goffset)size, body, error) || !read_line(reader, line, error))
      return FALSE;
    if (line->len)
      return no_http(error, "a chunk's end");
  }
}

static gboolean
read_body(Reader *reader, const Answer *answer, BaseSink *to, GError **error)
{
  Body body = { to, 0 };
  if (answer->length > reader->http->max)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                          "its answer is larger than %" G_GOFFSET_FORMAT " bytes",
                          reader->http->max);
  if (answer->chunked)
    return read_chunks(reader, &body, error);
  if (answer->length >= 0)
    return read_exactly(reader, answer->length, &body, error);
  return read_to_end(reader, &body, error);
}

/* ---- the question ---- */

/* RFC 9110 9.3.6 */
static gboolean
open_tunnel(Reader *reader, const BaseUrl *to, GError **error)
{
  g_autofree char *text = g_strdup_printf(
      "CONNECT %s%s%s:%s HTTP/1.1\r\nHost: %s%s%s:%s\r\n\r\n", strchr(to->host, ':') ? "[" : "",
      to->host, strchr(to->host, ':') ? "]" : "", to->port, strchr(to->host, ':') ? "[" : "",
      to->host, strchr(to->host, ':') ? "]" : "", to->port);
  g_auto(Answer) answer = { .length = -1 };
  if (!base_connection_write(reader->connection, text, strlen(text), error) ||
      !read_final_head(reader, &answer, error))
    return FALSE;
  if (answer.status / 100 != 2)
    return base_error_set(error, SIGNET_ERROR_FAILED, "the proxy answers with status %d (%s)",
                          answer.status, answer.words);
  return reader->at == reader->have || no_http(error, "the proxy says more than it should");
}

/* RFC 6761 6.3: and all below it. */
static gboolean
is_localhost(const char *host)
{
  g_autofree char *name = g_ascii_strdown(host, -1);
  if (g_str_has_suffix(name, "."))
    name[strlen(name) - 1] = '\0';
  return strcmp(name, "localhost") == 0 || g_str_has_suffix(name, ".localhost");
}

static gboolean
literal_is_local(const BaseUrl *url)
{
  struct addrinfo *all = NULL;
  const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
  if (is_localhost(url->host))
    return TRUE;
  if (getaddrinfo(url->host, NULL, &hints, &all) != 0)
    return FALSE;
  gboolean local = base_resolve_is_local(all->ai_addr);
  freeaddrinfo(all);
  return local;
}

static gboolean
reach(Reader *reader, const BaseUrl *url, gboolean no_local, GError **error)
{
  const BaseHttp *http = reader->http;
  g_auto(BaseUrl) proxy = { 0 };
  g_autoptr(BaseTls) tls = url->tls ? base_tls_new(url->host, http->tls_roots, error) : NULL;
  if (url->tls && !tls)
    return FALSE;
  if (http->proxy && !base_url_parse_proxy(http->proxy, &proxy))
    return base_error_set(error, SIGNET_ERROR_USAGE, "the proxy is not [http://]HOST:PORT: %s",
                          http->proxy);
  if (proxy.host && no_local && literal_is_local(url))
    return base_error_set(error, SIGNET_ERROR_DENIED,
                          "it is inside this network, where nothing is asked on a stranger's word");
  reader->connection =
      base_connect(proxy.host ? &proxy : url, no_local && !proxy.host, http->deadline, error);
  if (!reader->connection || (tls && proxy.host && !open_tunnel(reader, url, error)))
    return FALSE;
  return !tls || base_connection_secure(reader->connection, g_steal_pointer(&tls), error);
}

static gboolean
ask(Reader *reader, const BaseUrl *url, GError **error)
{
  const BaseHttp *http = reader->http;
  g_autoptr(GString) text = g_string_new(http->body ? "POST " : "GET ");
  g_autofree char *authority = base_url_authority(url);
  if (http->proxy && !url->tls) /* RFC 9112 3.2.2 */
    g_string_append_printf(text, "http://%s", authority);
  g_string_append_printf(text, "%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", url->path,
                         authority);
  if (http->body)
    g_string_append_printf(text, "Content-Type: %s\r\nContent-Length: %zu\r\n", http->type,
                           g_bytes_get_size(http->body));
  g_string_append_printf(text, "Accept: %s\r\n\r\n", http->expect ? http->expect : "*/*");
  if (http->body) /* one segment, where it is small */
    g_string_append_len(text, g_bytes_get_data(http->body, NULL),
                        (gssize)g_bytes_get_size(http->body));
  return base_connection_write(reader->connection, text->str, text->len, error);
}

static gboolean
check_type(const BaseHttp *http, const Answer *answer, GError **error)
{
  gsize length = http->expect ? strlen(http->expect) : 0;
  if (!http->expect ||
      (answer->type && g_ascii_strncasecmp(answer->type, http->expect, length) == 0 &&
       strchr("; \t", answer->type[length])))
    return TRUE;
  g_autofree char *shown = base_text_shown(answer->type, -1);
  return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "its answer is %s, not %s",
                        shown ? shown : "of no type", http->expect);
}

static gboolean
is_redirection(const BaseHttp *http, int status)
{
  /* Only 307 and 308 have a POST repeated. */
  return status == 307 || status == 308 ||
         (!http->body && (status == 301 || status == 302 || status == 303));
}

/* A server may send elsewhere, but not from TLS to none. */
static gboolean
redirect(const Answer *answer, BaseUrl *url, GError **error)
{
  const char *to = answer->location ? answer->location : "";
  g_auto(BaseUrl) next = { 0 };
  g_autofree char *authority = base_url_authority(url);
  g_autofree char *here = to[0] == '/' && to[1] != '/'
                              ? g_strconcat(url->scheme, "://", authority, to, NULL)
                              : g_strdup(to);
  here[strcspn(here, "#")] = '\0';
  if (!base_url_parse(here, &next) || strcmp(next.scheme, "ldap") == 0 || (url->tls && !next.tls))
    return no_http(error, "it sends elsewhere, to no place to go to");
  base_url_clear(url);
  *url = next;
  next = (BaseUrl){ 0 };
  return TRUE;
}

/* TRUE with *ret_again: `url` is another one now. */
static gboolean
exchange(const BaseHttp *http, BaseUrl *url, gboolean no_local, BaseSink *to, gboolean *ret_again,
         GError **error)
{
  Reader *reader = g_new0(Reader, 1);
  g_auto(Answer) answer = { .length = -1 };
  reader->http = http;
  gboolean done = reach(reader, url, no_local, error) && ask(reader, url, error) &&
                  read_final_head(reader, &answer, error);
  *ret_again = done && is_redirection(http, answer.status);
  if (*ret_again)
    done = redirect(&answer, url, error);
  else if (done && answer.status != 200)
    done = base_error_set(error, SIGNET_ERROR_NOT_FOUND, "status %d (%s)", answer.status,
                          answer.words);
  else if (done)
    done = check_type(http, &answer, error) && read_body(reader, &answer, to, error);
  base_connection_free(reader->connection);
  g_free(reader);
  return done;
}

gboolean
base_http(const BaseHttp *http, BaseSink *to, GError **error)
{
  g_auto(BaseUrl) url = { 0 };
  if (!base_url_parse(http->url, &url) || strcmp(url.scheme, "ldap") == 0)
    return base_error_set(error, SIGNET_ERROR_USAGE, "it is no http address");
  g_autofree char *first = g_strdup(url.host);
  for (int i = 0; i <= http->redirections; i++) {
    /* A public server cannot send into this network either. */
    gboolean no_local = http->no_local || strcmp(first, url.host) != 0;
    gboolean again;
    if (!exchange(http, &url, no_local, to, &again, error))
      return FALSE;
    if (!again)
      return TRUE;
  }
  return no_http(error, "it sends elsewhere again and again");
}

GBytes *
base_http_bytes(const BaseHttp *http, GError **error)
{
  g_autoptr(BaseSink) sink = base_sink_to_memory((gsize)http->max);
  if (!base_http(http, sink, error) || !base_sink_finish(sink, error))
    return NULL;
  return base_sink_memory_bytes(sink);
}
