/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "http-server.h"
#include "trust-craft.h"
#include "trust/crl.h"
#include "trust/revocation.h"
#include "trust/shelf.h"
#include "trust/store.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <openssl/ocsp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <utime.h>

#define DAY (24 * 3600)
#define MS_ALLOWED 2000 /* of a deadline of 400, on a busy machine */

static HttpServer *server;
static GMutex lock;
static GHashTable *files; /* name → GBytes; "ocsp" answers POST */
static gboolean silent;
static char *home, *settings_path, *shelf;
static CraftParty *ca, *listed, *asked, *both, *mute;

static void
serve(int fd, const GString *question, gpointer data G_GNUC_UNUSED)
{
  g_auto(GStrv) words = g_strsplit(question->str, " ", 3);
  while (g_atomic_int_get(&silent) && !http_server_stopping(server))
    g_usleep(2000);
  g_mutex_lock(&lock);
  GBytes *bytes = g_hash_table_lookup(files, strcmp(words[0], "POST") == 0 ? "ocsp" : words[1] + 1);
  bytes = bytes ? g_bytes_ref(bytes) : NULL;
  g_mutex_unlock(&lock);
  if (!bytes) {
    http_say(fd, "HTTP/1.1 404 Not Found\r\n\r\n");
    return;
  }
  http_answer(fd, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
  g_bytes_unref(bytes);
}

static void
put(const char *name, GBytes *bytes)
{
  g_mutex_lock(&lock);
  if (bytes)
    g_hash_table_replace(files, g_strdup(name), bytes);
  else
    g_hash_table_remove(files, name);
  g_mutex_unlock(&lock);
}

static void
put_crl(const CraftParty *revoked, gint64 from, gint64 until)
{
  put("ca.crl", craft_crl(&(CraftCrl){
                    .signer = ca, .revoked = revoked, .reason = 1, .from = from, .until = until }));
}

static void
put_ocsp(const CraftParty *about, int status)
{
  put("ocsp", craft_ocsp(&(CraftOcsp){ .about = about,
                                       .issuer = ca,
                                       .signer = ca,
                                       .status = status,
                                       .reason = 1,
                                       .from = -60,
                                       .until = DAY }));
}

static void
remove_all(const char *path)
{
  GDir *dir = g_dir_open(path, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *below = g_build_filename(path, name, NULL);
    remove_all(below);
  }
  if (dir)
    g_dir_close(dir);
  g_remove(path);
}

static void
settings(const char *more)
{
  g_autofree char *text = g_strdup_printf("[trust]\ndeadline=400\n%s\n", more);
  g_assert_true(g_file_set_contents(settings_path, text, -1, NULL));
}

/* Each test begins with an empty shelf and a server that knows nothing. */
static void
fresh(void)
{
  remove_all(shelf);
  settings("");
  g_atomic_int_set(&silent, FALSE);
  g_mutex_lock(&lock);
  g_hash_table_remove_all(files);
  g_mutex_unlock(&lock);
}

static TrustRevocation *
check(const CraftParty *party, TrustRevocationPolicy policy)
{
  g_autoptr(GPtrArray) path = g_ptr_array_new();
  g_ptr_array_add(path, party->cert);
  g_ptr_array_add(path, ca->cert);
  gint64 before = g_get_monotonic_time();
  TrustRevocation *revocation = trust_revocation_check(path, policy);
  g_assert_cmpint(g_get_monotonic_time() - before, <, MS_ALLOWED * 1000);
  g_test_message("%d: how %s; reason %s", revocation->state, revocation->how, revocation->reason);
  return revocation;
}

static void
expect(const CraftParty *party, TrustRevocationState state, int connections)
{
  int before = http_server_count(server);
  g_autoptr(TrustRevocation) revocation = check(party, TRUST_REVOCATION_SOFT);
  g_assert_cmpint(revocation->state, ==, state);
  g_assert_cmpint(revocation->revoked_at > 0, ==, state == TRUST_REVOKED);
  g_assert_cmpint(revocation->checked > 0, ==, state != TRUST_REVOCATION_UNKNOWN);
  g_assert_cmpint(revocation->how != NULL, ==, state != TRUST_REVOCATION_UNKNOWN);
  g_assert_cmpint(revocation->subject != NULL, ==, state != TRUST_NOT_REVOKED);
  g_assert_cmpint(http_server_count(server) - before, ==, connections);
}

static guint
shelved(const char *suffix)
{
  guint count = 0;
  const char *name;
  GDir *dir = g_dir_open(shelf, 0, NULL);
  while (dir && (name = g_dir_read_name(dir)))
    count += g_str_has_suffix(name, suffix) ? 1 : 0;
  if (dir)
    g_dir_close(dir);
  return count;
}

/* What is on the shelf was written so long ago. */
static void
age_shelf(gint64 seconds)
{
  const char *name;
  GDir *dir = g_dir_open(shelf, 0, NULL);
  struct utimbuf times = { time(NULL) - seconds, time(NULL) - seconds };
  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *path = g_build_filename(shelf, name, NULL);
    g_assert_cmpint(utime(path, &times), ==, 0);
  }
  if (dir)
    g_dir_close(dir);
}

