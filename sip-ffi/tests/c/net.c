/* See test.h. */
#include "test.h"

void fail(const char *file, int line, const char *what) {
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    exit(1);
}

void is(const char *file, int line, const char *what, long long value, long long wanted) {
    if (value == wanted) return;
    fprintf(stderr, "%s:%d: %s is %lld (%s), not %lld\n", file, line, what, value,
            sansip_error_name((int32_t)value), wanted);
    exit(1);
}

sansip_str text(const char *s) {
    sansip_str r;
    r.p = s;
    r.n = strlen(s);
    return r;
}

int same(sansip_str s, const char *wanted) {
    return s.n == strlen(wanted) && memcmp(s.p, wanted, s.n) == 0;
}

node nodes[2];
uint64_t now;
char ladder[2000];

sansip_addr address(int n) {
    sansip_addr a;
    memset(&a, 0, sizeof a);
    a.family = 4;
    a.ip[0] = 10;
    a.ip[3] = (uint8_t)(n + 1);
    a.port = 5060;
    return a;
}

sansip_path path_to(int n) {
    sansip_path p;
    memset(&p, 0, sizeof p);
    p.remote = address(n);
    p.local = 1;
    return p;
}

void defaults(sansip_config *c, sansip_limits *l, int n) {
    memset(c, 0, sizeof *c);
    c->size = sizeof *c;
    IS(sansip_config_init(c), 0);
    memset(c->seed, n + 1, sizeof c->seed);
    c->tag = (uint32_t)n + 1;
    c->no_ask_media = 1;
    memset(l, 0, sizeof *l);
    l->size = sizeof *l;
    IS(sansip_limits_phone(l), 0);
}

void set_local(sansip_engine *e, int n) {
    sansip_local local;
    char host[32];
    memset(&local, 0, sizeof local);
    sprintf(host, "10.0.0.%d", n + 1);
    local.size = sizeof local;
    local.transport = SANSIP_UDP;
    local.bound = address(n);
    local.host = text(host);
    local.port = 5060;
    IS(sansip_set_local(e, now, 1, &local), 0);
}

void phone(int n, const sansip_config *config, const sansip_limits *limits, int ours) {
    node *me = &nodes[n];
    sansip_line_config line;
    char aor[40];
    size_t room = ours ? sansip_footprint(limits) : 0;
    memset(me, 0, sizeof *me);
    me->addr = address(n);
    if (ours) CHECK((me->memory = malloc(room)) != NULL);
    IS(sansip_new(config, limits, me->memory, room, &me->engine), 0);
    set_local(me->engine, n);
    memset(&line, 0, sizeof line);
    sprintf(aor, "sip:%c@10.0.0.%d", 'a' + n, n + 1);
    line.size = sizeof line;
    line.aor = text(aor);
    line.user = 7;
    IS(sansip_line_add(me->engine, now, &line, &me->line), 0);
}

void hang_up_phones(void) {
    int n;
    for (n = 0; n < 2; n++) {
        sansip_free(nodes[n].engine);
        free(nodes[n].memory);
    }
}

void (*look)(int n, const sansip_output *o);

static void deliver(int from, const sansip_transmit *t) {
    static uint8_t copy[65536];
    size_t n = t->n;
    sansip_msg m;
    char line[64];
    int to = from == 0;
    IS(memcmp(&t->path.remote, &nodes[to].addr, sizeof nodes[to].addr), 0);
    memcpy(copy, t->p, n);
    m.size = sizeof m;
    IS(sansip_read(copy, n, &m), 0);
    if (m.is_request)
        sprintf(line, "%d>%d %.*s, ", from, to, (int)m.method.n, m.method.p);
    else
        sprintf(line, "%d>%d %u, ", from, to, (unsigned)m.status);
    CHECK(strlen(ladder) + strlen(line) < sizeof ladder);
    strcat(ladder, line);
    {
        sansip_path p = path_to(from);
        int32_t code = sansip_receive(nodes[to].engine, now, &p, copy, n);
        if (code < 0) IS(code, 0);
    }
}

void settle(void) {
    const sansip_output *o;
    int n, busy = 1;
    while (busy) {
        busy = 0;
        for (n = 0; n < 2; n++) {
            while ((o = sansip_poll(nodes[n].engine)) != NULL) {
                busy = 1;
                if (look) look(n, o);
                if (o->kind == SANSIP_TRANSMIT) {
                    deliver(n, &o->u.transmit);
                } else if (o->kind == SANSIP_EVENT) {
                    node *me = &nodes[n];
                    CHECK(me->n_events < 16);
                    me->events[me->n_events++] = o->u.event.kind;
                    me->call = o->u.event.call;
                    me->status = o->u.event.status;
                    me->why = o->u.event.why;
                } else if (o->kind != SANSIP_MEDIA && !(look && o->kind == SANSIP_QUERY)) {
                    fail(__FILE__, __LINE__, "an output that no call between two phones has");
                }
            }
        }
    }
}

void clear(void) {
    ladder[0] = 0;
    nodes[0].n_events = nodes[1].n_events = 0;
}

void run(uint64_t ms) {
    uint64_t end = now + ms, at, next;
    int n;
    for (;;) {
        settle();
        next = SANSIP_NEVER;
        for (n = 0; n < 2; n++) {
            IS(sansip_next_timeout(nodes[n].engine, &at), 0);
            if (at < next) next = at;
        }
        if (next > end) break;
        now = next > now ? next : now;
        for (n = 0; n < 2; n++) IS(sansip_handle_timeout(nodes[n].engine, now), 0);
    }
    now = end;
}
