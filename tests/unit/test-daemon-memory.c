/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What signetd keeps resident with a full token: 1,000 IDs with a certificate of 1 KB each. */
#include "daemon-world.h"

#include <signal.h>
#include <string.h>

#define PROFILE "[token]\noperations=4\n[deadline]\noperation=20000\nstart=20000\n"
#define IDS (g_getenv("SIGNET_TEST_VALGRIND") ? 50 : 1000) /* valgrind makes keys slowly */
#define LISTINGS 5
#define SIGNATURES (g_getenv("SIGNET_TEST_VALGRIND") ? 100 : 5000)
#define LIMIT_KB 12288

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEASURED FALSE
#else
#define MEASURED TRUE
#endif

static guint64
status_of(World *world, const char *field)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)world->pid);
  g_autofree char *text = NULL;
  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  const char *at = strstr(text, field);
  g_assert_nonnull(at);
  return g_ascii_strtoull(at + strlen(field) + 1, NULL, 10);
}

static void
assert_small(World *world, const char *when)
{
  guint64 now = status_of(world, "VmRSS");
  guint64 peak = status_of(world, "VmHWM");
  g_test_message("%s: %" G_GUINT64_FORMAT " kB, at most %" G_GUINT64_FORMAT " kB so far", when, now,
                 peak);
  if (!MEASURED || g_getenv("SIGNET_TEST_VALGRIND"))
    return;
  g_assert_cmpuint(now, <, LIMIT_KB);
  g_assert_cmpuint(peak, <, LIMIT_KB);
}

static World *
started(void)
{
  World *world = world_new(PROFILE);
  g_autofree char *many = g_strdup_printf("many %d", IDS);
  world_behave(world, "objects", many);
  world_start(world);
  return world;
}

static const json_t *
first_key(const json_t *reply)
{
  const json_t *id = json_object_get(json_object_get(reply, "parameters"), "id");
  return json_array_get(json_object_get(id, "keys"), 0);
}

/* Returns the name of the last ID's key. */
static char *
list_ids(Client *client, gboolean certificates)
{
  char *key = NULL;
  gboolean more = TRUE;
  client_send(client, "org.signet.Id.List", json_pack("{s:b}", "certificates", certificates), TRUE);
  const guint ids = IDS;
  for (guint n = 1; more; n++) {
    g_autoptr(TestJson) reply = client_receive(client);
    g_assert_nonnull(reply);
    const json_t *first = first_key(reply);
    const json_t *cert = json_array_get(json_object_get(first, "certificates"), 0);
    const char *der = json_string_value(json_object_get(cert, "certificate"));
    g_assert_cmpint(der != NULL, ==, certificates);
    g_assert_true(!der || strlen(der) > 4 * 950 / 3);
    g_free(key);
    key = g_strdup(json_string_value(json_object_get(first, "key")));
    more = json_is_true(json_object_get(reply, "continues"));
    g_assert_cmpint(more, ==, n < ids);
  }
  return key;
}

static void
sign(Client *client, const char *key)
{
  g_autofree char *error =
      client_error(client, "org.signet.Key.Sign",
                   json_pack("{s:s,s:s,s:s,s:s}", "key", key, "mechanism", "ecdsa", "hash",
                             "sha256", "data", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="));
  g_assert_null(error);
}

static void
test_full_token(void)
{
  g_autoptr(World) world = started();
  g_autoptr(Client) client = client_new(world);
  g_autofree char *key = list_ids(client, FALSE);
  assert_small(world, "listed while locked");
  client_unlock(client);
  assert_small(world, "unlocked");
  for (int i = 0; i < LISTINGS; i++) {
    g_free(list_ids(client, TRUE));
    g_free(list_ids(client, FALSE));
  }
  assert_small(world, "listed again and again");
  guint64 before = status_of(world, "VmRSS");
  const int signatures = SIGNATURES;
  for (int i = 0; i < signatures; i++)
    sign(client, key);
  assert_small(world, "after signatures");
  if (MEASURED && !g_getenv("SIGNET_TEST_VALGRIND"))
    g_assert_cmpuint(status_of(world, "VmRSS"), <=, before + 128);
}

/* What was remembered is read at the start. */
static void
test_remembered(void)
{
  g_autoptr(World) world = started();
  g_autoptr(Client) client = client_new(world);
  client_unlock(client);
  g_clear_pointer(&client, client_free);
  world_kill(world, SIGTERM);
  world_behave(world, "tokens", "none");
  world_start(world);
  assert_small(world, "started again");
  client = client_new(world);
  g_free(list_ids(client, TRUE));
  assert_small(world, "remembered IDs listed");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/daemon/memory/full-token-small", test_full_token);
  g_test_add_func("/daemon/memory/remembered-small", test_remembered);
  return g_test_run();
}
