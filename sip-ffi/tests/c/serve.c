/* A proxy and registrar: its questions, and their answers. */
#include "test.h"

static const char registration[] =
    "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKr\r\n"
    "From: <sip:bob@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: r\r\n"
    "CSeq: 7 REGISTER\r\nMax-Forwards: 70\r\nContact: <sip:bob@10.0.0.2>;q=0.5;expires=600;x=y\r\n"
    "Content-Length: 0\r\n\r\n";
static const char options[] =
    "OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.3;branch=z9hG4bK%d\r\n"
    "From: <sip:carol@example.com>;tag=1\r\nTo: <sip:%s>\r\nCall-ID: o%d\r\n"
    "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";

static sansip_engine *e;

static const sansip_output *next(uint32_t kind) {
    const sansip_output *o = sansip_poll(e);
    CHECK(o != NULL);
    IS(o->kind, kind);
    return o;
}

static const sansip_question *question(uint32_t kind) {
    const sansip_output *o = next(SANSIP_QUERY);
    IS(o->u.query.kind, kind);
    return &o->u.query;
}

static sansip_msg sent(int to) {
    const sansip_transmit *t = &next(SANSIP_TRANSMIT)->u.transmit;
    sansip_addr a = address(to);
    sansip_msg m;
    IS(memcmp(&t->path.remote, &a, sizeof a), 0);
    m.size = sizeof m;
    IS(sansip_read(t->p, t->n, &m), 0);
    return m;
}

static void receive(int from, const char *bytes) {
    sansip_path p = path_to(from);
    IS(sansip_receive(e, now, &p, bytes, strlen(bytes)), 0);
}

static void ask(const char *uri, int n) {
    char bytes[600];
    sprintf(bytes, options, uri, n, uri, n);
    receive(2, bytes);
}

static void registers(void) {
    const sansip_question *q;
    sansip_binding old, kept;
    sansip_msg m;
    sansip_str contact;
    int again;
    receive(1, registration);
    q = question(SANSIP_Q_LOCATE);
    CHECK(same(q->text, "sip:bob@example.com"));
    IS(sansip_answer_located(e, now, q->id, 3, NULL, 0), 0);
    for (again = 0; again < 2; again++) {
        q = question(SANSIP_Q_STORE);
        IS(q->version, 3 + again);
        IS(q->n_bindings, 1 + again);
        kept = q->bindings[again];
        CHECK(same(kept.uri, "sip:bob@10.0.0.2") && same(kept.params, ";x=y"));
        CHECK(same(kept.call_id, "r"));
        IS(kept.cseq, 7);
        IS(kept.q, 500);
        IS(kept.expires_s, 600);
        if (again) break;
        /* Somebody else was first: the rule is applied to what there is now. */
        IS(sansip_answer_conflict(e, now, q->id), 0);
        q = question(SANSIP_Q_LOCATE);
        memset(&old, 0, sizeof old);
        old.uri = text("sip:bob@10.0.0.9");
        old.call_id = text("old");
        old.expires_s = 100;
        old.q = 1000;
        IS(sansip_answer_located(e, now, q->id, 4, &old, 1), 0);
    }
    IS(sansip_answer_stored(e, now, q->id), 0);
    m = sent(1);
    IS(m.status, 200);
    IS(sansip_header(m.raw.p, m.raw.n, text("Contact"), 0, &contact), 0);
}

static void routes(void) {
    const sansip_question *q;
    sansip_target target;
    sansip_request request;
    char buffer[600];
    size_t n;
    sansip_msg m;

    ask("bob@example.com", 1);
    q = question(SANSIP_Q_LOCATE);
    IS(sansip_answer_not_found(e, now, q->id), 0);
    while (sansip_poll(e) != NULL) {}

    ask("x@elsewhere.example.org", 2);
    q = question(SANSIP_Q_ROUTE);
    IS(q->ours, 0);
    CHECK(same(q->text, "sip:x@elsewhere.example.org"));
    request = q->request;
    IS(sansip_message(e, request, NULL, 0, &n), SANSIP_E_BUFFER);
    CHECK(n > 100 && n < sizeof buffer);
    IS(sansip_message(e, request, buffer, n - 1, &n), SANSIP_E_BUFFER);
    IS(sansip_message(e, request, buffer, n, &n), 0);
    m.size = sizeof m;
    IS(sansip_read(buffer, n, &m), 0);
    CHECK(same(m.method, "OPTIONS"));
    memset(&target, 0, sizeof target);
    target.uri = text("sip:x@10.0.0.2");
    target.q = 1001;
    IS(sansip_answer_route(e, now, q->id, &target, 1), SANSIP_E_ARGUMENT);
    target.q = 1000;
    IS(sansip_answer_route(e, now, q->id, &target, 1), 0);
    m = sent(1);
    CHECK(same(m.method, "OPTIONS") && same(m.uri, "sip:x@10.0.0.2"));
    target.uri = text("not a uri");
    IS(sansip_add_targets(e, now, request, &target, 1, 0), SANSIP_E_BAD_URI);
    target.uri = text("sip:x@10.0.0.3");
    IS(sansip_add_targets(e, now, request, &target, 1, 1), 0);
    m = sent(2);
    CHECK(same(m.method, "OPTIONS") && same(m.uri, "sip:x@10.0.0.3"));

    ask("y@elsewhere.example.org", 3);
    q = question(SANSIP_Q_ROUTE);
    IS(sansip_answer_stored(e, now, q->id), SANSIP_E_ANSWER);
    IS(sansip_answer_reject(e, now, q->id, 403), 0);
    m = sent(2);
    IS(m.status, 403);
    IS(sansip_message(e, request, buffer, sizeof buffer, &n), 0); /* the other is still at work */
}

static void resolves(void) {
    const sansip_question *q;
    sansip_target target;
    sansip_addr a = address(1);
    sansip_msg m;
    ask("z@elsewhere.example.org", 4);
    q = question(SANSIP_Q_ROUTE);
    memset(&target, 0, sizeof target);
    target.next_hop = text("sip:gw.example.org;lr");
    IS(sansip_answer_route(e, now, q->id, &target, 1), 0);
    q = question(SANSIP_Q_DNS);
    CHECK(same(q->text, "gw.example.org"));
    IS(q->transport, SANSIP_UDP);
    IS(sansip_answer_connected(e, now, q->id, (sansip_flow){1}), SANSIP_E_ANSWER);
    IS(sansip_answer_addresses(e, now, q->id, &a, 1, 60), 0);
    m = sent(1);
    CHECK(same(m.uri, "sip:z@elsewhere.example.org"));
}

int main(void) {
    sansip_config config;
    sansip_limits limits;
    sansip_str domain = text("example.com");
    void *memory;
    size_t room;
    now = 1000;
    defaults(&config, &limits, 0);
    IS(sansip_limits_tester(&limits), 0);
    config.domains = &domain;
    config.n_domains = 1;
    config.product = text("sansip test");
    config.retransmit = SANSIP_RETRANSMIT_RFC;
    room = sansip_footprint(&limits);
    CHECK((memory = malloc(room)) != NULL);
    IS(sansip_new(&config, &limits, memory, room, &e), 0);
    set_local(e, 0);
    registers();
    routes();
    resolves();
    sansip_free(e);
    free(memory);
    puts("serve: ok");
    return 0;
}
