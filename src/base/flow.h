/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Bytes that flow: whoever makes bytes pushes them into a sink, piece by piece, and says when all
 * came. A stage (hash, cipher, base64, a parser) is a sink that pushes into the next one, so a message of
 * any size passes through in constant memory.
 *
 * A sink fails once: after FALSE nothing more is pushed into it but base_sink_free(). `finish`
 * is called at most once and passes on: whoever finishes the first sink has finished all of them.
 * What was written to a sink that was freed without finish() is thrown away (a file keeps its old
 * content, a spool is wiped).
 */

#include <glib.h>

#define BASE_FLOW_PIECE (64 * 1024) /* what a pump reads at once; no stage needs more at a time */

typedef struct BaseSink BaseSink;

typedef struct {
  gboolean (*write)(BaseSink *sink, gconstpointer bytes, gsize length, GError **error);
  gboolean (*finish)(BaseSink *sink, GError **error);
  void (*free)(BaseSink *sink);
} BaseSinkClass;

struct BaseSink { /* first member of a stage's struct */
  const BaseSinkClass *klass;
  gboolean failed; /* base_sink_* keep these two */
  gboolean finished;
};

gboolean base_sink_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error);
gboolean base_sink_finish(BaseSink *sink, GError **error);
void base_sink_free(BaseSink *sink); /* frees the sinks behind it too, where it owns them */

/* ---- ends ---- */

/* To a descriptor that stays the caller's; `name` is for messages. Small pieces are gathered: all
 * is written when finish() returns. */
BaseSink *base_sink_to_fd(int fd, const char *name);
/* Beside `path`, 0600, fsynced and renamed by finish(); a file that is there keeps its mode, a
 * device or pipe is written as it is. */
BaseSink *base_sink_to_file(const char *path, GError **error);
/* Everything into memory, at most `max` bytes (TOO_LARGE); for small things and tests. */
BaseSink *base_sink_to_memory(gsize max);
GBytes *base_sink_memory_bytes(BaseSink *sink); /* after finish(); (transfer full) */
/* Counts and drops. */
BaseSink *base_sink_to_nowhere(void);
guint64 base_sink_nowhere_count(const BaseSink *sink);

/* ---- stages; each owns `next` ---- */

/* Blanks and line ends are passed over; anything else that is no digit, digits after the end and a
 * last group that is not whole are BAD_INPUT ("line 3: not base64"). Nothing at all is nothing. */
BaseSink *base_sink_base64_decode(BaseSink *next);
/* `line` characters a line, a multiple of 4; each is ended, the last one too. 0: one line, not
 * ended. */
BaseSink *base_sink_base64_encode(BaseSink *next, guint line, gboolean crlf);
BaseSink *base_sink_crlf(BaseSink *next); /* lone LF and lone CR become CRLF */
/* Both get everything, and are finished in this order: a file, which must not take its place when the
 * other fails, is `other`. */
BaseSink *base_sink_tee(BaseSink *one, BaseSink *other);

/* ---- a spool: written once, then read as often as wanted ---- */

/* In memory up to BASE_SPOOL_MEMORY, beyond that in an unlinked file, where it is encrypted
 * under a key that only this process ever had (AES-256-CTR, fresh key and counter for each
 * spool): plaintext on a disk is still plaintext. `secret` FALSE: not encrypted, for what came from outside
 * in clear anyway. Memory is wiped. */
#define BASE_SPOOL_MEMORY (1024 * 1024)

typedef struct BaseSpool BaseSpool;

BaseSpool *base_spool_new(gboolean secret, GError **error);
/* The spool's own: freed with it, base_sink_free() does nothing. */
BaseSink *base_spool_sink(BaseSpool *spool);
goffset base_spool_length(const BaseSpool *spool);
/* Pushes bytes [from, from + length) into a sink, without finish(); the spool was finished. */
gboolean base_spool_read(BaseSpool *spool, goffset from, goffset length, BaseSink *to,
                         GError **error);
void base_spool_free(BaseSpool *spool);

/* ---- pumps ---- */

/* Reads a descriptor to its end, into a sink; at most `max` bytes, else TOO_LARGE. Does not finish(). */
gboolean base_flow_pump_fd(int fd, const char *name, goffset max, BaseSink *to, GError **error);

/* Input that can be read twice: a regular file as it is (checked not to change meanwhile: size and mtime),
 * anything else through a spool. */
typedef struct BaseInput BaseInput;
BaseInput *base_input_open(const char *path, goffset max, GError **error); /* "-": standard input */
/* What was spooled, and finished; takes the spool. */
BaseInput *base_input_from_spool(BaseSpool *spool);
goffset base_input_length(const BaseInput *input);
/* A copy of our own: it was read to its end, and nobody changes it any more. */
gboolean base_input_is_kept(const BaseInput *input);
gboolean base_input_read(BaseInput *input, goffset from, goffset length, BaseSink *to,
                         GError **error);
void base_input_free(BaseInput *input);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BaseSink, base_sink_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BaseSpool, base_spool_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BaseInput, base_input_free)
