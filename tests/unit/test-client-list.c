/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Answers into records: tokens, IDs, matches, events; complete, empty and malformed. */

#include "test-client-server.h"

#include <signet/client.h>

#include <string.h>

#define PIN_FACTS                                                                             \
  "{\"set\":true,\"tries_left\":3,\"count_low\":false,\"final_try\":false,\"blocked\":false," \
  "\"must_change\":false}"
#define TOKEN(state)                                                                            \
  "{\"label\":\"alice\",\"serial\":\"77\",\"manufacturer\":\"m\",\"model\":\"x\",\"firmware\":" \
  "\"1\",\"uri\":\"pkcs11:\",\"profile\":\"softhsm\",\"module\":\"softhsm\",\"slot\":\"s\","    \
  "\"state\":\"" state "\",\"problem\":null,\"login_required\":true,\"locked\":true,"           \
  "\"protected_path\":false,\"read_only\":false,\"soft\":true,\"user_pin\":" PIN_FACTS          \
  ",\"so_pin\":{\"set\":true,\"count_low\":false,\"final_try\":false,\"blocked\":false,"        \
  "\"must_change\":false}}"
#define CERTIFICATE                                                                       \
  "{\"fingerprint\":\"ff\",\"subject\":\"CN=a\",\"issuer\":\"CN=a\",\"serial\":\"01\","   \
  "\"addresses\":[\"a@example.org\"],\"not_before\":1,\"not_after\":2,\"use\":[\"sign\"," \
  "\"encrypt\",\"dance\"],\"self_signed\":true,\"certificate\":\"AQID\"}"
#define ID                                                                                          \
  "{\"id\":\"a@example.org\",\"name\":\"A\",\"addresses\":[\"a@example.org\"],\"is_default\":true," \
  "\"keys\":[{\"key\":\"00\",\"kind\":\"rsa:2048\",\"label\":\"k\",\"tokens\":[\"alice\"],"         \
  "\"absent\":[],\"can\":[\"sign\",\"decrypt\"],\"locked\":false,\"always_authenticate\":false,"    \
  "\"extractable\":true,\"certificates\":[" CERTIFICATE "]}]}"

/* Says these one after the other to whatever is asked. */
typedef struct {
  const char *const *answers;
  gsize n;
} Answers;

static void
serve(TestPeer *peer, gpointer data)
{
  const Answers *answers = data;
  test_peer_hello(peer);
  g_autoptr(WireJson) call = test_peer_read(peer);
  for (gsize i = 0; i < answers->n; i++)
    test_peer_say(peer, answers->answers[i]);
  g_autoptr(WireJson) other = test_peer_read(peer);
  g_assert_null(other);
}

typedef struct {
  Answers answers;
  TestServer *server;
  SignetClient *client;
} Fixture;

static void
start(Fixture *fixture, const char *const *answers, gsize n)
{
  fixture->answers = (Answers){ answers, n };
  fixture->server = test_server_new(serve, &fixture->answers);
  fixture->client =
      signet_client_connect(test_server_path(fixture->server), SIGNET_CONNECT_NO_AUTOSTART, NULL);
}

static void
finish(Fixture *fixture)
{
  signet_client_free(fixture->client);
  test_server_free(fixture->server);
}

