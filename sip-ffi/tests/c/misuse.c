/* What a program can do wrong: always a stated error, no crash, nothing changed. */
#include "test.h"

static sansip_config config;
static sansip_limits limits;
static sansip_engine *none;

static void null_engine(void) {
    const sansip_line line = {1};
    const sansip_call call = {1};
    const sansip_query query = {1};
    const sansip_request request = {1};
    const sansip_flow flow = {1};
    const sansip_send_id id = {1};
    sansip_path path = path_to(0);
    sansip_str s = {NULL, 0};
    sansip_line new_line;
    sansip_call new_call;
    uint64_t at;
    size_t n;
    sansip_free(none);
    IS(sansip_set_local(none, 0, 1, NULL), SANSIP_E_ARGUMENT);
    IS(sansip_receive(none, 0, &path, "x", 1), SANSIP_E_ARGUMENT);
    IS(sansip_receive_stream(none, 0, flow, "x", 1, &n), SANSIP_E_ARGUMENT);
    IS(sansip_flow_opened(none, 0, flow, NULL), SANSIP_E_ARGUMENT);
    IS(sansip_flow_closed(none, 0, flow, 0), SANSIP_E_ARGUMENT);
    IS(sansip_send_failed(none, 0, id, 0), SANSIP_E_ARGUMENT);
    IS(sansip_handle_timeout(none, 0), SANSIP_E_ARGUMENT);
    IS(sansip_next_timeout(none, &at), SANSIP_E_ARGUMENT);
    IS(sansip_wait_ms(none, 0, 9), 0);
    CHECK(sansip_poll(none) == NULL);
    IS(sansip_message(none, request, NULL, 0, &n), SANSIP_E_ARGUMENT);
    IS(sansip_read_stats(none, NULL), SANSIP_E_ARGUMENT);
    IS(sansip_is_quiescent(none), SANSIP_E_ARGUMENT);
    IS(sansip_line_add(none, 0, NULL, &new_line), SANSIP_E_ARGUMENT);
    IS(sansip_line_remove(none, 0, line), SANSIP_E_ARGUMENT);
    IS(sansip_register(none, 0, line), SANSIP_E_ARGUMENT);
    IS(sansip_unregister(none, 0, line), SANSIP_E_ARGUMENT);
    IS(sansip_invite(none, 0, line, s, 0, NULL, &new_call), SANSIP_E_ARGUMENT);
    IS(sansip_ring(none, 0, call, 180, NULL), SANSIP_E_ARGUMENT);
    IS(sansip_answer_call(none, 0, call, NULL), SANSIP_E_ARGUMENT);
    IS(sansip_reject(none, 0, call, 486, NULL), SANSIP_E_ARGUMENT);
    IS(sansip_redirect(none, 0, call, 302, s, NULL), SANSIP_E_ARGUMENT);
    IS(sansip_hangup(none, 0, call), SANSIP_E_ARGUMENT);
    IS(sansip_reinvite(none, 0, call, NULL), SANSIP_E_ARGUMENT);
    IS(sansip_respond(none, 0, request, 200, NULL), SANSIP_E_ARGUMENT);
    IS(sansip_send(none, 0, &path, "x", 1), SANSIP_E_ARGUMENT);
    IS(sansip_shutdown(none, 0), SANSIP_E_ARGUMENT);
    IS(sansip_answer_addresses(none, 0, query, NULL, 0, 0), SANSIP_E_ARGUMENT);
    IS(sansip_answer_not_found(none, 0, query), SANSIP_E_ARGUMENT);
    IS(sansip_answer_failed(none, 0, query), SANSIP_E_ARGUMENT);
    IS(sansip_answer_connected(none, 0, query, flow), SANSIP_E_ARGUMENT);
    IS(sansip_answer_route(none, 0, query, NULL, 0), SANSIP_E_ARGUMENT);
    IS(sansip_answer_reject(none, 0, query, 404), SANSIP_E_ARGUMENT);
    IS(sansip_answer_located(none, 0, query, 0, NULL, 0), SANSIP_E_ARGUMENT);
    IS(sansip_answer_stored(none, 0, query), SANSIP_E_ARGUMENT);
    IS(sansip_answer_conflict(none, 0, query), SANSIP_E_ARGUMENT);
    sansip_parser_free(NULL);
    IS(sansip_parse(NULL, "x", 1, 0, NULL), SANSIP_E_ARGUMENT);
    IS(sansip_field_at(NULL, 0, NULL), SANSIP_E_ARGUMENT);
    IS(sansip_defect_at(NULL, 0, NULL), SANSIP_E_ARGUMENT);
}

