/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* signetd, the broker: who may do what, the hosts, the catalogue, the PIN cache.
 * It loads no PKCS#11 module.
 *
 * One thread, one main loop, nothing blocks. What takes time is a request to a
 * host; its answer comes by callback. Who is who:
 *
 *   Daemon       everything there is
 *   DaemonCall   one method call of a client, ended exactly once (reply, stream or fail)
 *   DaemonHost   one signet-token process: a module with one configuration; lives as long as the daemon
 *   DaemonToken  one token seen in a slot of a host; counted references, since it
 *                can be pulled out while a callback holds it
 */

#include "base/config.h"
#include "base/profile.h"
#include "base/secret.h"
#include "wire/host.h"
#include "wire/json.h"

#include <signet/error.h>

#include <glib.h>

typedef struct Daemon Daemon;
typedef struct DaemonCall DaemonCall;
typedef struct DaemonHost DaemonHost;
typedef struct DaemonToken DaemonToken;
typedef struct DaemonCatalogue DaemonCatalogue;
typedef struct DaemonDevice DaemonDevice;

/* ---- calls (call.c) ---- */

/* A handler gets a call and ends it, at once or later from a callback, by exactly one of
 * daemon_call_reply, daemon_call_reply_fd, daemon_call_stream and daemon_call_fail; the
 * call is gone after that. When the client leaves in between, the call stays and what
 * ends it is thrown away: callbacks need no care for that. */
typedef void (*DaemonHandler)(DaemonCall *call);

Daemon *daemon_call_daemon(DaemonCall *call);
const json_t *daemon_call_parameters(DaemonCall *call); /* an object; the caller's own reference */
gboolean daemon_call_more(DaemonCall *call);            /* the client said `more` */
gboolean daemon_call_gone(DaemonCall *call); /* the client left; nobody reads the answer */
const char *daemon_call_program(
    DaemonCall *call);                       /* /proc/PID/comm of the client, "?" when unknown */
pid_t daemon_call_process(DaemonCall *call); /* that connected */