static void
test_tokens_are_collected(void)
{
  static const char *const answers[] = {
    "{\"parameters\":{\"token\":" TOKEN("present") "},\"continues\":true}",
    "{\"parameters\":{\"token\":" TOKEN("blank") "},\"continues\":true}",
    "{\"parameters\":{\"token\":" TOKEN("down") "}}"
  };
  Fixture fixture;
  g_autoptr(GError) error = NULL;
  start(&fixture, answers, 3);
  g_autoptr(GPtrArray) tokens = signet_token_list(fixture.client, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(tokens->len, ==, 3);
  const SignetToken *first = g_ptr_array_index(tokens, 0);
  const SignetToken *last = g_ptr_array_index(tokens, 2);
  g_assert_cmpstr(first->label, ==, "alice");
  g_assert_cmpint(first->state, ==, SIGNET_TOKEN_PRESENT);
  g_assert_cmpint(first->user_pin.tries_left, ==, 3);
  g_assert_cmpint(first->so_pin.tries_left, ==, -1);
  g_assert_null(first->problem);
  g_assert_true(first->soft);
  g_assert_cmpint(last->state, ==, SIGNET_TOKEN_DOWN);
  finish(&fixture);
}

static void
test_empty_list_is_empty(void)
{
  static const char *const answers[] = { "{\"parameters\":{}}" };
  Fixture fixture;
  g_autoptr(GError) error = NULL;
  start(&fixture, answers, 1);
  g_autoptr(GPtrArray) tokens = signet_token_list(fixture.client, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(tokens->len, ==, 0);
  finish(&fixture);
}

static void
test_ids_are_complete(void)
{
  static const char *const answers[] = { "{\"parameters\":{\"id\":" ID "}}" };
  Fixture fixture;
  g_autoptr(GError) error = NULL;
  start(&fixture, answers, 1);
  g_autoptr(GPtrArray) ids = signet_id_list(fixture.client, TRUE, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(ids->len, ==, 1);
  const SignetId *id = g_ptr_array_index(ids, 0);
  const SignetKey *key = g_ptr_array_index(id->keys, 0);
  const SignetCertificate *certificate = g_ptr_array_index(key->certificates, 0);
  g_assert_cmpstr(id->id, ==, "a@example.org");
  g_assert_cmpuint(key->can, ==, SIGNET_CAN_SIGN | SIGNET_CAN_DECRYPT);
  g_assert_cmpstr(key->tokens[0], ==, "alice");
  g_assert_null(key->absent[0]);
  g_assert_cmpuint(certificate->use, ==, SIGNET_USE_SIGN | SIGNET_USE_ENCRYPT);
  g_assert_null(certificate->name);
  g_assert_cmpuint(g_bytes_get_size(certificate->der), ==, 3);
  finish(&fixture);
}

static void
test_malformed_list(gconstpointer data)
{
  const char *const answers[] = { data };
  Fixture fixture;
  g_autoptr(GError) error = NULL;
  start(&fixture, answers, 1);
  g_assert_null(signet_id_list(fixture.client, TRUE, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_test_message("%s", error->message);
  finish(&fixture);
}

static void
test_malformed_token(gconstpointer data)
{
  const char *const answers[] = { data };
  Fixture fixture;
  g_autoptr(GError) error = NULL;
  start(&fixture, answers, 1);
  g_assert_null(signet_token_list(fixture.client, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  finish(&fixture);
}

static void
test_choice_is_complete(void)
{
  static const char *const answers[] = {
    "{\"parameters\":{\"id\":\"a\",\"key\":\"00\",\"kind\":\"ec:p256\",\"certificate\":\"AQI=\","
    "\"fingerprint\":\"ff\",\"chain\":[\"AQ==\",\"Ag==\"],\"token\":\"alice\"}}"
  };
  Fixture fixture;
  g_autoptr(GError) error = NULL;
  start(&fixture, answers, 1);
  g_autoptr(SignetChoice) choice =
      signet_id_choose(fixture.client, SIGNET_USE_SIGN, NULL, "a@example.org", &error);
  g_assert_no_error(error);
  g_assert_cmpuint(choice->chain->len, ==, 2);
  g_assert_cmpuint(g_bytes_get_size(choice->certificate), ==, 2);
  finish(&fixture);
}

/* ---- recipients ---- */

static void
serve_recipients(TestPeer *peer, gpointer data)
{
  GArray *sizes = data;
  test_peer_hello(peer);
  for (;;) {
    g_autoptr(WireJson) call = test_peer_read(peer);
    if (!call)
      return;
    json_t *list = json_object_get(json_object_get(call, "parameters"), "recipients");
    gsize n = json_array_size(list);
    g_array_append_val(sizes, n);
    /* The last of each batch is ours and present, the first is ours and away. */
    g_autofree char *text = g_strdup_printf(
        "{\"parameters\":{\"matches\":["
        "{\"index\":0,\"key\":\"00\",\"kind\":\"rsa:2048\",\"certificate\":\"ff\",\"id\":\"a\","
        "\"token\":\"t\",\"present\":false},"
        "{\"index\":%zu,\"key\":\"01\",\"kind\":\"rsa:2048\",\"certificate\":\"ff\",\"id\":\"a\","
        "\"token\":\"t\",\"present\":true}]}}",
        n - 1);
    test_peer_say(peer, text);
  }
}

static void
test_recipients_go_in_batches(void)
{
  g_autoptr(GArray) sizes = g_array_new(FALSE, FALSE, sizeof(gsize));
  g_autofree SignetRecipient *recipients = g_new0(SignetRecipient, 1200);
  g_autofree char *padding = g_strnfill(1000, 'x');
  g_autoptr(GBytes) issuer = g_bytes_new(padding, 1000);
  g_autoptr(GError) error = NULL;
  for (int i = 0; i < 1200; i++) {
    recipients[i].serial = (char *)(gintptr) "0a";
    recipients[i].issuer = i >= 1000 ? issuer : NULL; /* long names: fewer in one call */
  }
  TestServer *server = test_server_new(serve_recipients, sizes);
  SignetClient *client =
      signet_client_connect(test_server_path(server), SIGNET_CONNECT_NO_AUTOSTART, NULL);
  g_autoptr(GPtrArray) matches = signet_id_find_recipients(client, recipients, 1200, &error);
  g_assert_no_error(error);
  signet_client_free(client);
  test_server_free(server);
  g_assert_cmpuint(sizes->len, >=, 4);
  g_assert_cmpuint(g_array_index(sizes, gsize, 0), ==, 500);
  g_assert_cmpuint(g_array_index(sizes, gsize, 1), ==, 500);
  g_assert_cmpuint(g_array_index(sizes, gsize, 2), <, 100);
  g_assert_cmpuint(matches->len, ==, 2 * sizes->len);
  const SignetMatch *first = g_ptr_array_index(matches, 0);
  const SignetMatch *absent = g_ptr_array_index(matches, sizes->len + 1);
  g_assert_true(first->present);
  g_assert_cmpuint(first->index, ==, 499);
  g_assert_false(absent->present);
  g_assert_cmpuint(absent->index, ==, 500);
}

/* ---- events ---- */

#define EVENT(name)                                                                          \
  "{\"parameters\":{\"event\":{\"event\":\"" name "\",\"token\":\"alice\",\"serial\":\"7\"," \
  "\"module\":\"m\",\"locked\":false,\"initial\":true,\"time\":5}},\"continues\":true}"

static gboolean
count_until_out(const SignetEvent *event, gpointer user_data)
{
  (*(int *)user_data)++;
  g_assert_cmpstr(event->token, ==, "alice");
  g_assert_cmpint(event->time, ==, 5);
  return !g_str_equal(event->event, "out");
}

static void
serve_events(TestPeer *peer, gpointer data)
{
  if (peer->number == 0) { /* the client's own connection stays free */
    g_assert_null(test_peer_read(peer));
    return;
  }
  test_peer_hello(peer);
  g_autoptr(WireJson) call = test_peer_read(peer);
  g_assert_true(json_is_true(json_object_get(call, "more")));
  test_peer_say(peer, EVENT("in"));
  g_usleep(200000); /* longer than the client's timeout */
  test_peer_say(peer, EVENT("locked"));
  if (!data)
    return;
  test_peer_say(peer, EVENT("out"));
  g_assert_null(test_peer_read(peer));
}

static void
test_watch(gboolean stop)
{
  int seen = 0;
  g_autoptr(GError) error = NULL;
  TestServer *server = test_server_new(serve_events, GINT_TO_POINTER(stop));
  SignetClient *client =
      signet_client_connect(test_server_path(server), SIGNET_CONNECT_NO_AUTOSTART, NULL);
  signet_client_set_timeout(client, 100);
  gboolean watched = signet_token_watch(client, count_until_out, &seen, &error);
  g_assert_cmpint(watched, ==, stop);
  g_assert_cmpint(seen, ==, stop ? 3 : 2);
  if (!stop)
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_NO_DAEMON);
  signet_client_free(client);
  test_server_free(server);
}

static void
test_watch_ends_when_told(void)
{
  test_watch(TRUE);
}

static void
test_watch_ends_with_daemon(void)
{
  test_watch(FALSE);
}

int
main(int argc, char **argv)
{
  static const char *const ids[] = {
    "{\"parameters\":{\"id\":5}}",
    "{\"parameters\":{\"id\":{}}}",
    "{\"parameters\":{\"id\":{\"id\":\"a\",\"addresses\":\"x\",\"keys\":[]}}}",
    "{\"parameters\":{\"id\":{\"id\":\"a\",\"addresses\":[1],\"keys\":[]}}}",
    "{\"parameters\":{\"id\":{\"id\":\"a\",\"addresses\":[],\"keys\":{}}}}",
    "{\"parameters\":{\"id\":{\"id\":\"a\",\"addresses\":[],\"keys\":[7]}}}",
    "{\"parameters\":{\"id\":{\"id\":\"a\",\"addresses\":[],\"keys\":[],\"is_default\":\"yes\"}}}",
  };
  static const char *const tokens[] = {
    "{\"parameters\":{\"token\":" TOKEN("dancing") "}}",
    "{\"parameters\":{\"token\":{\"label\":\"x\"}}}",
  };
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/client/list/tokens-are-collected", test_tokens_are_collected);
  g_test_add_func("/client/list/empty-list-is-empty", test_empty_list_is_empty);
  g_test_add_func("/client/list/ids-are-complete", test_ids_are_complete);
  g_test_add_func("/client/list/choice-is-complete", test_choice_is_complete);
  for (gsize i = 0; i < G_N_ELEMENTS(ids); i++) {
    g_autofree char *path = g_strdup_printf("/client/list/malformed-id-%zu-is-bad-input", i);
    g_test_add_data_func(path, ids[i], test_malformed_list);
  }
  for (gsize i = 0; i < G_N_ELEMENTS(tokens); i++) {
    g_autofree char *path = g_strdup_printf("/client/list/malformed-token-%zu-is-bad-input", i);
    g_test_add_data_func(path, tokens[i], test_malformed_token);
  }
  g_test_add_func("/client/list/recipients-go-in-batches", test_recipients_go_in_batches);
  g_test_add_func("/client/list/watch-ends-when-told", test_watch_ends_when_told);
  g_test_add_func("/client/list/watch-ends-with-daemon", test_watch_ends_with_daemon);
  return g_test_run();
}