/* ---- CRLs ---- */

static void
test_crl(void)
{
  fresh();
  put_crl(NULL, -60, DAY);
  expect(listed, TRUST_NOT_REVOKED, 1);
  expect(listed, TRUST_NOT_REVOKED, 0);
  put_crl(listed, -30, DAY);
  expect(listed, TRUST_NOT_REVOKED, 0); /* the one of today is here */
  age_shelf(2 * DAY);
  expect(listed, TRUST_REVOKED, 1);
  expect(listed, TRUST_REVOKED, 0);
  /* One from before is played again: what is revoked stays so. */
  put_crl(NULL, -60, DAY);
  age_shelf(2 * DAY);
  expect(listed, TRUST_REVOKED, 0);
}

static void
test_hold(void)
{
  fresh();
  put("ca.crl", craft_crl(&(CraftCrl){
                    .signer = ca, .revoked = listed, .reason = 6, .from = -60, .until = DAY }));
  expect(listed, TRUST_REVOKED, 1);
  expect(listed, TRUST_REVOKED, 0);
  put_crl(NULL, -30, DAY);
  age_shelf(2 * DAY);
  expect(listed, TRUST_NOT_REVOKED, 1);
  expect(listed, TRUST_NOT_REVOKED, 0);
}

static void
test_old_crl(void)
{
  fresh();
  put_crl(NULL, -60, DAY);
  expect(listed, TRUST_NOT_REVOKED, 1);
  put_crl(NULL, -3600, DAY); /* an earlier one */
  age_shelf(2 * DAY);
  g_autoptr(TrustRevocation) before = check(listed, TRUST_REVOCATION_OFF);
  expect(listed, TRUST_NOT_REVOKED, 1);
  g_autoptr(TrustRevocation) after = check(listed, TRUST_REVOCATION_OFF);
  g_assert_cmpint(before->checked, ==, after->checked);
  /* No server any more: the list here counts until its own end. */
  put("ca.crl", NULL);
  expect(listed, TRUST_NOT_REVOKED, 1);
  fresh();
  put_crl(NULL, -2 * DAY, -DAY);
  expect(listed, TRUST_REVOCATION_UNKNOWN, 1);
  g_assert_cmpuint(shelved(".crl"), ==, 0);
  fresh();
  put_crl(listed, -2 * DAY, -DAY); /* old, but what is revoked stays so */
  expect(listed, TRUST_REVOKED, 1);
  expect(listed, TRUST_REVOKED, 0);
}

/* What expired is not in the list of today, and that is not asked again with every old mail. */
static void
test_expired(void)
{
  const CraftParty *const parties[] = { listed, asked };
  fresh();
  put_crl(NULL, -60, DAY);
  for (gsize i = 0; i < G_N_ELEMENTS(parties); i++) {
    CraftParty old = { parties[i]->key, X509_dup(parties[i]->x509), NULL };
    X509_gmtime_adj(X509_getm_notAfter(old.x509), -DAY);
    g_assert_cmpint(X509_sign(old.x509, ca->key, EVP_sha256()), >, 0);
    old.cert = base_cert_new_from_x509(old.x509, NULL);
    put_ocsp(&old, V_OCSP_CERTSTATUS_GOOD);
    expect(&old, TRUST_REVOCATION_UNKNOWN, 1);
    expect(&old, TRUST_REVOCATION_UNKNOWN, 0);
    put_crl(&old, -30, DAY);
    put_ocsp(&old, V_OCSP_CERTSTATUS_REVOKED);
    age_shelf(2 * DAY);
    expect(&old, TRUST_REVOKED, 1);
    X509_free(old.x509);
    base_cert_free(old.cert);
  }
}

