/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What people do to tokens and IDs, from libsignet to a real signet-token over SoftHSM. */
#include "daemon-world.h"

#include <signet/key.h>
#include <signet/transfer.h>

#include <glib/gstdio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define PIN "493817"
#define SO_PIN "60427195"

typedef struct {
  World *world;
  SignetClient *client;
} Real;

static void
link_to(World *world, const char *name)
{
  g_autofree char *from = g_build_filename(g_getenv("SIGNET_TEST_BUILD"), name, NULL);
  g_autofree char *to = world_path(world, name);
  g_assert_cmpint(symlink(from, to), ==, 0);
}

/* `profile` NULL: SoftHSM's. */
static Real
start_with(const char *profile)
{
  Real real = { .world = world_new(NULL) };
  link_to(real.world, "signet-token");
  if (profile)
    world_write(real.world, "share/tokens/faulty.profile", profile);
  else
    link_to(real.world, "share/tokens/softhsm.profile");
  world_start(real.world);
  real.client = signet_client_connect(real.world->socket, SIGNET_CONNECT_NO_AUTOSTART, NULL);
  g_assert_nonnull(real.client);
  return real;
}

static Real
start(void)
{
  return start_with(NULL);
}

static void
restart(Real *real)
{
  signet_client_free(real->client);
  world_kill(real->world, SIGTERM);
  world_start(real->world);
  real->client = signet_client_connect(real->world->socket, SIGNET_CONNECT_NO_AUTOSTART, NULL);
  g_assert_nonnull(real->client);
}

static void
end(Real *real)
{
  signet_client_free(real->client);
  world_free(real->world);
}

static void
init(const Real *real, const char *label)
{
  g_autoptr(GError) error = NULL;
  const SignetTokenInit wanted = { .label = label, .pin = PIN, .so_pin = SO_PIN, .soft = TRUE };
  g_autoptr(SignetToken) token = signet_token_init(real->client, &wanted, NULL, &error);
  g_assert_no_error(error);
}

static void
unlock(const Real *real, const char *label)
{
  g_autoptr(GError) error = NULL;
  signet_token_unlock(real->client, label, PIN, FALSE, NULL, &error);
  g_assert_no_error(error);
}

static SignetToken *
describe(const Real *real, const char *label)
{
  g_autoptr(GError) error = NULL;
  SignetToken *token = signet_token_describe(real->client, label, NULL, NULL, &error);
  g_assert_no_error(error);
  return token;
}

/* ---- keys and certificates ---- */

static X509 *
certificate(EVP_PKEY *key, EVP_PKEY *issuer, const char *name, const char *address)
{
  X509 *cert = X509_new();
  X509_set_version(cert, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), 77);
  X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert), 365L * 24 * 3600);
  X509_set_pubkey(cert, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8, (const guchar *)name,
                             -1, -1, 0);
  X509_set_issuer_name(cert, X509_get_subject_name(cert));
  if (address) {
    g_autofree char *value = g_strconcat("email:", address, NULL);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, value);
    g_assert_nonnull(extension);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
  }
  g_assert_cmpint(X509_sign(cert, issuer, EVP_sha256()), >, 0);
  return cert;
}

/* A key and its certificate, PEM. */
static GBytes *
pem_file(const char *name, const char *address, GBytes **ret_der)
{
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *cert = certificate(key, key, name, address);
  BIO *bio = BIO_new(BIO_s_mem());
  char *text = NULL;
  guint8 *der = NULL;
  PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
  PEM_write_bio_X509(bio, cert);
  long length = BIO_get_mem_data(bio, &text);
  GBytes *bytes = g_bytes_new(text, (gsize)length);
  int der_length = i2d_X509(cert, &der);
  *ret_der = g_bytes_new(der, (gsize)der_length);
  OPENSSL_free(der);
  BIO_free(bio);
  X509_free(cert);
  EVP_PKEY_free(key);
  return bytes;
}