static void null_arguments(sansip_engine *e, sansip_line line) {
    sansip_path path = path_to(1);
    const sansip_flow flow = {1}, no_flow = {0};
    const sansip_request request = {1};
    const sansip_query query = {1};
    const sansip_call call = {1};
    sansip_str wild = {NULL, 3};
    sansip_extras x;
    sansip_call out;
    IS(sansip_new(NULL, &limits, NULL, 0, &none), SANSIP_E_ARGUMENT);
    IS(sansip_new(&config, NULL, NULL, 0, &none), SANSIP_E_ARGUMENT);
    IS(sansip_new(&config, &limits, NULL, 0, NULL), SANSIP_E_ARGUMENT);
    IS(sansip_config_init(NULL), SANSIP_E_ARGUMENT);
    IS(sansip_limits_tiny(NULL), SANSIP_E_ARGUMENT);
    IS(sansip_footprint(NULL), 0);
    IS(sansip_receive(e, 0, NULL, "x", 1), SANSIP_E_ARGUMENT);
    IS(sansip_receive(e, 0, &path, NULL, 1), SANSIP_E_ARGUMENT);
    IS(sansip_receive(e, 0, &path, "x", SIZE_MAX), SANSIP_E_ARGUMENT);
    IS(sansip_receive_stream(e, 0, flow, "x", 1, NULL), SANSIP_E_ARGUMENT);
    IS(sansip_next_timeout(e, NULL), SANSIP_E_ARGUMENT);
    IS(sansip_read_stats(e, NULL), SANSIP_E_ARGUMENT);
    IS(sansip_line_add(e, 0, NULL, NULL), SANSIP_E_ARGUMENT);
    IS(sansip_invite(e, 0, line, text("sip:b@10.0.0.2"), 0, NULL, NULL), SANSIP_E_ARGUMENT);
    IS(sansip_invite(e, 0, line, wild, 0, NULL, &out), SANSIP_E_ARGUMENT);
    IS(sansip_invite(e, 0, line, text("sip:\xff@10.0.0.2"), 0, NULL, &out), SANSIP_E_ARGUMENT);
    memset(&x, 0, sizeof x);
    x.size = sizeof x;
    x.n_fields = 1;
    IS(sansip_ring(e, 0, call, 180, &x), SANSIP_E_ARGUMENT);
    x.n_fields = 0;
    x.body.n = 4;
    IS(sansip_ring(e, 0, call, 180, &x), SANSIP_E_ARGUMENT);
    IS(sansip_answer_addresses(e, 0, query, NULL, 1, 0), SANSIP_E_ARGUMENT);
    IS(sansip_answer_route(e, 0, query, NULL, 33), SANSIP_E_ARGUMENT);
    IS(sansip_add_targets(e, 0, request, NULL, 33, 0), SANSIP_E_ARGUMENT);
    IS(sansip_add_targets(e, 0, request, NULL, 0, 0), SANSIP_E_GONE);
    IS(sansip_answer_connected(e, 0, query, no_flow), SANSIP_E_ARGUMENT);
    IS(sansip_flow_closed(e, 0, no_flow, 0), SANSIP_E_ARGUMENT);
}