static void
test_bad_crl(void)
{
  g_autoptr(CraftParty) twin = craft_party("Mail CA", NULL, craft_ca);
  static const char page[] = "<html>Please log in to the hotel's network";
  fresh();
  put("ca.crl", craft_crl(&(CraftCrl){ .signer = twin, .from = -60, .until = DAY }));
  expect(listed, TRUST_REVOCATION_UNKNOWN, 1);
  expect(listed, TRUST_REVOCATION_UNKNOWN, 0); /* not asked at every mail */
  g_assert_cmpuint(shelved(".crl"), ==, 0);
  /* A portal's page does not take a good list's place. */
  fresh();
  put_crl(NULL, -60, DAY);
  expect(listed, TRUST_NOT_REVOKED, 1);
  age_shelf(2 * DAY);
  put("ca.crl", g_bytes_new_static(page, sizeof page));
  expect(listed, TRUST_NOT_REVOKED, 1);
  expect(listed, TRUST_NOT_REVOKED, 0);
}

static void
test_damaged_shelf(void)
{
  static const char *const damage[] = { "", "junk", NULL };
  for (gsize i = 0; i < G_N_ELEMENTS(damage); i++) {
    fresh();
    put_crl(NULL, -60, DAY);
    expect(listed, TRUST_NOT_REVOKED, 1);
    g_autofree char *url = http_server_url(server, "ca.crl");
    g_autofree char *path = trust_shelf_path("crl", url);
    if (damage[i])
      g_assert_true(g_file_set_contents(path, damage[i], -1, NULL));
    else
      g_assert_cmpint(truncate(path, 200), ==, 0);
    expect(listed, TRUST_NOT_REVOKED, 1);
    expect(listed, TRUST_NOT_REVOKED, 0);
  }
}

/* ---- OCSP ---- */

static void
test_ocsp(void)
{
  fresh();
  put_ocsp(asked, V_OCSP_CERTSTATUS_GOOD);
  expect(asked, TRUST_NOT_REVOKED, 1);
  expect(asked, TRUST_NOT_REVOKED, 0);
  fresh();
  put_ocsp(asked, V_OCSP_CERTSTATUS_REVOKED);
  expect(asked, TRUST_REVOKED, 1);
  expect(asked, TRUST_REVOKED, 0);
  fresh();
  put_ocsp(listed, V_OCSP_CERTSTATUS_GOOD); /* about another */
  expect(asked, TRUST_REVOCATION_UNKNOWN, 1);
  expect(asked, TRUST_REVOCATION_UNKNOWN, 0);
  g_assert_cmpuint(shelved(".ocsp"), ==, 0);
}

/* The CRL first; OCSP where it is not to be had. */
static void
test_both(void)
{
  fresh();
  put_crl(NULL, -60, DAY);
  put_ocsp(both, V_OCSP_CERTSTATUS_REVOKED);
  expect(both, TRUST_NOT_REVOKED, 1);
  fresh();
  put_ocsp(both, V_OCSP_CERTSTATUS_REVOKED);
  expect(both, TRUST_REVOKED, 2);
  put_crl(NULL, -60, DAY);
  expect(both, TRUST_REVOKED, 0);
}

/* ---- who does not answer ---- */