/* Puts a new key with its certificate on a token, as `import` does. */
static void
import(const Real *real, const char *token, const char *name, const char *address)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) der = NULL;
  g_autoptr(GBytes) file = pem_file(name, address, &der);
  g_autoptr(SignetTransfer) transfer = signet_transfer_open(real->client, token, &error);
  g_assert_no_error(error);
  g_autoptr(SignetTransferContents) contents =
      signet_transfer_read(transfer, file, "alice.pem", NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(contents->items->len, ==, 2);
  const SignetTransferItem *key = g_ptr_array_index(contents->items, 0);
  g_assert_true(key->is_key);
  const SignetTransferStore store = { .index = key->index, .label = name };
  gboolean existed = TRUE;
  signet_transfer_store(transfer, &store, &existed, &error);
  g_assert_no_error(error);
  g_assert_false(existed);
  signet_transfer_store(transfer, &store, &existed, &error);
  g_assert_no_error(error);
  g_assert_true(existed);
  signet_transfer_finish(transfer, &error);
  g_assert_no_error(error);
  g_autoptr(SignetStored) stored =
      signet_id_put_certificate(real->client, der, FALSE, NULL, &error);
  g_assert_no_error(error);
  g_assert_true(stored->stored);
  g_assert_false(stored->kept);
  g_assert_cmpstr(stored->token, ==, token);
}

static gboolean
erase(Real *real, const char *token, const char *serial, const char *so_pin, const char *pin,
      char ***ret_removed, GError **error)
{
  const SignetTokenErase wish = { token, serial, so_pin, pin };
  return signet_token_erase(real->client, &wish, ret_removed, error);
}

static void
assert_chosen(const Real *real, const char *address, int code)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(SignetChoice) choice =
      signet_id_choose(real->client, SIGNET_USE_SIGN, NULL, address, &error);
  if (code >= 0) {
    g_assert_error(error, SIGNET_ERROR, code);
    return;
  }
  g_assert_no_error(error);
  static const guint8 digest[32] = { 1 };
  const SignetOperation operation = {
    .mechanism = SIGNET_ECDSA, .hash = "sha256", .data = digest, .data_length = sizeof digest
  };
  g_autoptr(GBytes) signature = signet_key_sign(real->client, choice->key, &operation, &error);
  g_assert_no_error(error);
  g_assert_nonnull(signature);
}

/* ---- the cases ---- */

static char *
find_softhsm(void)
{
  static const char *const files[] = { "/usr/lib/softhsm/libsofthsm2.so",
                                       "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
                                       "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so" };
  for (gsize i = 0; i < G_N_ELEMENTS(files); i++)
    if (g_file_test(files[i], G_FILE_TEST_EXISTS))
      return g_strdup(files[i]);
  return NULL;
}

static guint
keys_listed(const Real *real)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) ids = signet_id_list(real->client, FALSE, &error);
  guint n = 0;
  g_assert_no_error(error);
  for (guint i = 0; i < ids->len; i++)
    n += ((SignetId *)g_ptr_array_index(ids, i))->keys->len;
  return n;
}

static gint64
counter(World *world, const char *name)
{
  g_autoptr(Client) client = client_new(world);
  g_autoptr(TestJson) reply = client_call(client, "org.signet.Daemon.Status", NULL);
  const json_t *counters = json_object_get(json_object_get(reply, "parameters"), "counters");
  for (size_t i = 0; i < json_array_size(counters); i++) {
    const json_t *one = json_array_get(counters, i);
    if (g_strcmp0(json_string_value(json_object_get(one, "name")), name) == 0)
      return json_integer_value(json_object_get(one, "value"));
  }
  return 0;
}

/* A key that another program makes on a token that is unlocked and listed here. */
static void
test_others_key(void)
{
  Real real = start();
  g_autofree char *tool = g_find_program_in_path("pkcs11-tool");
  g_autofree char *module = find_softhsm();
  g_autofree char *config = world_path(real.world, "data/signet/softhsm/softhsm2.conf");
  init(&real, "card");
  unlock(&real, "card");
  import(&real, "card", "Alice", "alice@example.org");
  g_assert_cmpuint(keys_listed(&real), ==, 1);
  g_autofree char *command = g_strdup_printf(
      "env SOFTHSM2_CONF=%s %s --module %s --token-label card --login --pin " PIN " --keypairgen "
      "--key-type EC:prime256v1 --label other --id 4242 --usage-sign",
      config, tool, module);
  int status = -1;
  g_autofree char *out = NULL;
  g_autofree char *err = NULL;
  if (!tool || !module || !g_spawn_command_line_sync(command, &out, &err, &status, NULL) ||
      status != 0) {
    g_test_skip("pkcs11-tool is not installed, or cannot make such a key");
    end(&real);
    return;
  }
  g_assert_cmpuint(keys_listed(&real), ==, 2);
  /* Nothing changes, nothing is read. */
  gint64 lists = counter(real.world, "lists");
  g_assert_cmpint(lists, >, 0);
  for (int i = 0; i < 5; i++) {
    assert_chosen(&real, "alice@example.org", -1);
    g_assert_cmpuint(keys_listed(&real), ==, 2);
  }
  g_assert_cmpint(counter(real.world, "lists"), ==, lists);
  end(&real);
}

