/* Calls every function of libpmi2.so.0 and prints what the rank that is asked for sees.
 * Usage: pmi2 RANK | abort | alone */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int PMI2_Init(int *, int *, int *, int *), PMI2_Initialized(void), PMI2_Finalize(void);
int PMI2_Abort(int, const char *), PMI2_Job_GetId(char *, int), PMI2_KVS_Fence(void);
int PMI2_KVS_Put(const char *, const char *);
int PMI2_KVS_Get(const char *, int, const char *, char *, int, int *);
int PMI2_Info_GetJobAttr(const char *, char *, int, int *);
int PMI2_Info_PutNodeAttr(const char *, const char *);
int PMI2_Info_GetNodeAttr(const char *, char *, int, int *, int);
int PMI2_Job_Spawn(), PMI2_Job_GetRank(), PMI2_Job_Connect(), PMI2_Job_Disconnect();
int PMI2_Info_GetSize(), PMI2_Info_GetNodeAttrIntArray(), PMI2_Info_GetJobAttrIntArray();
int PMI2_Nameserv_publish(), PMI2_Nameserv_lookup(), PMI2_Nameserv_unpublish();

static int talks;
#define SAY(...) (talks ? printf(__VA_ARGS__) : 0)

static void job_attribute(const char *name)
{
    char value[1024] = "";
    int found = -1, code = PMI2_Info_GetJobAttr(name, value, sizeof(value), &found);
    SAY("job %s: %d %d <%s>\n", name, code, found, value);
}

static void node_attribute(const char *name, int waitfor)
{
    char value[1024] = "";
    int found = -1, code = PMI2_Info_GetNodeAttr(name, value, sizeof(value), &found, waitfor);
    SAY("node %s: %d %d <%s>\n", name, code, found, value);
}

static void keys(int rank, int size)
{
    char key[64], value[64], found[1024] = "", *job = getenv("FLUX_JOB_ID");
    int length = -1;

    snprintf(key, sizeof(key), "key.%d", rank);
    snprintf(value, sizeof(value), "a value=of %d", rank);
    int put = PMI2_KVS_Put(key, value), fence = PMI2_KVS_Fence();
    snprintf(key, sizeof(key), "key.%d", (rank + 1) % size);
    int get = PMI2_KVS_Get(job, -1, key, found, sizeof(found), &length);
    SAY("put %d fence %d get %d <%s> %d\n", put, fence, get, found, length);
    int own = PMI2_KVS_Get(NULL, 77, key, found, sizeof(found), &length);
    SAY("own %d, short %d, missing %d, null %d %d\n", own,
        PMI2_KVS_Get(job, 0, key, found, 3, &length),
        PMI2_KVS_Get(job, 0, "none", found, sizeof(found), &length),
        PMI2_KVS_Get(job, 0, NULL, found, sizeof(found), &length), PMI2_KVS_Put("k", NULL));
}

static void failing(void)
{
    SAY("failing: %d %d %d %d %d %d %d %d %d %d\n",
        PMI2_Job_Spawn(1, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, 0, NULL),
        PMI2_Job_GetRank(NULL), PMI2_Job_Connect("a", NULL), PMI2_Job_Disconnect("a"),
        PMI2_Info_GetSize(NULL), PMI2_Info_GetNodeAttrIntArray("a", NULL, 0, NULL, NULL),
        PMI2_Info_GetJobAttrIntArray("a", NULL, 0, NULL, NULL), PMI2_Nameserv_publish("a", NULL, "b"),
        PMI2_Nameserv_lookup("a", NULL, NULL, 0), PMI2_Nameserv_unpublish("a", NULL));
}

int main(int argc, char **argv)
{
    int rank = -1, size = -1, spawned = -1, appnum = -1;
    char id[64] = "", name[32];

    talks = 1;
    if (argc > 1 && !strcmp(argv[1], "alone")) {
        printf("init %d, begun %d, fence %d\n", PMI2_Init(&spawned, &size, &rank, &appnum),
               PMI2_Initialized(), PMI2_KVS_Fence());
        PMI2_Abort(1, "nobody hears");
    }
    int before = PMI2_Initialized(), init = PMI2_Init(&spawned, &size, &rank, &appnum);
    int again = PMI2_Init(&spawned, &size, &rank, &appnum);
    if (argc > 1 && !strcmp(argv[1], "abort")) {
        if (rank == 1)
            PMI2_Abort(1, "it is over");
        PMI2_KVS_Fence();
        return 0;
    }
    talks = argc < 2 || rank == atoi(argv[1]);
    SAY("before %d init %d again %d begun %d\n", before, init, again, PMI2_Initialized());
    SAY("spawned %d size %d rank %d appnum %d\n", spawned, size, rank, appnum);
    int code = PMI2_Job_GetId(id, sizeof(id));
    SAY("id %d %s, short %d\n", code, strcmp(id, getenv("FLUX_JOB_ID")) ? id : "same",
        PMI2_Job_GetId(id, 2));
    keys(rank, size);
    job_attribute("PMI_process_mapping");
    job_attribute("universeSize");
    job_attribute("moon");
    snprintf(name, sizeof(name), "attribute.%d", rank);
    SAY("put node %d\n", PMI2_Info_PutNodeAttr(name, "here"));
    PMI2_Info_PutNodeAttr(name, "here");
    PMI2_KVS_Fence();
    /* One of another node would wait for it in vain. */
    node_attribute("attribute.0", rank < 2);
    node_attribute("attribute.3", 0);
    failing();
    int end = PMI2_Finalize();
    SAY("end %d begun %d again %d\n", end, PMI2_Initialized(), PMI2_Finalize());
    return 0;
}
