/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/catalogue-internal.h"

#include <string.h>

/* Keys into IDs: whatever shares an address is one person. */

void
daemon_catalogue_id_free(gpointer data)
{
  DaemonId *id = data;
  g_free(id->addresses);
  daemon_list_free(id->keys, NULL);
  g_free(id);
}

/* ---- certificates to keys ---- */

static void
count_places(DaemonCatalogue *catalogue)
{
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init(&iter, catalogue->certs);
  while (g_hash_table_iter_next(&iter, NULL, &value))
    ((DaemonCert *)value)->places = 0;
  for (guint i = 0; i < catalogue->views->len; i++) {
    DaemonView *view = g_ptr_array_index(catalogue->views, i);
    for (guint j = 0; j < view->certs->len; j++)
      ((CatalogueCertPlace *)g_ptr_array_index(view->certs, j))->cert->places++;
  }
}

/* A certificate is worth remembering when it is a key's or was kept; others (CA certificates,
 * other people's) stay as long as a token shows them. */
static void
tie_certs(DaemonCatalogue *catalogue)
{
  count_places(catalogue);
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init(&iter, catalogue->keys);
  while (g_hash_table_iter_next(&iter, NULL, &value))
    daemon_list_clear(&((DaemonKey *)value)->certs, NULL);
  g_autoptr(GPtrArray) useless = g_ptr_array_new();
  g_hash_table_iter_init(&iter, catalogue->certs);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    DaemonCert *cert = value;
    DaemonKey *key = g_hash_table_lookup(catalogue->keys, cert->key);
    if (!key && !cert->kept && !cert->places)
      g_ptr_array_add(useless, cert);
    else if (key && !cert->removed)
      daemon_list_add(&key->certs, cert);
    else if (key && !key->spki) /* its last certificate may be gone: the next request needs it */
      key->spki = daemon_catalogue_cert_spki(cert);
  }
  catalogue->spared = catalogue->spared || (useless->len > 0 && catalogue->takings > 0);
  for (guint i = 0; i < useless->len && !catalogue->takings; i++)
    daemon_catalogue_drop_cert(catalogue, g_ptr_array_index(useless, i));
  g_hash_table_iter_init(&iter, catalogue->keys);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    DaemonKey *key = value;
    daemon_list_sort(key->certs, daemon_catalogue_compare_certs);
    if (key->certs->len) /* it is in there */
      g_clear_pointer(&key->spki, g_bytes_unref);
  }
}

/* ---- union-find over keys ---- */

typedef struct {
  GPtrArray *keys; /* DaemonKey */
  guint *parent;
  GHashTable *by_text; /* address or subject -> index + 1 */
} Groups;

static guint
find(Groups *groups, guint at)
{
  while (groups->parent[at] != at) {
    groups->parent[at] = groups->parent[groups->parent[at]];
    at = groups->parent[at];
  }
  return at;
}

static void
tie(Groups *groups, guint index, const char *text)
{
  guint other = GPOINTER_TO_UINT(g_hash_table_lookup(groups->by_text, text));
  if (other)
    groups->parent[find(groups, index)] = find(groups, other - 1);
  else
    g_hash_table_insert(groups->by_text, (gpointer)(gintptr)text, GUINT_TO_POINTER(index + 1));
}

/* Subjects bear no '@' unless they name an address too, and are compared by their
 * shared text: two certificates of a national card belong together by their subject. */
static void
tie_cert(Groups *groups, guint index, const DaemonCert *cert)
{
  for (char **address = cert->addresses; *address; address++)
    tie(groups, index, *address);
  if (!cert->addresses[0] && *cert->subject)
    tie(groups, index, cert->subject);
}

/* The address that a key's label is, for keys that no certificate and no person names. */
static char *
label_address(const DaemonKey *key)
{
  return key->certs->len || key->given_addresses ? NULL : base_address_normal(key->label);
}

/* A card's certificate for logging in often bears no address, and the subject of those for mail: it
 * is the same person's, unless several people here are called so. */
static void
tie_by_subject(Groups *groups)
{
  static const guint several = G_MAXUINT;
  g_autoptr(GHashTable) roots = g_hash_table_new(g_str_hash, g_str_equal); /* subject -> root + 1 */
  for (int look = 1; look >= 0; look--)
    for (guint i = 0; i < groups->keys->len; i++) {
      const DaemonKey *key = g_ptr_array_index(groups->keys, i);
      for (guint j = 0; j < key->certs->len; j++) {
        const DaemonCert *cert = g_ptr_array_index(key->certs, j);
        guint root = GPOINTER_TO_UINT(g_hash_table_lookup(roots, cert->subject));
        guint mine = find(groups, i) + 1;
        if (!*cert->subject)
          continue;
        if (look && cert->addresses[0])
          g_hash_table_insert(roots, (gpointer)(gintptr)cert->subject,
                              GUINT_TO_POINTER(!root || root == mine ? mine : several));
        else if (!look && !cert->addresses[0] && root && root != several)
          groups->parent[find(groups, i)] = find(groups, root - 1);
      }
    }
}