static void wrong_sizes_and_numbers(sansip_engine *e) {
    struct {
        sansip_limits l;
        uint32_t tail[2];
    } longer;
    sansip_config c = config;
    sansip_limits l = limits;
    sansip_local local;
    sansip_path path = path_to(1);
    const sansip_call call = {1};
    const sansip_request request = {1};
    const sansip_flow flow = {1};
    l.size = 0;
    IS(sansip_new(&c, &l, NULL, 0, &none), SANSIP_E_ARGUMENT);
    l.size = sizeof l - 1;
    IS(sansip_new(&c, &l, NULL, 0, &none), SANSIP_E_ARGUMENT);
    l.size = 0xffffffff;
    IS(sansip_new(&c, &l, NULL, 0, &none), SANSIP_E_ARGUMENT);
    memset(&longer, 0, sizeof longer);
    longer.l = limits;
    longer.l.size = sizeof longer;
    IS(sansip_footprint(&longer.l), sansip_footprint(&limits));
    longer.tail[1] = 1;
    IS(sansip_footprint(&longer.l), 0);
    l = limits;
    l.message = 65536;
    IS(sansip_new(&c, &l, NULL, 0, &none), SANSIP_E_ARGUMENT);
    l = limits;
    l.transactions = 0;
    IS(sansip_new(&c, &l, NULL, 0, &none), SANSIP_E_BAD_LIMIT);
    memset(c.seed, 0, sizeof c.seed);
    IS(sansip_new(&c, &limits, NULL, 0, &none), SANSIP_E_ZERO_SEED);
    c = config;
    c.roles = 8;
    IS(sansip_new(&c, &limits, NULL, 0, &none), SANSIP_E_ARGUMENT);
    c = config;
    c.tag = 256;
    IS(sansip_new(&c, &limits, NULL, 0, &none), SANSIP_E_ARGUMENT);
    c = config;
    c.max_bindings = 33;
    IS(sansip_new(&c, &limits, NULL, 0, &none), SANSIP_E_ARGUMENT);

    memset(&local, 0, sizeof local);
    local.size = sizeof local;
    local.transport = 9;
    local.bound = address(0);
    local.host = text("h");
    IS(sansip_set_local(e, 0, 1, &local), SANSIP_E_ARGUMENT);
    local.transport = SANSIP_UDP;
    IS(sansip_set_local(e, 0, 0, &local), SANSIP_E_ARGUMENT);
    IS(sansip_set_local(e, 0, 65536, &local), SANSIP_E_ARGUMENT);
    local.host = text("a b");
    IS(sansip_set_local(e, 0, 1, &local), SANSIP_E_LOCAL);
    path.local = 2;
    IS(sansip_receive(e, 0, &path, "x", 1), SANSIP_E_LOCAL);
    path = path_to(1);
    path.flow = flow;
    IS(sansip_receive(e, 0, &path, "x", 1), SANSIP_E_FLOW);
    path = path_to(1);
    path.remote.family = 5;
    IS(sansip_receive(e, 0, &path, "x", 1), SANSIP_E_ARGUMENT);
    IS(sansip_flow_closed(e, 0, flow, 4), SANSIP_E_ARGUMENT);
    IS(sansip_ring(e, 0, call, 70000, NULL), SANSIP_E_BAD_STATUS);
    IS(sansip_respond(e, 0, request, 99, NULL), SANSIP_E_BAD_STATUS);
}

static void stale_line(sansip_engine *e, sansip_line line) {
    sansip_call out;
    IS(sansip_line_remove(e, now, line), SANSIP_E_GONE);
    IS(sansip_register(e, now, line), SANSIP_E_GONE);
    IS(sansip_unregister(e, now, line), SANSIP_E_GONE);
    IS(sansip_invite(e, now, line, text("sip:b@10.0.0.2"), 0, NULL, &out), SANSIP_E_GONE);
    IS(out.v, 0);
}

static void stale_call(sansip_engine *e, sansip_call call) {
    IS(sansip_ring(e, now, call, 180, NULL), SANSIP_E_GONE);
    IS(sansip_answer_call(e, now, call, NULL), SANSIP_E_GONE);
    IS(sansip_reject(e, now, call, 486, NULL), SANSIP_E_GONE);
    IS(sansip_redirect(e, now, call, 302, text("sip:c@10.0.0.3"), NULL), SANSIP_E_GONE);
    IS(sansip_hangup(e, now, call), SANSIP_E_GONE);
    IS(sansip_reinvite(e, now, call, NULL), SANSIP_E_GONE);
}

/* Numbers that never were handles. */
static void wild(sansip_engine *e, uint64_t v) {
    sansip_line line;
    sansip_call call;
    sansip_request request;
    sansip_query query;
    char buffer[8];
    size_t n;
    line.v = call.v = request.v = query.v = v;
    stale_line(e, line);
    stale_call(e, call);
    IS(sansip_respond(e, now, request, 200, NULL), SANSIP_E_GONE);
    IS(sansip_message(e, request, buffer, sizeof buffer, &n), SANSIP_NOT_FOUND);
    IS(sansip_answer_failed(e, now, query), 0); /* a late answer is harmless */
}

static int out_of_turn(int32_t code) {
    return code == SANSIP_E_STATE || code == SANSIP_E_LATE;
}