static void
test_silent(void)
{
  fresh();
  settings("deadline=700");
  g_atomic_int_set(&silent, TRUE);
  int before = http_server_count(server);
  g_autoptr(TrustRevocation) first = check(listed, TRUST_REVOCATION_SOFT);
  g_assert_cmpint(first->state, ==, TRUST_REVOCATION_UNKNOWN);
  g_assert_nonnull(strstr(first->reason, "did not answer in time"));
  g_assert_cmpint(http_server_count(server), ==, before + 1);
  gint64 start = g_get_monotonic_time();
  g_autoptr(TrustRevocation) second = check(listed, TRUST_REVOCATION_SOFT);
  g_assert_cmpint(g_get_monotonic_time() - start, <, 300 * 1000);
  g_assert_nonnull(strstr(second->reason, "did not answer in time"));
  g_assert_cmpint(http_server_count(server), ==, before + 1);
  g_atomic_int_set(&silent, FALSE);
  put_crl(NULL, -60, DAY);
  age_shelf(TRUST_SHELF_SILENT_S + 1);
  expect(listed, TRUST_NOT_REVOKED, 1);
}

static void
test_policies(void)
{
  TrustRevocationPolicy policy;
  g_autoptr(GError) error = NULL;
  fresh();
  put_crl(listed, -60, DAY);
  int before = http_server_count(server);
  g_autoptr(TrustRevocation) off = check(listed, TRUST_REVOCATION_OFF);
  g_assert_cmpint(off->state, ==, TRUST_REVOCATION_UNKNOWN);
  g_assert_cmpint(http_server_count(server), ==, before);
  g_autoptr(TrustRevocation) hard = check(listed, TRUST_REVOCATION_HARD);
  g_assert_cmpint(hard->state, ==, TRUST_REVOKED);
  g_assert_cmpstr(hard->reason, ==, "keyCompromise");
  g_autoptr(TrustRevocation) kept = check(listed, TRUST_REVOCATION_OFF);
  g_assert_cmpint(kept->state, ==, TRUST_REVOKED);
  g_assert_true(trust_revocation_policy(&policy, &error));
  g_assert_cmpint(policy, ==, TRUST_REVOCATION_SOFT);
  settings("revocation=hard");
  g_assert_true(trust_revocation_policy(&policy, &error));
  g_assert_cmpint(policy, ==, TRUST_REVOCATION_HARD);
  settings("http-proxy=none");
  g_assert_true(trust_revocation_policy(&policy, &error));
  settings("http-proxy=ftp://x/");
  g_assert_false(trust_revocation_policy(&policy, &error));
  g_clear_error(&error);
  settings("revocation=maybe");
  g_assert_false(trust_revocation_policy(&policy, &error));
  g_autoptr(TrustRevocation) wrong = check(listed, TRUST_REVOCATION_SOFT);
  g_assert_cmpint(wrong->state, ==, TRUST_REVOCATION_UNKNOWN);
}

static void
test_nowhere(void)
{
  fresh();
  expect(mute, TRUST_REVOCATION_UNKNOWN, 0);
  g_autoptr(GPtrArray) path = g_ptr_array_new();
  g_ptr_array_add(path, ca->cert);
  g_autoptr(TrustRevocation) alone = trust_revocation_check(path, TRUST_REVOCATION_HARD);
  g_assert_cmpint(alone->state, ==, TRUST_NOT_REVOKED);
  g_assert_nonnull(alone->how);
}

/* A CRL that the machine's keeper put there, DER or PEM. */
static void
test_files(void)
{
  g_autofree char *folder = g_build_filename(home, "config", "signet", "crls", NULL);
  g_autofree char *path = g_build_filename(folder, "ca.crl", NULL);
  g_autofree char *other = g_build_filename(home, "other.pem", NULL);
  g_autoptr(GBytes) crl = craft_crl(
      &(CraftCrl){ .signer = ca, .revoked = mute, .reason = 6, .from = -60, .until = DAY });
  fresh();
  g_mkdir_with_parents(folder, 0700);
  g_assert_true(
      g_file_set_contents(path, g_bytes_get_data(crl, NULL), (gssize)g_bytes_get_size(crl), NULL));
  expect(mute, TRUST_REVOKED, 0);
  expect(listed, TRUST_NOT_REVOKED, 0);
  g_autoptr(TrustRevocation) off = check(mute, TRUST_REVOCATION_OFF);
  g_assert_cmpstr(off->reason, ==, "certificateHold");
  /* Not of today: the server may know more, and where there is none the file counts. */
  struct utimbuf times = { time(NULL) - 2 * DAY, time(NULL) - 2 * DAY };
  g_assert_cmpint(utime(path, &times), ==, 0);
  expect(listed, TRUST_NOT_REVOKED, 1);
  remove_all(shelf);
  put_crl(listed, -30, DAY);
  expect(listed, TRUST_REVOKED, 1);
  g_remove(path);
  g_autofree char *base64 = g_base64_encode(g_bytes_get_data(crl, NULL), g_bytes_get_size(crl));
  g_autofree char *pem =
      g_strdup_printf("-----BEGIN X509 CRL-----\n%s\n-----END X509 CRL-----\n", base64);
  g_assert_true(g_file_set_contents(other, pem, -1, NULL));
  expect(mute, TRUST_REVOCATION_UNKNOWN, 0);
  g_autofree char *list = g_strdup_printf("crl-files=%s;/nowhere;", other);
  settings(list);
  expect(mute, TRUST_REVOKED, 0);
}

