/* A call between two engines of one process, each step checked. */
#include "test.h"

static const char sdp[] =
    "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
static char seen_body[300], seen_subject[60];

static sansip_extras body(void) {
    static sansip_field subject;
    sansip_extras x;
    memset(&x, 0, sizeof x);
    subject.name = text("Subject");
    subject.value = text("a call from C");
    x.size = sizeof x;
    x.fields = &subject;
    x.n_fields = 1;
    x.content_type = text("application/sdp");
    x.body.p = sdp;
    x.body.n = sizeof sdp - 1;
    return x;
}

/* The body and the subject of the INVITE, as the callee is shown them. */
static void look_at_invite(int n, const sansip_output *o) {
    if (n == 1 && o->kind == SANSIP_EVENT && o->u.event.kind == SANSIP_EV_CALL_INCOMING) {
        const sansip_event *e = &o->u.event;
        sansip_msg m;
        sansip_str subject;
        m.size = sizeof m;
        IS(sansip_read(e->message.p, e->message.n, &m), 0);
        CHECK(m.is_request && same(m.method, "INVITE"));
        memcpy(seen_body, m.body.p, m.body.n);
        IS(sansip_header(e->message.p, e->message.n, text("s"), 0, &subject), 0);
        memcpy(seen_subject, subject.p, subject.n);
        IS(e->line.v, nodes[1].line.v);
    }
    if (n == 0 && o->kind == SANSIP_EVENT) IS(o->u.event.user, 42);
}

static void statistics(uint32_t calls, uint32_t dialogs) {
    sansip_stats s;
    int n;
    for (n = 0; n < 2; n++) {
        s.size = sizeof s;
        IS(sansip_read_stats(nodes[n].engine, &s), 0);
        IS(s.calls, calls);
        IS(s.dialogs, dialogs);
        IS(s.lines, 1);
    }
}

static void basic_call(int ours, int32_t (*preset)(sansip_limits *)) {
    sansip_config config;
    sansip_limits limits;
    sansip_extras x = body();
    sansip_call call;
    int n;
    now = 1000;
    for (n = 0; n < 2; n++) {
        defaults(&config, &limits, n);
        IS(preset(&limits), 0);
        config.roles = SANSIP_ROLE_UA;
        phone(n, &config, &limits, ours);
    }
    look = look_at_invite;
    clear();

    IS(sansip_invite(nodes[0].engine, now, nodes[0].line, text("sip:b@10.0.0.2"), 42, &x, &call), 0);
    IS(sansip_wait_ms(nodes[0].engine, now, 1000), 0);
    settle();
    CHECK(strcmp(ladder, "0>1 INVITE, ") == 0);
    IS(nodes[1].n_events, 1);
    IS(nodes[1].events[0], SANSIP_EV_CALL_INCOMING);
    CHECK(strcmp(seen_body, sdp) == 0 && strcmp(seen_subject, "a call from C") == 0);

    run(100);
    clear();
    IS(sansip_ring(nodes[1].engine, now, nodes[1].call, 180, NULL), 0);
    settle();
    CHECK(strcmp(ladder, "1>0 180, ") == 0);
    IS(nodes[0].events[0], SANSIP_EV_CALL_PROGRESS);
    IS(nodes[0].status, 180);
    CHECK(nodes[0].call.v == call.v);

    run(1000);
    clear();
    IS(sansip_answer_call(nodes[1].engine, now, nodes[1].call, &x), 0);
    settle();
    CHECK(strcmp(ladder, "1>0 200, 0>1 ACK, ") == 0);
    IS(nodes[0].events[0], SANSIP_EV_CALL_ANSWERED);
    IS(nodes[1].events[0], SANSIP_EV_CALL_CONFIRMED);
    statistics(1, 1);

    run(5000);
    clear();
    IS(sansip_hangup(nodes[0].engine, now, call), 0);
    settle();
    CHECK(strcmp(ladder, "0>1 BYE, 1>0 200, ") == 0);
    IS(nodes[0].events[0], SANSIP_EV_CALL_ENDED);
    IS(nodes[0].why, SANSIP_END_HANGUP);
    IS(nodes[1].events[0], SANSIP_EV_CALL_ENDED);
    IS(nodes[1].why, SANSIP_END_REMOTE_HANGUP);
    IS(sansip_hangup(nodes[0].engine, now, call), SANSIP_E_GONE);

    IS(sansip_is_quiescent(nodes[0].engine), 0);
    run(60000);
    statistics(0, 0);
    for (n = 0; n < 2; n++) {
        IS(sansip_is_quiescent(nodes[n].engine), 1);
        IS(sansip_wait_ms(nodes[n].engine, now, -1), -1);
        IS(sansip_wait_ms(nodes[n].engine, now, 5), 5);
        CHECK(sansip_poll(nodes[n].engine) == NULL);
    }
    hang_up_phones();
}

/* Refused, and given up before the answer. */
static void other_ends(void) {
    sansip_config config;
    sansip_limits limits;
    sansip_call call;
    int n;
    for (n = 0; n < 2; n++) {
        defaults(&config, &limits, n);
        phone(n, &config, &limits, 0);
    }
    look = NULL;
    clear();
    IS(sansip_invite(nodes[0].engine, now, nodes[0].line, text("sip:b@10.0.0.2"), 1, NULL, &call), 0);
    settle();
    IS(sansip_reject(nodes[1].engine, now, nodes[1].call, 486, NULL), 0);
    settle();
    CHECK(strcmp(ladder, "0>1 INVITE, 1>0 486, 0>1 ACK, ") == 0);
    IS(nodes[0].why, SANSIP_END_REFUSED);
    IS(nodes[0].status, 486);

    clear();
    IS(sansip_invite(nodes[0].engine, now, nodes[0].line, text("sip:b@10.0.0.2"), 1, NULL, &call), 0);
    settle();
    IS(sansip_ring(nodes[1].engine, now, nodes[1].call, 180, NULL), 0);
    settle();
    IS(sansip_hangup(nodes[0].engine, now, call), 0);
    settle();
    CHECK(strcmp(ladder, "0>1 INVITE, 1>0 180, 0>1 CANCEL, 1>0 200, 1>0 487, 0>1 ACK, ") == 0);
    IS(nodes[0].why, SANSIP_END_ABANDONED);
    IS(nodes[1].why, SANSIP_END_CANCELLED);
    hang_up_phones();
}

int main(void) {
    basic_call(0, sansip_limits_tester);
    basic_call(1, sansip_limits_phone);
    basic_call(1, sansip_limits_tiny);
    other_ends();
    puts("call: ok");
    return 0;
}
