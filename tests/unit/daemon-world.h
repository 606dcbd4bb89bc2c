/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A small world for tests of signetd: temporary folders, a real signetd, and, where asked
 * for, a fake signet-token beside it, whose behaviour the test sets by files. */

#include <glib.h>
#include <jansson.h>
#include <sys/types.h>

typedef struct {
  char *folder;
  char *socket;
  char *program; /* signetd */
  char **environment;
  pid_t pid; /* 0: none */
} World;

/* `fake_profile`: text of [token] and [deadline] groups for a module served by the fake host; NULL: no hosts. */
World *world_new(const char *fake_profile);
void world_start(World *world);
World *world_started(const char *fake_profile); /* both */
void world_kill(World *world, int signal);      /* and waits */
void world_free(World *world);
/* Runs signetd with one option; returns its exit status. */
int world_run(World *world, const char *option);
char *world_path(World *world, const char *name);
void world_write(World *world, const char *name, const char *text);

/* What the fake host does from now on; "" or NULL: behaves. Kinds: login, operate, hello.
 * Actions: hang, crash, garbage, "slow MS", wrong; of objects: "many N", so many IDs. */
void world_behave(World *world, const char *kind, const char *action);
/* How often the fake host was asked for a kind; also bind (of a transfer), transfer. */
guint world_asked(World *world, const char *kind);
/* Key of the fake token. */
extern const char world_key[];

typedef struct {
  int fd;
  GByteArray *in;
  int passed; /* the last descriptor that came, or -1 */
} Client;

Client *client_new(World *world);
void client_free(Client *client);
void client_send(Client *client, const char *method, json_t *parameters /* taken, NULL */,
                 gboolean more);
void client_send_raw(Client *client, const void *bytes, gsize length);
/* NULL: the connection ended. Aborts the test after ten seconds, 30 under sanitizers. */
json_t *client_receive(Client *client);
json_t *client_call(Client *client, const char *method, json_t *parameters);
/* The call's error by its short name, or NULL. */
char *client_error(Client *client, const char *method, json_t *parameters);
void client_unlock(Client *client); /* the fake token, with its PIN */
gboolean client_ended(Client *client, int milliseconds);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(World, world_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Client, client_free)
typedef json_t TestJson;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TestJson, json_decref)