static void
tie_key(Groups *groups, guint index, GPtrArray *texts)
{
  const DaemonKey *key = g_ptr_array_index(groups->keys, index);
  for (guint i = 0; i < key->certs->len; i++)
    tie_cert(groups, index, g_ptr_array_index(key->certs, i));
  for (char **address = key->given_addresses; address && *address; address++)
    tie(groups, index, *address);
  char *address = label_address(key);
  if (!address)
    return;
  g_ptr_array_add(texts, address);
  tie(groups, index, address);
}

/* ---- one ID ---- */

static gboolean
is_for_mail(const DaemonCert *cert)
{
  return (cert->use & (BASE_USE_SIGN | BASE_USE_ENCRYPT)) != 0;
}

static const DaemonCert *
newest_cert(const DaemonKey *key)
{
  return key->certs->len ? g_ptr_array_index(key->certs, 0) : NULL;
}

static gint
compare_keys(gconstpointer a, gconstpointer b)
{
  const DaemonKey *left = *(DaemonKey *const *)a;
  const DaemonKey *right = *(DaemonKey *const *)b;
  const DaemonCert *left_cert = newest_cert(left);
  const DaemonCert *right_cert = newest_cert(right);
  if (left_cert && right_cert)
    return daemon_catalogue_compare_certs(&left_cert, &right_cert);
  if (left_cert || right_cert)
    return left_cert ? -1 : 1;
  return strcmp(left->name, right->name);
}

/* IDs borrow their texts: a thousand copies less. */
static const char *
keep_text(DaemonCatalogue *catalogue, char *text /* taken, nullable */)
{
  if (text)
    g_ptr_array_add(catalogue->texts, text);
  return text;
}

static void
add_address(GHashTable *known, GPtrArray *addresses, const char *address)
{
  if (g_hash_table_contains(known, address))
    return;
  g_ptr_array_add(addresses, (gpointer)(gintptr)address);
  g_hash_table_add(known, (gpointer)(gintptr)address);
}

static void
add_cert_addresses(const DaemonId *id, gboolean for_mail, GHashTable *known, GPtrArray *addresses)
{
  for (guint i = 0; i < id->keys->len; i++) {
    const DaemonKey *key = g_ptr_array_index(id->keys, i);
    for (guint j = 0; j < key->certs->len; j++) {
      const DaemonCert *cert = g_ptr_array_index(key->certs, j);
      for (char **address = cert->addresses; *address && is_for_mail(cert) == for_mail; address++)
        add_address(known, addresses, *address);
    }
  }
}

static void
fill_addresses(DaemonCatalogue *catalogue, DaemonId *id)
{
  g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(GPtrArray) addresses = g_ptr_array_new();
  add_cert_addresses(id, TRUE, known, addresses);
  add_cert_addresses(id, FALSE, known, addresses);
  for (guint i = 0; i < id->keys->len; i++) {
    const DaemonKey *key = g_ptr_array_index(id->keys, i);
    for (char **address = key->given_addresses; address && *address; address++)
      add_address(known, addresses, *address);
    const char *label = keep_text(catalogue, label_address(key));
    if (label)
      add_address(known, addresses, label);
  }
  g_ptr_array_add(addresses, NULL);
  /* A GPtrArray has room for 16. */
  id->addresses = g_memdup2(addresses->pdata, addresses->len * sizeof(char *));
}

static void
fill_name(DaemonId *id)
{
  for (int for_mail = 1; for_mail >= 0 && !id->name; for_mail--)
    for (guint i = 0; i < id->keys->len && !id->name; i++) {
      const DaemonKey *key = g_ptr_array_index(id->keys, i);
      for (guint j = 0; j < key->certs->len && !id->name; j++) {
        const DaemonCert *cert = g_ptr_array_index(key->certs, j);
        if (is_for_mail(cert) == (for_mail == 1))
          id->name = cert->name;
      }
    }
  for (guint i = 0; i < id->keys->len && !id->name; i++)
    id->name = ((DaemonKey *)g_ptr_array_index(id->keys, i))->given_name;
}

