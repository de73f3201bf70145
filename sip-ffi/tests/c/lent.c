/* Whatever sansip_poll lends can be an argument of every function, and stays as it is. */
#include "test.h"

static int count;
static sansip_query asked; /* the last question */

static void use(sansip_engine *e, sansip_str s) {
    sansip_field f;
    sansip_extras x;
    sansip_call call = {0}, c;
    sansip_request request = {0};
    sansip_flow flow = {1};
    sansip_line_config lc;
    sansip_line line;
    sansip_local local;
    sansip_flow_info info;
    sansip_target target;
    sansip_binding binding;
    sansip_path path = path_to(0);
    sansip_str value;
    sansip_msg m;
    size_t taken;
    char *copy = malloc(s.n + 1);
    CHECK(copy != NULL);
    memcpy(copy, s.p, s.n);
    memset(&x, 0, sizeof x);
    f.name = f.value = s;
    x.size = sizeof x;
    x.fields = &f;
    x.n_fields = 1;
    x.content_type = s;
    x.body.p = s.p;
    x.body.n = s.n;
    /* Nothing here has to succeed. */
    sansip_receive(e, now, &path, s.p, s.n);
    sansip_receive_stream(e, now, flow, s.p, s.n, &taken);
    sansip_send(e, now, &path, s.p, s.n);
    memset(&lc, 0, sizeof lc);
    lc.size = sizeof lc;
    lc.aor = lc.display = lc.proxy = s;
    if (sansip_line_add(e, now, &lc, &line) == 0) sansip_line_remove(e, now, line);
    lc.aor = text("sip:lent@10.0.0.1");
    lc.proxy.n = 0;
    if (sansip_line_add(e, now, &lc, &line) == 0) sansip_line_remove(e, now, line);
    if (sansip_invite(e, now, nodes[0].line, s, 0, &x, &c) == 0) sansip_hangup(e, now, c);
    if (sansip_invite(e, now, nodes[0].line, text("sip:b@10.0.0.2"), 0, &x, &c) == 0)
        sansip_hangup(e, now, c);
    sansip_ring(e, now, call, 180, &x);
    sansip_answer_call(e, now, call, &x);
    sansip_reject(e, now, call, 486, &x);
    sansip_redirect(e, now, call, 302, s, &x);
    sansip_reinvite(e, now, call, &x);
    sansip_respond(e, now, request, 200, &x);
    memset(&local, 0, sizeof local);
    local.size = sizeof local;
    local.transport = SANSIP_UDP;
    local.bound = address(0);
    local.host = s;
    sansip_set_local(e, now, 2, &local);
    memset(&info, 0, sizeof info);
    info.size = sizeof info;
    info.transport = SANSIP_TLS;
    info.local = 1;
    info.remote = address(1);
    info.names = &s;
    info.n_names = 1;
    sansip_flow_opened(e, now, flow, &info);
    memset(&target, 0, sizeof target);
    target.uri = target.next_hop = target.params = target.path = s;
    sansip_answer_route(e, now, asked, &target, 1);
    sansip_add_targets(e, now, request, &target, 1, 1);
    memset(&binding, 0, sizeof binding);
    binding.uri = binding.params = binding.call_id = binding.path = s;
    sansip_answer_located(e, now, asked, 1, &binding, 1);
    sansip_header(s.p, s.n, s, 0, &value);
    m.size = sizeof m;
    sansip_read(s.p, s.n, &m);
    sansip_handle_timeout(e, now);
    IS(memcmp(copy, s.p, s.n), 0);
    free(copy);
    count++;
}

static sansip_str kept_bytes(const sansip_output *o) {
    sansip_str s = {NULL, 0};
    if (o->kind == SANSIP_TRANSMIT) {
        s.p = (const char *)o->u.transmit.p;
        s.n = o->u.transmit.n;
    } else if (o->kind == SANSIP_EVENT) {
        s.p = o->u.event.message.p;
        s.n = o->u.event.message.n;
    } else if (o->kind == SANSIP_QUERY) {
        s = o->u.query.text;
    }
    return s;
}

static void use_all(sansip_engine *e, const sansip_output *o) {
    static const char *names[] = {"Via", "From", "To", "Call-ID", "CSeq", "Contact"};
    sansip_output before = *o;
    sansip_str s, v;
    sansip_msg m;
    size_t i;
    s = kept_bytes(o);
    m.size = sizeof m;
    if (o->kind == SANSIP_QUERY) {
        asked = o->u.query.id;
        use(e, s);
    }
    if (sansip_read(s.p, s.n, &m) == 0) {
        use(e, s);
        use(e, m.method);
        use(e, m.uri);
        use(e, m.reason);
        v.p = m.body.p;
        v.n = m.body.n;
        use(e, v);
        for (i = 0; i < sizeof names / sizeof *names; i++)
            if (sansip_header(s.p, s.n, text(names[i]), 0, &v) == 0) use(e, v);
    }
    IS(o->kind, before.kind);
    CHECK(kept_bytes(o).p == kept_bytes(&before).p && kept_bytes(o).n == kept_bytes(&before).n);
}

/* Polls without doing what it says, until `most` outputs have been used. */
static void exhaust(sansip_engine *e, int most) {
    const sansip_output *o;
    while (most-- > 0 && (o = sansip_poll(e)) != NULL) use_all(e, o);
    while (sansip_poll(e) != NULL) {}
}

int main(void) {
    static const char invite[] =
        "INVITE sip:a@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKlent\r\n"
        "From: <sip:b@10.0.0.2>;tag=9\r\nTo: <sip:a@10.0.0.1>\r\nCall-ID: lent\r\n"
        "CSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:b@10.0.0.2>\r\n"
        "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi";
    static const char elsewhere[] =
        "OPTIONS sip:a@elsewhere.example.org SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKx\r\n"
        "From: <sip:b@10.0.0.2>;tag=9\r\nTo: <sip:a@10.0.0.1>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n"
        "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
    sansip_config config;
    sansip_limits limits;
    sansip_path path = path_to(1);
    sansip_call call;
    int n;
    now = 1000;
    for (n = 0; n < 2; n++) {
        defaults(&config, &limits, n);
        IS(sansip_limits_tester(&limits), 0);
        phone(n, &config, &limits, n == 0);
    }
    IS(sansip_invite(nodes[0].engine, now, nodes[0].line, text("sip:b@10.0.0.2"), 0, NULL, &call), 0);
    exhaust(nodes[0].engine, 3);
    IS(sansip_invite(nodes[0].engine, now, nodes[0].line, text("sip:b@example.com"), 0, NULL, &call), 0);
    exhaust(nodes[0].engine, 3);
    IS(sansip_receive(nodes[0].engine, now, &path, invite, sizeof invite - 1), 0);
    exhaust(nodes[0].engine, 10);
    IS(sansip_receive(nodes[0].engine, now, &path, elsewhere, sizeof elsewhere - 1), 0);
    exhaust(nodes[0].engine, 10);
    CHECK(asked.v != 0 && count > 40);
    hang_up_phones();
    puts("lent: ok");
    return 0;
}