/* What every mail costs, once the answer is here: the message says. */
static void
test_kept_costs(void)
{
  const CraftParty *const parties[] = { listed, asked };
  g_autoptr(GPtrArray) path = g_ptr_array_new();
  fresh();
  put_crl(NULL, -60, DAY);
  put_ocsp(asked, V_OCSP_CERTSTATUS_GOOD);
  expect(listed, TRUST_NOT_REVOKED, 1);
  expect(asked, TRUST_NOT_REVOKED, 1);
  g_ptr_array_add(path, NULL);
  g_ptr_array_add(path, ca->cert);
  for (gsize i = 0; i < G_N_ELEMENTS(parties); i++) {
    path->pdata[0] = parties[i]->cert;
    clock_t start = clock();
    for (int round = 0; round < 50; round++)
      trust_revocation_free(trust_revocation_check(path, TRUST_REVOCATION_SOFT));
    g_test_message("%s: %.0f us", i ? "OCSP" : "CRL",
                   (double)(clock() - start) * 1e6 / CLOCKS_PER_SEC / 50);
  }
}

/* ---- the shelf ---- */

static void
test_room(void)
{
  fresh();
  put_crl(NULL, -60, DAY);
  expect(listed, TRUST_NOT_REVOKED, 1);
  for (int i = 0; i < 5; i++) {
    g_autofree char *name = g_strdup_printf("old-%d", i);
    g_autofree char *path = trust_shelf_path("crl", name);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    struct utimbuf times = { 1000000 + i, 1000000 + i };
    g_assert_cmpint(ftruncate(fd, 30 * 1024 * 1024), ==, 0);
    close(fd);
    utime(path, &times);
  }
  g_autoptr(GBytes) bytes = g_bytes_new_static("x", 1);
  g_autofree char *path = trust_shelf_path("certs", "new");
  trust_shelf_write(path, bytes);
  g_assert_cmpint(trust_shelf_age(path), >=, 0);
  g_assert_cmpuint(shelved(".crl"), ==, 4); /* the three youngest of 30 MiB, and the list */
  expect(listed, TRUST_NOT_REVOKED, 0);
}

/* ---- missing issuers ---- */

static CraftParty *
with_issuer_at(const char *name, const CraftParty *issuer, const char *where, gboolean is_ca)
{
  g_autofree char *url = http_server_url(server, where);
  g_autofree char *access = g_strdup_printf("authorityInfoAccess=caIssuers;URI:%s", url);
  const char *const person[] = { access, "authorityKeyIdentifier=keyid", NULL };
  const char *const authority[] = {
    access, craft_ca[0], craft_ca[1], craft_ca[2], "authorityKeyIdentifier=keyid", NULL
  };
  return craft_party(name, issuer, is_ca ? authority : person);
}

static GBytes *
der_of(const CraftParty *party)
{
  return g_bytes_ref(party->cert->der);
}

static void
expect_issuers(const CraftParty *party, gboolean fetch, guint count, int connections)
{
  int before = http_server_count(server);
  g_autoptr(GPtrArray) found = trust_issuers_find(party->cert, fetch);
  g_assert_cmpuint(found->len, ==, count);
  g_assert_cmpint(http_server_count(server) - before, ==, connections);
}