void daemon_call_reply(DaemonCall *call, json_t *parameters /* taken; NULL: {} */);
void daemon_call_reply_fd(DaemonCall *call, json_t *parameters /* taken */, int fd /* taken */);
void daemon_call_fail(DaemonCall *call, const GError *error);
/* Makes the error and fails; for checks in a handler. */
void daemon_call_fail_with(DaemonCall *call, SignetError code, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* A lazy list: `next` is called again and again as the client reads, and gives the
 * parameters of one reply each, NULL at the end (then *error may be set: that
 * error is the last message). It is called from the main loop long after the handler returned: what it
 * walks may have changed in between, so `state` holds names or numbers, not pointers into the catalogue.
 * An empty list ends with one reply without members. Without `more`: the first only. */
typedef json_t *(*DaemonNext)(Daemon *daemon, gpointer state, GError **error);
void daemon_call_stream(DaemonCall *call, DaemonNext next, gpointer state,
                        GDestroyNotify free_state);

/* The table of methods. */
typedef enum {
  DAEMON_METHOD_MORE = 1 << 0,    /* refused (ExpectedMore) without `more` */
  DAEMON_METHOD_SETTLED = 1 << 1, /* waits, bounded, until every host has told its tokens once */
  DAEMON_METHOD_FRESH = 1 << 2    /* after what other programs wrote to soft tokens was read */
} DaemonMethodFlags;

typedef struct {
  const char *name; /* "org.signet.Token.List" */
  DaemonHandler handler;
  guint flags;
} DaemonMethod;

/* Each ends with a NULL name. */
extern const DaemonMethod daemon_service_methods[];  /* service.c */
extern const DaemonMethod daemon_token_methods[];    /* tokens.c */
extern const DaemonMethod daemon_key_methods[];      /* keys.c */
extern const DaemonMethod daemon_event_methods[];    /* events.c */
extern const DaemonMethod daemon_id_methods[];       /* ids.c */
extern const DaemonMethod daemon_transfer_methods[]; /* transfer.c */

/* ---- the daemon ---- */

DaemonCatalogue *daemon_catalogue(Daemon *daemon);
BaseConfig *daemon_config(Daemon *daemon);
void daemon_count(Daemon *daemon, const char *counter,
                  gint64 add); /* static text; shown by Status */

/* ---- tokens (token.c) ---- */

/* Every token that is present, in a stable order; (element-type DaemonToken), each with its own reference. */
GPtrArray *daemon_token_all(Daemon *daemon);
/* By label, serial number or PKCS#11 URI: NOT_FOUND, or AMBIGUOUS with candidates. NULL name: the only
 * initialised token, else NOT_FOUND / AMBIGUOUS. Transfer full. */
DaemonToken *daemon_token_find(Daemon *daemon, const char *name, GError **error);
/* The same, for what may be done even to a token that was given up as lost, which is DENIED else. */
DaemonToken *daemon_token_find_any(Daemon *daemon, const char *name, GError **error);
/* (nullable) */
DaemonDevice *daemon_token_device(DaemonToken *token);
/* By place: what the catalogue knows a token by. (nullable), transfer none. */
DaemonToken *daemon_token_at(Daemon *daemon, guint host, guint32 slot);

DaemonToken *daemon_token_ref(DaemonToken *token);
void daemon_token_unref(DaemonToken *token);
const WireToken *daemon_token_record(DaemonToken *token); /* label, serial, flags… as last told */
const char *daemon_token_label(DaemonToken *token);
DaemonHost *daemon_token_host(DaemonToken *token);
gboolean daemon_token_present(DaemonToken *token); /* FALSE: pulled out since */
gboolean daemon_token_unlocked(
    DaemonToken *token); /* logged in, can be logged in from the cache, or needs no login */
gboolean daemon_token_soft(DaemonToken *token); /* of the embedded SoftHSM */
guint32 daemon_token_abilities(
    DaemonToken *token); /* WireAbility bits, asked when the token appeared; 0 before */

/* ---- hosts (host.c) ---- */

guint daemon_host_number(DaemonHost *host); /* with a slot number: a place */
const char *daemon_host_name(DaemonHost *host);
const char *daemon_host_module(DaemonHost *host); /* path */
const BaseProfile *daemon_host_profile(DaemonHost *host);

/* Answers. Exactly one of body and error is set; the body is to be read during the call
 * only (it is wiped after). Called exactly once for each request, always later from the main loop, never
 * from inside the request call. */
typedef void (*DaemonAnswer)(gpointer user_data, WireReader *body, const GError *error);

/* One request to a host. `body` is copied out and cleared. */
void daemon_host_request(DaemonHost *host, WireHostKind kind, guint deadline_ms, WirePacker *body,
                         DaemonAnswer answer, gpointer user_data);
/* The same, for requests whose body starts with a `token`: `rest` is what follows it, NULL for nothing.
 * A token that went away answers TOKEN_GONE. deadline_ms 0: the profile's for this kind. */
void daemon_token_request(DaemonToken *token, WireHostKind kind, guint deadline_ms,
                          WirePacker *rest, DaemonAnswer answer, gpointer user_data);

typedef void (*DaemonDone)(gpointer user_data, const GError *error); /* error NULL: done */

/* Makes sure that the token is logged in: at once when it is, by the cached PIN (once) when the host was
 * started anew; else PIN_REQUIRED with label and tries left. Called always later from the main loop. */
void daemon_token_login(DaemonToken *token, DaemonDone done, gpointer user_data);

/* Reads the token's objects again and feeds the catalogue: after Generate, Remove. */
void daemon_token_refresh(DaemonToken *token, DaemonDone done, gpointer user_data);
/* The same a little later, once for all that ask until then. */
void daemon_token_refresh_soon(DaemonToken *token);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaemonToken, daemon_token_unref)