static const char *
key_based_name(DaemonCatalogue *catalogue, const DaemonId *id)
{
  const DaemonKey *first = g_ptr_array_index(id->keys, 0);
  return keep_text(catalogue, g_strndup(first->name, 16));
}

static void
fill_id(DaemonCatalogue *catalogue, DaemonId *id)
{
  daemon_list_sort(id->keys, compare_keys);
  fill_addresses(catalogue, id);
  fill_name(id);
  const DaemonKey *first = g_ptr_array_index(id->keys, 0);
  if (id->addresses[0])
    id->id = id->addresses[0];
  else if (*first->label)
    id->id = first->label;
  else
    id->id = id->name ? id->name : key_based_name(catalogue, id);
  for (char **address = id->addresses; *address; address++) {
    g_hash_table_insert(catalogue->by_address, *address, id);
    id->is_default = id->is_default || g_strcmp0(*address, catalogue->default_name) == 0;
  }
  for (guint i = 0; i < id->keys->len; i++) {
    DaemonKey *key = g_ptr_array_index(id->keys, i);
    key->id = id;
    id->is_default = id->is_default || g_strcmp0(key->name, catalogue->default_name) == 0;
  }
}

/* Two cards may have a key called "Private key": what an ID is called must find it again. */
static void
make_names_unique(DaemonCatalogue *catalogue)
{
  const GPtrArray *ids = catalogue->ids;
  g_autoptr(GHashTable) users = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < ids->len; i++) {
    DaemonId *id = g_ptr_array_index(ids, i);
    guint n = GPOINTER_TO_UINT(g_hash_table_lookup(users, id->id));
    g_hash_table_insert(users, (gpointer)(gintptr)id->id, GUINT_TO_POINTER(n + 1));
  }
  g_autoptr(GPtrArray) shared = g_ptr_array_new();
  for (guint i = 0; i < ids->len; i++) {
    DaemonId *id = g_ptr_array_index(ids, i);
    if (!id->addresses[0] && GPOINTER_TO_UINT(g_hash_table_lookup(users, id->id)) > 1)
      g_ptr_array_add(shared, id);
  }
  for (guint i = 0; i < shared->len; i++) {
    DaemonId *id = g_ptr_array_index(shared, i);
    id->id = key_based_name(catalogue, id);
  }
}

static gint
compare_ids(gconstpointer a, gconstpointer b)
{
  const DaemonId *left = *(DaemonId *const *)a;
  const DaemonId *right = *(DaemonId *const *)b;
  return strcmp(left->id, right->id);
}

static void
start_groups(DaemonCatalogue *catalogue, Groups *groups)
{
  groups->keys = g_ptr_array_new();
  groups->by_text = g_hash_table_new(g_str_hash, g_str_equal);
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init(&iter, catalogue->keys);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    DaemonKey *key = value;
    key->id = NULL;
    if (key->locations->len || key->seen->len)
      g_ptr_array_add(groups->keys, key);
  }
  groups->parent = g_new(guint, groups->keys->len + 1);
  for (guint i = 0; i < groups->keys->len; i++)
    groups->parent[i] = i;
}

static void
make_ids(DaemonCatalogue *catalogue, Groups *groups)
{
  g_autofree DaemonId **of_root = g_new0(DaemonId *, groups->keys->len + 1);
  for (guint i = 0; i < groups->keys->len; i++) {
    guint root = find(groups, i);
    if (!of_root[root]) {
      of_root[root] = g_new0(DaemonId, 1);
      of_root[root]->keys = daemon_list_new();
      g_ptr_array_add(catalogue->ids, of_root[root]);
    }
    daemon_list_add(&of_root[root]->keys, g_ptr_array_index(groups->keys, i));
  }
  for (guint i = 0; i < catalogue->ids->len; i++)
    fill_id(catalogue, g_ptr_array_index(catalogue->ids, i));
  make_names_unique(catalogue);
  g_ptr_array_sort(catalogue->ids, compare_ids);
}

void
daemon_catalogue_group(DaemonCatalogue *catalogue)
{
  g_hash_table_remove_all(catalogue->by_address);
  g_ptr_array_set_size(catalogue->ids, 0);
  g_ptr_array_set_size(catalogue->texts, 0);
  daemon_catalogue_locate_all(catalogue);
  tie_certs(catalogue);
  daemon_catalogue_index_certs(catalogue);

  g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
  Groups groups;
  start_groups(catalogue, &groups);
  for (guint i = 0; i < groups.keys->len; i++)
    tie_key(&groups, i, texts);
  tie_by_subject(&groups);
  make_ids(catalogue, &groups);
  g_ptr_array_unref(groups.keys);
  g_hash_table_unref(groups.by_text);
  g_free(groups.parent);
}