static void
test_issuers(void)
{
  g_autoptr(CraftParty) middle = with_issuer_at("Middle CA", ca, "root.cer", TRUE);
  g_autoptr(CraftParty) leaf = with_issuer_at("leaf", middle, "middle.cer", FALSE);
  g_autoptr(CraftParty) twin = craft_party("Middle CA", ca, craft_ca);
  fresh();
  put("middle.cer", der_of(middle));
  put("root.cer", der_of(ca));
  expect_issuers(leaf, FALSE, 0, 0);
  expect_issuers(leaf, TRUE, 0, 0); /* inside this network */
  settings("local-urls=yes");
  expect_issuers(leaf, FALSE, 0, 0);
  expect_issuers(leaf, TRUE, 2, 2);
  expect_issuers(leaf, TRUE, 2, 0);
  expect_issuers(leaf, FALSE, 2, 0);
  fresh();
  settings("local-urls=yes\nissuers=fetch");
  put("middle.cer", der_of(twin)); /* a name alone proves nothing */
  expect_issuers(leaf, FALSE, 0, 1);
  expect_issuers(leaf, FALSE, 0, 0);
  fresh();
  settings("local-urls=yes\nissuers=fetch");
  g_autofree char *one = base_cert_to_pem(middle->cert), *other = base_cert_to_pem(ca->cert);
  g_autofree char *pem = g_strconcat(other, one, NULL);
  put("middle.cer", g_bytes_new(pem, strlen(pem)));
  expect_issuers(leaf, FALSE, 2, 1);
}

/* What a stranger's certificate names may not keep the CA's own server from being asked. */
static void
test_issuers_silence_nobody(void)
{
  g_autoptr(CraftParty) unknown = craft_party("Nobody's CA", NULL, craft_ca);
  g_autoptr(CraftParty) leaf = with_issuer_at("leaf", unknown, "ca.crl", FALSE);
  fresh();
  settings("local-urls=yes");
  put_crl(listed, -60, DAY);
  expect_issuers(leaf, TRUE, 0, 1);
  expect_issuers(leaf, TRUE, 0, 0);
  expect(listed, TRUST_REVOKED, 1);
  fresh();
  settings("local-urls=yes\ndeadline=700");
  put_crl(listed, -60, DAY);
  g_atomic_int_set(&silent, TRUE);
  expect_issuers(leaf, TRUE, 0, 1);
  g_atomic_int_set(&silent, FALSE);
  expect_issuers(leaf, TRUE, 0, 0);
  expect(listed, TRUST_REVOKED, 1);
}

/* A hundred signers, each with a server of its own that takes its time. */
static void
test_issuers_of_many(void)
{
  g_autoptr(CraftParty) unknown = craft_party("Nobody's CA", NULL, craft_ca);
  fresh();
  settings("local-urls=yes\nissuers=fetch\nmail-roots=off");
  g_autoptr(TrustStore) store = trust_store_new(NULL);
  int before = http_server_count(server);
  for (int i = 0; i < 30; i++) {
    g_autofree char *file = g_strdup_printf("%d.cer", i);
    g_autoptr(CraftParty) leaf = with_issuer_at("leaf", unknown, file, FALSE);
    TrustChain *chain = trust_chain_check(store, leaf->cert, NULL, 0);
    g_assert_false(chain->trusted);
    g_assert_cmpstr(chain->missing, ==, "CN=Nobody's CA");
    trust_chain_free(chain);
  }
  g_assert_cmpint(http_server_count(server) - before, ==, 10);
}

/* Read once, whoever asks again. */
static void
test_parsed_once(void)
{
  settings("mail-roots=off");
  g_autoptr(TrustStore) store = trust_store_new(NULL);
  X509 *one = trust_store_x509(store, listed->cert), *again = trust_store_x509(store, listed->cert);
  X509 *other = trust_store_x509(store, asked->cert);
  g_assert_nonnull(one);
  g_assert_true(one == again);
  g_assert_true(one != other);
  g_assert_cmpint(X509_cmp(one, listed->x509), ==, 0);
  X509_free(one);
  X509_free(again);
  X509_free(other);
}