static void verbs_out_of_turn(void) {
    sansip_call call;
    sansip_extras x;
    sansip_field f;
    IS(sansip_invite(nodes[0].engine, now, nodes[0].line, text("mailto:x"), 0, NULL, &call),
       SANSIP_E_BAD_URI);
    IS(sansip_invite(nodes[0].engine, now, nodes[0].line, text("sip:b@10.0.0.2"), 0, NULL, &call), 0);
    CHECK(out_of_turn(sansip_ring(nodes[0].engine, now, call, 180, NULL)));
    CHECK(out_of_turn(sansip_answer_call(nodes[0].engine, now, call, NULL)));
    CHECK(out_of_turn(sansip_reinvite(nodes[0].engine, now, call, NULL)));
    IS(sansip_ring(nodes[1].engine, now, call, 180, NULL), SANSIP_E_GONE); /* of the other engine */
    settle();
    IS(sansip_ring(nodes[1].engine, now, nodes[1].call, 200, NULL), SANSIP_E_BAD_STATUS);
    IS(sansip_reject(nodes[1].engine, now, nodes[1].call, 200, NULL), SANSIP_E_BAD_STATUS);
    memset(&x, 0, sizeof x);
    x.size = sizeof x;
    x.body.p = "x";
    x.body.n = 1;
    IS(sansip_answer_call(nodes[1].engine, now, nodes[1].call, &x), SANSIP_E_BAD_HEADER);
    f.name = text("Subject");
    f.value = text("x\r\nEvil: yes");
    memset(&x, 0, sizeof x);
    x.size = sizeof x;
    x.fields = &f;
    x.n_fields = 1;
    IS(sansip_answer_call(nodes[1].engine, now, nodes[1].call, &x), SANSIP_E_BAD_HEADER);
    IS(sansip_answer_call(nodes[1].engine, now, nodes[1].call, NULL), 0);
    settle();
    stale_call(nodes[0].engine, nodes[1].call);
    stale_line(nodes[0].engine, nodes[1].line);
    IS(sansip_hangup(nodes[0].engine, now, call), 0);
    run(60000);
    stale_call(nodes[0].engine, call);
}

/* Every length of memory from 0 up: an error or an engine, and not one byte beyond. */
static void short_memory(size_t step) {
    size_t need = sansip_footprint(&limits), n, i;
    uint8_t *memory = malloc(need + 64);
    sansip_engine *e;
    int made = 0;
    CHECK(memory != NULL);
    for (n = 0; n <= need; n += step) {
        int32_t code;
        memset(memory + n, 0xa5, 64);
        code = sansip_new(&config, &limits, memory, n, &e);
        for (i = 0; i < 64; i++) IS(memory[n + i], 0xa5);
        if (code == 0) {
            made = 1;
            sansip_free(e);
        } else {
            IS(code, SANSIP_E_FULL_MEMORY);
            CHECK(!made && e == NULL);
        }
    }
    IS(sansip_new(&config, &limits, memory + 1, need, &e), 0); /* any alignment */
    sansip_free(e);
    printf("misuse: footprint of TINY is %lu bytes\n", (unsigned long)need);
    free(memory);
}

/* Time that goes back counts as the last; time that leaps fires each timer once. */
static void clock_steps(void) {
    sansip_call call;
    uint64_t at;
    clear();
    IS(sansip_invite(nodes[0].engine, now, nodes[0].line, text("sip:b@10.0.0.2"), 0, NULL, &call), 0);
    settle();
    IS(sansip_handle_timeout(nodes[0].engine, now - 1000), 0);
    settle();
    CHECK(strcmp(ladder, "0>1 INVITE, ") == 0);
    now += 4294967296u; /* 49.7 days */
    IS(sansip_handle_timeout(nodes[0].engine, now), 0);
    settle();
    run(400000);
    IS(sansip_next_timeout(nodes[0].engine, &at), 0);
    CHECK(at == SANSIP_NEVER);
    IS(sansip_is_quiescent(nodes[0].engine), 1);
}

int main(int argc, char **argv) {
    int n;
    now = 5000;
    for (n = 0; n < 2; n++) {
        defaults(&config, &limits, n);
        phone(n, &config, &limits, 0);
    }
    null_engine();
    null_arguments(nodes[0].engine, nodes[0].line);
    wrong_sizes_and_numbers(nodes[0].engine);
    wild(nodes[0].engine, 0);
    wild(nodes[0].engine, 0xffffffffffffffffu);
    verbs_out_of_turn();
    clock_steps();
    IS(sansip_line_remove(nodes[0].engine, now, nodes[0].line), 0);
    stale_line(nodes[0].engine, nodes[0].line);
    hang_up_phones();
    IS(sansip_limits_tiny(&limits), 0);
    short_memory(argc > 1 ? (size_t)atoi(argv[1]) : 1);
    puts("misuse: ok");
    return 0;
}
