/* What the C tests share: checks, and two engines with a wire between them, on a clock of our own. */
#ifndef TEST_H
#define TEST_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sansip.h"

#define CHECK(x) ((x) ? (void)0 : fail(__FILE__, __LINE__, #x))
#define IS(value, wanted) is(__FILE__, __LINE__, #value, (long long)(value), (long long)(wanted))

void fail(const char *file, int line, const char *what);
void is(const char *file, int line, const char *what, long long value, long long wanted);
sansip_str text(const char *s);
int same(sansip_str s, const char *wanted);

typedef struct {
    sansip_engine *engine;
    void *memory;
    sansip_addr addr;
    sansip_line line;
    sansip_call call;    /* of the last event */
    uint32_t events[16]; /* kinds, since they were last cleared */
    uint32_t status, why, n_events;
} node;

extern node nodes[2];
extern uint64_t now;
extern char ladder[2000]; /* "0>1 INVITE, 1>0 200, " */

/* Called with every output before it is worked on. */
extern void (*look)(int n, const sansip_output *o);

sansip_addr address(int n);
sansip_path path_to(int n);
void defaults(sansip_config *c, sansip_limits *l, int n);

void set_local(sansip_engine *e, int n);

/* A phone; its engine lies in memory of ours, or in the system's. */
void phone(int n, const sansip_config *config, const sansip_limits *limits, int ours);
void hang_up_phones(void);

/* Polls both until nothing is left; forgets what happened; lets time pass. */
void settle(void);
void clear(void);
void run(uint64_t ms);
#endif