static void
test_issuers_without_end(void)
{
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)craft_party_free);
  fresh();
  settings("local-urls=yes");
  g_ptr_array_add(all, craft_party("top", NULL, craft_ca));
  for (int i = 0; i < 8; i++) {
    g_autofree char *name = g_strdup_printf("CA %d", i);
    g_autofree char *file = g_strdup_printf("%d.cer", i);
    const CraftParty *issuer = g_ptr_array_index(all, i);
    put(file, der_of(issuer));
    g_ptr_array_add(all, with_issuer_at(name, issuer, file, TRUE));
  }
  expect_issuers(g_ptr_array_index(all, 8), TRUE, 4, 4);
}

static void
set_up(void)
{
  home = g_dir_make_tmp("signet-test.XXXXXX", NULL);
  g_autofree char *config = g_build_filename(home, "config", NULL);
  g_autofree char *cache = g_build_filename(home, "cache", NULL);
  g_autofree char *folder = g_build_filename(config, "signet", NULL);
  g_setenv("XDG_CONFIG_HOME", config, TRUE);
  g_setenv("XDG_CACHE_HOME", cache, TRUE);
  g_mkdir_with_parents(folder, 0700);
  settings_path = g_build_filename(folder, "signet.conf", NULL);
  shelf = g_build_filename(cache, "signet", "trust", NULL);
  files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
  server = http_server_new(serve, NULL);
  g_autofree char *url = http_server_url(server, "ca.crl");
  g_autofree char *list = g_strdup_printf("crlDistributionPoints=URI:%s", url);
  g_autofree char *responder = http_server_url(server, "");
  g_autofree char *ocsp = g_strdup_printf("authorityInfoAccess=OCSP;URI:%s", responder);
  ca = craft_party("Mail CA", NULL, craft_ca);
  listed = craft_party("listed", ca, (const char *const[]){ list, NULL });
  asked = craft_party("asked", ca, (const char *const[]){ ocsp, NULL });
  both = craft_party("both", ca, (const char *const[]){ list, ocsp, NULL });
  mute = craft_party("mute", ca, NULL);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  signal(SIGPIPE, SIG_IGN);
  set_up();
  g_test_add_func("/trust/revocation/a-crl-is-fetched-once-and-kept", test_crl);
  g_test_add_func("/trust/revocation/a-hold-may-end", test_hold);
  g_test_add_func("/trust/revocation/an-older-crl-takes-no-ones-place", test_old_crl);
  g_test_add_func("/trust/revocation/what-expired-is-not-known-and-asked-once", test_expired);
  g_test_add_func("/trust/revocation/a-bad-crl-is-not-kept", test_bad_crl);
  g_test_add_func("/trust/revocation/a-damaged-shelf-is-mended", test_damaged_shelf);
  g_test_add_func("/trust/revocation/ocsp-is-asked-once-and-kept", test_ocsp);
  g_test_add_func("/trust/revocation/a-crl-comes-before-ocsp", test_both);
  g_test_add_func("/trust/revocation/who-is-silent-is-left-alone", test_silent);
  g_test_add_func("/trust/revocation/each-policy-does-what-it-says", test_policies);
  g_test_add_func("/trust/revocation/nowhere-to-ask-is-not-known", test_nowhere);
  g_test_add_func("/trust/revocation/files-of-the-keeper-count", test_files);
  g_test_add_func("/trust/revocation/what-was-kept-costs-little", test_kept_costs);
  g_test_add_func("/trust/revocation/the-shelf-makes-room", test_room);
  g_test_add_func("/trust/issuers/are-fetched-where-allowed-and-kept", test_issuers);
  g_test_add_func("/trust/issuers/silence-nobody-else", test_issuers_silence_nobody);
  g_test_add_func("/trust/issuers/of-many-signers-are-bounded", test_issuers_of_many);
  g_test_add_func("/trust/store/certificates-are-read-once", test_parsed_once);
  g_test_add_func("/trust/issuers/are-not-followed-without-end", test_issuers_without_end);
  int status = g_test_run();
  http_server_free(server);
  remove_all(home);
  return status;
}
