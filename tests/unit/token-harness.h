/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Drives the real signet-token over a socket pair, as signetd does, with a SoftHSM of its own. */

#include "token/token.h"

#include <openssl/evp.h>
#include <sys/types.h>

#define TEST_PIN "123456"
#define TEST_SO_PIN "87654321"

typedef struct {
  char *folder;  /* of SoftHSM, and its configuration */
  char *profile; /* file for --profile */
  char *module;
  char *faults; /* (nullable) folder of the faulty module's control file */
  pid_t pid;
  WireChannel channel;
  guint32 serial;
  guint32 slot;
  guint32 generation;
  GArray *notices;   /* (element-type guint16) kinds that came between answers */
  guint32 used;      /* sum of USED notices */
  guint32 closed_id; /* of the last CHANNEL_CLOSED */
} Host;

gboolean host_possible(void); /* SoftHSM is there; else the test is skipped */
Host *host_new(void);         /* started, greeted */
Host *host_new_with(const char *module, const char *profile_text);
Host *host_new_token(void); /* and a token initialised, unlocked */
/* Over token-faulty-module.c, with the token initialised, unlocked; no fault yet. */
Host *host_new_faulty(void);
void host_fault(const char *name); /* "": none */
gsize host_calls(const char *function);
void host_forget_calls(const char *function);
void host_start(Host *host);
void host_stop(Host *host);
void host_hello(Host *host);
void host_free(Host *host);
int host_wait(Host *host); /* exit status; fails the test after 10 s */

/* One request. NULL with `error`, or the concatenated bodies of MORE and OK. `fd` -1. */
GBytes *host_ask(Host *host, guint16 kind, const WirePacker *body, int fd, GError **error);
GBytes *host_ask_in(Host *host, guint16 kind, const WirePacker *body, int fd, guint deadline,
                    GError **error);
/* Reads notices for up to `ms`. */
void host_listen(Host *host, guint ms);
gboolean host_heard(Host *host, guint16 kind);

void host_pack_token(Host *host, WirePacker *body);
GBytes *host_init(Host *host, guint32 slot, const char *label, const char *so, const char *pin,
                  GError **error);
gboolean host_login(Host *host, gboolean so, const char *pin, GError **error);
gboolean host_logout(Host *host, GError **error);
GPtrArray *host_tokens(Host *host); /* WireToken */
WireToken *host_token(Host *host);  /* ours */
GPtrArray *host_objects(Host *host, GError **error);
guint host_count(GPtrArray *objects, WireObjectKind kind);
WireObject *host_generate(Host *host, const char *kind, const char *label, guint32 flags,
                          GError **error);
GBytes *host_operate(Host *host, const char *key, const WireOperation *operation, const char *pin,
                     GError **error);
/* The client's end of a channel, -1 with error. */
int host_open_channel(Host *host, const char *key, guint32 verbs, guint32 id, GError **error);
GBytes *channel_operate(WireChannel *channel, const WireOperation *operation, GError **error);

EVP_PKEY *object_key(const WireObject *object);
GBytes *self_signed(EVP_PKEY *public, const char *name); /* a certificate for `public` by some CA */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Host, host_free)