static void
test_import(void)
{
  Real real = start();
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) der = NULL;
  g_autoptr(GBytes) file = pem_file("Alice", NULL, &der);
  g_autoptr(SignetTransfer) looking = signet_transfer_open(real.client, NULL, &error);
  g_assert_no_error(error); /* without any token */
  g_autoptr(SignetTransferContents) seen =
      signet_transfer_read(looking, file, "alice.pem", NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(seen->items->len, ==, 2);

  init(&real, "card");
  g_assert_null(signet_transfer_open(real.client, "card", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_REQUIRED);
  unlock(&real, "card");
  import(&real, "card", "Alice", "alice@example.org");
  assert_chosen(&real, "alice@example.org", -1);
  restart(&real);
  unlock(&real, "card");
  assert_chosen(&real, "alice@example.org", -1);
  end(&real);
}

static void
test_addresses(void)
{
  Real real = start();
  g_autoptr(GError) error = NULL;
  g_autofree char *id = NULL;
  init(&real, "card");
  unlock(&real, "card");
  import(&real, "card", "DOE,JANE,123", NULL);
  import(&real, "card", "Bob", "bob@example.org");
  assert_chosen(&real, "jane@example.org", SIGNET_ERROR_NOT_FOUND);
  const char *taken[] = { "bob@example.org", NULL };
  const char *good[] = { "jane@example.org", "j.doe@Example.org", NULL };
  const char *none[] = { NULL };
  const char *bad[] = { "jane", NULL };
  g_assert_false(signet_id_set_addresses(real.client, "DOE,JANE,123", taken, NULL, NULL, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_REFUSED);
  g_clear_error(&error);
  g_assert_false(signet_id_set_addresses(real.client, "DOE,JANE,123", bad, NULL, NULL, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
  g_clear_error(&error);
  signet_id_set_addresses(real.client, "DOE,JANE,123", good, NULL, &id, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(id, ==, "jane@example.org");
  assert_chosen(&real, "j.doe@example.org", -1);
  restart(&real);
  unlock(&real, "card");
  assert_chosen(&real, "j.doe@example.org", -1);
  signet_id_set_addresses(real.client, "jane@example.org", none, NULL, NULL, &error);
  g_assert_no_error(error);
  assert_chosen(&real, "jane@example.org", SIGNET_ERROR_NOT_FOUND);
  end(&real);
}

static void
test_lost(void)
{
  Real real = start();
  g_autoptr(GError) error = NULL;
  init(&real, "card");
  unlock(&real, "card");
  import(&real, "card", "Alice", "alice@example.org");
  g_autoptr(SignetTransfer) transfer = signet_transfer_open(real.client, "card", &error);
  g_assert_no_error(error);
  g_autoptr(SignetLoss) loss = signet_token_mark_lost(real.client, "card", TRUE, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(loss->ids[0], ==, "alice@example.org");
  g_assert_cmpuint(g_strv_length(loss->keys), ==, 1);
  g_assert_cmpstr(loss->only[0], ==, loss->keys[0]);
  for (int i = 0; i < 2; i++) { /* a restart forgets nothing */
    g_autoptr(SignetToken) token = describe(&real, "card");
    g_assert_true(token->lost);
    g_assert_true(token->locked);
    g_assert_false(signet_token_unlock(real.client, "card", PIN, FALSE, NULL, &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_DENIED);
    g_clear_error(&error);
    g_assert_null(signet_transfer_open(real.client, "card", &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_DENIED);
    g_clear_error(&error);
    assert_chosen(&real, "alice@example.org", SIGNET_ERROR_NONE_USABLE);
    if (i == 0)
      restart(&real);
  }
  g_autoptr(SignetLoss) found = signet_token_mark_lost(real.client, "card", FALSE, &error);
  g_assert_no_error(error);
  unlock(&real, "card");
  assert_chosen(&real, "alice@example.org", -1);
  g_clear_pointer(&transfer, signet_transfer_free);
  end(&real);
}

static guint
tokens_listed(const Real *real, const char *label)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) tokens = signet_token_list(real->client, &error);
  guint n = 0;
  g_assert_no_error(error);
  for (guint i = 0; i < tokens->len; i++)
    n += strcmp(((SignetToken *)g_ptr_array_index(tokens, i))->label, label) == 0;
  return n;
}

static guint
folders(const Real *real)
{
  g_autofree char *path = world_path(real->world, "data/signet/softhsm/tokens");
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  guint n = 0;
  while (g_dir_read_name(dir))
    n++;
  return n;
}

static void
test_erase_soft(void)
{
  Real real = start();
  g_autoptr(GError) error = NULL;
  g_auto(GStrv) removed = NULL;
  init(&real, "card");
  init(&real, "other");
  unlock(&real, "card");
  unlock(&real, "other");
  import(&real, "card", "Alice", "alice@example.org");
  import(&real, "other", "Bob", "bob@example.org");
  g_autoptr(SignetToken) token = describe(&real, "card");
  g_assert_false(erase(&real, "card", "0123", NULL, PIN, NULL, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_REFUSED);
  g_clear_error(&error);
  g_assert_false(erase(&real, "card", token->serial, NULL, "111111", NULL, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_INCORRECT);
  g_clear_error(&error);
  g_assert_cmpuint(folders(&real), ==, 2);
  erase(&real, "card", token->serial, NULL, PIN, &removed, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(g_strv_length(removed), ==, 2);
  g_assert_nonnull(strstr(removed[0], "alice@example.org, the only copy"));
  g_assert_true(g_str_has_prefix(removed[1], "certificate "));
  g_assert_cmpuint(folders(&real), ==, 1);
  g_assert_cmpuint(tokens_listed(&real, "card"), ==, 0);
  assert_chosen(&real, "alice@example.org", SIGNET_ERROR_NOT_FOUND);
  assert_chosen(&real, "bob@example.org", -1); /* its host was started anew */

  g_clear_pointer(&removed, g_strfreev);
  g_autoptr(SignetToken) other = describe(&real, "other");
  erase(&real, "other", other->serial, SO_PIN, NULL, &removed, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(folders(&real), ==, 0);
  init(&real, "card"); /* the place can be taken again */
  end(&real);
}

/* A token that is not signet's own: by C_InitToken. */
static gboolean
make_own_token(Real *real)
{
  g_autofree char *tool = g_find_program_in_path("softhsm2-util");
  g_autofree char *tokens = world_path(real->world, "own");
  g_autofree char *config = world_path(real->world, "none.conf");
  g_autofree char *text = g_strdup_printf("directories.tokendir = %s\nobjectstore.backend = file\n"
                                          "log.level = ERROR\n",
                                          tokens);
  g_autofree char *command = g_strdup_printf(
      "env SOFTHSM2_CONF=%s %s --init-token --free --label own --pin " PIN " --so-pin " SO_PIN,
      config, tool);
  int status = -1;
  g_autofree char *out = NULL;
  world_write(real->world, "none.conf", text);
  g_assert_cmpint(g_mkdir(tokens, 0700), ==, 0);
  if (!tool || !g_spawn_command_line_sync(command, &out, NULL, &status, NULL) || status != 0)
    return FALSE;
  restart(real);
  return TRUE;
}

static void
test_erase_by_so_pin(void)
{
  Real real = start();
  g_autoptr(GError) error = NULL;
  g_auto(GStrv) removed = NULL;
  if (!make_own_token(&real)) {
    g_test_skip("softhsm2-util is not installed");
    end(&real);
    return;
  }
  unlock(&real, "own");
  import(&real, "own", "Alice", "alice@example.org");
  g_autoptr(SignetToken) token = describe(&real, "own");
  g_assert_false(erase(&real, "own", token->serial, NULL, PIN, NULL, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
  g_clear_error(&error);
  g_assert_false(erase(&real, "own", token->serial, "11111111", NULL, NULL, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_INCORRECT);
  g_clear_error(&error);
  unlock(&real, "own");
  assert_chosen(&real, "alice@example.org", -1);
  erase(&real, "own", token->serial, SO_PIN, NULL, &removed, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(g_strv_length(removed), ==, 2);
  assert_chosen(&real, "alice@example.org", SIGNET_ERROR_NOT_FOUND);
  g_autoptr(SignetToken) blank = describe(&real, "own");
  g_assert_false(blank->user_pin.set);
  signet_token_unblock(real.client, "own", SO_PIN, PIN, &error); /* sets the first one */
  g_assert_no_error(error);
  unlock(&real, "own");
  import(&real, "own", "Alice", "alice@example.org");
  assert_chosen(&real, "alice@example.org", -1);
  end(&real);
}

static void
test_forget(void)
{
  Real real = start();
  g_autoptr(GError) error = NULL;
  g_auto(GStrv) lines = NULL;
  g_autofree char *tokens = world_path(real.world, "data/signet/softhsm/tokens");
  g_autofree char *away = world_path(real.world, "away");
  init(&real, "card");
  unlock(&real, "card");
  import(&real, "card", "Alice", "alice@example.org");
  g_assert_false(signet_token_forget(real.client, "card", NULL, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_REFUSED);
  g_clear_error(&error);
  signet_client_free(real.client);
  world_kill(real.world, SIGTERM);
  g_assert_cmpint(g_rename(tokens, away), ==, 0);
  g_assert_cmpint(g_mkdir(tokens, 0700), ==, 0);
  world_start(real.world);
  real.client = signet_client_connect(real.world->socket, SIGNET_CONNECT_NO_AUTOSTART, NULL);
  g_autoptr(SignetToken) token = describe(&real, "card");
  g_assert_cmpint(token->state, ==, SIGNET_TOKEN_ABSENT);
  g_assert_cmpint(token->last_seen, >, 0);
  signet_token_forget(real.client, "card", &lines, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(g_strv_length(lines), ==, 2);
  g_assert_cmpuint(tokens_listed(&real, "card"), ==, 0);
  assert_chosen(&real, "alice@example.org", SIGNET_ERROR_NOT_FOUND);
  end(&real);
}

static void
test_pins(void)
{
  Real real = start();
  Client *raw = client_new(real.world);
  g_autoptr(GError) error = NULL;
  init(&real, "card");
  static const struct {
    const char *which;
    const char *error;
  } cases[] = { { "puk", "Unsupported" },
                { "management", "Unsupported" },
                { "sign", "Unsupported" },
                { "toe", "Usage" } };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *name = client_error(raw, "org.signet.Token.ChangePin",
                                         json_pack("{s:s,s:s,s:s,s:s}", "token", "card", "which",
                                                   cases[i].which, "old", PIN, "new", "999999"));
    g_assert_cmpstr(name, ==, cases[i].error);
  }
  client_free(raw);
  g_assert_false(signet_token_change_so_pin(real.client, "card", "11111111", "22222222", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_INCORRECT);
  g_clear_error(&error);
  unlock(&real, "card"); /* a user who is logged in does not hinder it */
  signet_token_change_so_pin(real.client, "card", SO_PIN, "22222222", &error);
  g_assert_no_error(error);
  signet_token_unblock(real.client, "card", "22222222", "555555", &error);
  g_assert_no_error(error);
  signet_token_unlock(real.client, "card", "555555", FALSE, NULL, &error);
  g_assert_no_error(error);
  end(&real);
}

/* ---- a card that takes no certificate ---- */

/* An issued certificate for a key of which only the public half is known here. */
static GBytes *
issued_for(GBytes *public_key, const char *address)
{
  gsize length = 0;
  const guint8 *at = g_bytes_get_data(public_key, &length);
  EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)length);
  EVP_PKEY *issuer = EVP_EC_gen("P-256");
  X509 *cert = certificate(key, issuer, "Alice", address);
  guint8 *der = NULL;
  int der_length = i2d_X509(cert, &der);
  GBytes *bytes = g_bytes_new(der, (gsize)der_length);
  OPENSSL_free(der);
  X509_free(cert);
  EVP_PKEY_free(key);
  EVP_PKEY_free(issuer);
  return bytes;
}

static void
test_kept(gconstpointer data)
{
  const char *fault = data;
  g_autofree char *softhsm = find_softhsm();
  g_autofree char *module =
      g_build_filename(g_getenv("SIGNET_TEST_BUILD"), "tests/token-faulty-module.so", NULL);
  g_autofree char *control = g_build_filename(g_get_tmp_dir(), "signet-control-XXXXXX", NULL);
  g_autoptr(GError) error = NULL;
  if (!softhsm || !g_file_test(module, G_FILE_TEST_EXISTS)) {
    g_test_skip("SoftHSM is not installed, or the faulty module not built");
    return;
  }
  close(g_mkstemp(control));
  g_autofree char *profile =
      g_strdup_printf("[profile]\nname=faulty\n[module]\nfiles=%s;\n"
                      "environment=FAULTY_MODULE=%s;FAULTY_CONTROL=%s;\n[token]\noperations=4\n",
                      module, softhsm, control);
  Real real = start_with(profile);
  g_assert_true(make_own_token(&real));
  unlock(&real, "own");
  const char *addresses[] = { "alice@example.org", NULL };
  const SignetGenerate wanted = {
    .addresses = addresses, .kind = "ec:p256", .token = "own", .no_backup = TRUE
  };
  g_autoptr(SignetGenerated) made = signet_id_generate(real.client, &wanted, &error);
  g_assert_no_error(error);
  g_autoptr(GBytes) der = issued_for(made->public_key, addresses[0]);
  g_assert_true(g_file_set_contents(control, fault, -1, NULL));
  for (int i = 0; i < 2; i++) {
    g_autoptr(SignetStored) stored =
        signet_id_put_certificate(real.client, der, FALSE, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(stored->kept);
    g_assert_cmpint(stored->stored, ==, i == 0);
    g_assert_cmpstr(stored->id, ==, addresses[0]);
  }
  assert_chosen(&real, addresses[0], -1);
  restart(&real);
  unlock(&real, "own");
  assert_chosen(&real, addresses[0], -1);
  end(&real);
  g_unlink(control);
  g_autofree char *counted = g_strconcat(control, ".C_CreateObject", NULL);
  g_autofree char *logins = g_strconcat(control, ".C_Login", NULL);
  g_autofree char *signs = g_strconcat(control, ".C_Sign", NULL);
  g_unlink(counted);
  g_unlink(logins);
  g_unlink(signs);
}

static void
test_never_export(void)
{
  Real real = start();
  g_autoptr(GError) error = NULL;
  g_auto(GStrv) sealed = NULL;
  g_auto(GStrv) failed = NULL;
  init(&real, "card");
  unlock(&real, "card");
  import(&real, "card", "Alice", "alice@example.org");
  signet_token_lock(real.client, "card", NULL, &error);
  g_assert_false(
      signet_id_never_export(real.client, "alice@example.org", &sealed, &failed, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_REQUIRED);
  g_clear_error(&error);
  unlock(&real, "card");
  for (int i = 0; i < 2; i++) {
    g_clear_pointer(&sealed, g_strfreev);
    g_clear_pointer(&failed, g_strfreev);
    signet_id_never_export(real.client, "alice@example.org", &sealed, &failed, &error);
    g_assert_no_error(error);
    if (failed[0])
      g_test_message("%s", failed[0]);
    g_assert_cmpuint(g_strv_length(failed), ==, 0);
    g_assert_cmpuint(g_strv_length(sealed), ==, i == 0); /* the second time nothing is left to do */
    g_autoptr(SignetId) id = signet_id_describe(real.client, "alice@example.org", FALSE, &error);
    g_assert_false(((SignetKey *)g_ptr_array_index(id->keys, 0))->extractable);
  }
  assert_chosen(&real, "alice@example.org", -1);
  end(&real);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/daemon/real/imported-key-signs", test_import);
  g_test_add_func("/daemon/real/others-key-is-seen", test_others_key);
  g_test_add_func("/daemon/real/addresses-are-tied", test_addresses);
  g_test_add_func("/daemon/real/lost-token-is-not-used", test_lost);
  g_test_add_func("/daemon/real/soft-token-is-erased", test_erase_soft);
  g_test_add_func("/daemon/real/own-token-is-erased-by-so-pin", test_erase_by_so_pin);
  g_test_add_func("/daemon/real/absent-token-is-forgotten", test_forget);
  g_test_add_func("/daemon/real/pins-of-every-name", test_pins);
  g_test_add_data_func("/daemon/real/read-only-card-certificate-kept", "create-write-protected",
                       test_kept);
  g_test_add_data_func("/daemon/real/full-card-certificate-kept", "create-device-memory",
                       test_kept);
  g_test_add_func("/daemon/real/never-exported-again", test_never_export);
  return g_test_run();
}
