/* Calls every function of libpmi.so.0 and prints what the rank that is asked for sees.
 * Usage: pmi1 RANK | abort | alone */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int PMI_Init(int *), PMI_Initialized(int *), PMI_Finalize(void), PMI_Barrier(void);
int PMI_Get_size(int *), PMI_Get_rank(int *), PMI_Get_universe_size(int *), PMI_Get_appnum(int *);
int PMI_Abort(int, const char *);
int PMI_KVS_Get_name_length_max(int *), PMI_KVS_Get_key_length_max(int *);
int PMI_KVS_Get_value_length_max(int *), PMI_Get_id_length_max(int *);
int PMI_KVS_Get_my_name(char *, int), PMI_Get_id(char *, int), PMI_Get_kvs_domain_id(char *, int);
int PMI_KVS_Put(const char *, const char *, const char *), PMI_KVS_Commit(const char *);
int PMI_KVS_Get(const char *, const char *, char *, int);
int PMI_Get_clique_size(int *), PMI_Get_clique_ranks(int *, int);
int PMI_Publish_name(), PMI_Unpublish_name(), PMI_Lookup_name(), PMI_Spawn_multiple();
int PMI_KVS_Create(), PMI_KVS_Destroy(), PMI_KVS_Iter_first(), PMI_KVS_Iter_next();
int PMI_Parse_option(), PMI_Args_to_keyval(), PMI_Free_keyvals(), PMI_Get_options();

static int talks;
#define SAY(...) (talks ? printf(__VA_ARGS__) : 0)

static void numbers(void)
{
    static const struct { const char *name; int (*get)(int *); } all[] = {
        { "size", PMI_Get_size }, { "universe", PMI_Get_universe_size },
        { "appnum", PMI_Get_appnum }, { "name-max", PMI_KVS_Get_name_length_max },
        { "key-max", PMI_KVS_Get_key_length_max }, { "value-max", PMI_KVS_Get_value_length_max },
        { "id-max", PMI_Get_id_length_max }, { "clique", PMI_Get_clique_size },
    };
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        int value = -7, code = all[i].get(&value);
        SAY("%s: %d %d, null %d\n", all[i].name, code, value, all[i].get(NULL));
    }
}

static void names(const char *id)
{
    static int (*const all[])(char *, int) = {
        PMI_KVS_Get_my_name, PMI_Get_id, PMI_Get_kvs_domain_id
    };
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        char name[64] = "";
        int code = all[i](name, sizeof(name));
        SAY("name: %d %s, short %d, null %d\n", code, strcmp(name, id) ? name : "same",
            all[i](name, strlen(id)), all[i](NULL, 64));
    }
}

static void keys(int rank, int size, const char *name)
{
    char key[2000], value[2000], found[1024] = "";

    snprintf(key, sizeof(key), "key.%d", rank);
    snprintf(value, sizeof(value), "a value=of %d", rank);
    int put = PMI_KVS_Put(name, key, value), commit = PMI_KVS_Commit(name);
    int barrier = PMI_Barrier();
    snprintf(key, sizeof(key), "key.%d", (rank + 1) % size);
    int get = PMI_KVS_Get(name, key, found, sizeof(found));
    SAY("put %d commit %d barrier %d get %d <%s>\n", put, commit, barrier, get, found);
    SAY("get: missing %d, short %d, null %d %d %d\n", PMI_KVS_Get(name, "none", found, 1024),
        PMI_KVS_Get(name, key, found, 5), PMI_KVS_Get(NULL, key, found, 1024),
        PMI_KVS_Get(name, NULL, found, 1024), PMI_KVS_Get(name, key, NULL, 1024));
    memset(key, 'k', 64), key[64] = 0;
    memset(value, 'v', 1024), value[1024] = 0;
    SAY("put: long %d %d, null %d %d %d, bad %d %d\n", PMI_KVS_Put(name, key, "v"),
        PMI_KVS_Put(name, "k", value), PMI_KVS_Put(NULL, "k", "v"), PMI_KVS_Put(name, NULL, "v"),
        PMI_KVS_Put(name, "k", NULL), PMI_KVS_Put(name, "a b", "v"), PMI_KVS_Put(name, "k", "v\n"));
    key[63] = value[1023] = 0;
    SAY("just: %d\n", PMI_KVS_Put(name, key, value));
}

static void clique(void)
{
    int ranks[16], size = 0;
    PMI_Get_clique_size(&size);
    SAY("clique: short %d, null %d,", PMI_Get_clique_ranks(ranks, size - 1),
        PMI_Get_clique_ranks(NULL, 16));
    int code = PMI_Get_clique_ranks(ranks, 16);
    SAY(" %d:", code);
    for (int i = 0; i < size; i++)
        SAY(" %d", ranks[i]);
    SAY("\n");
}

static void failing(void)
{
    SAY("failing: %d %d %d %d %d %d %d %d %d %d %d %d\n", PMI_Publish_name("a", "b"),
        PMI_Unpublish_name("a"), PMI_Lookup_name("a", NULL),
        PMI_Spawn_multiple(1, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL), PMI_KVS_Create(NULL, 3),
        PMI_KVS_Destroy("a"), PMI_KVS_Iter_first("a", NULL, 1, NULL, 1),
        PMI_KVS_Iter_next("a", NULL, 1, NULL, 1), PMI_Parse_option(0, NULL, NULL, NULL, NULL),
        PMI_Args_to_keyval(NULL, NULL, NULL, NULL), PMI_Free_keyvals(NULL, 0),
        PMI_Get_options(NULL, NULL));
}

int main(int argc, char **argv)
{
    int rank = -1, size = 0, begun = -1, spawned = -1;

    talks = 1;
    if (argc > 1 && !strcmp(argv[1], "alone")) {
        printf("init %d, size %d, finalize %d\n", PMI_Init(&spawned), PMI_Get_size(&size),
               PMI_Finalize());
        PMI_Abort(5, "nobody hears");
    }
    int early = PMI_Get_rank(&rank), init = PMI_Init(&spawned), again = PMI_Init(&spawned);
    PMI_Get_rank(&rank);
    PMI_Get_size(&size);
    PMI_Initialized(&begun);
    if (argc > 1 && !strcmp(argv[1], "abort")) {
        if (rank == 1)
            PMI_Abort(3, "it is\nover");
        PMI_Barrier();
        return 0;
    }
    talks = argc < 2 || rank == atoi(argv[1]);
    SAY("early %d init %d again %d spawned %d begun %d null %d\n", early, init, again, spawned,
        begun, PMI_Initialized(NULL));
    numbers();
    names(getenv("FLUX_JOB_ID"));
    keys(rank, size, getenv("FLUX_JOB_ID"));
    clique();
    failing();
    int end = PMI_Finalize();
    PMI_Initialized(&begun);
    SAY("end %d begun %d again %d late %d\n", end, begun, PMI_Finalize(), PMI_Barrier());
    return 0;
}
