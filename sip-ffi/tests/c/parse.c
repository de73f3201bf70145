/* The parser, without an engine. */
#include "test.h"

static const char clean[] =
    "INVITE sip:bob@example.com SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKone\r\n"
    "v: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKtwo\r\n"
    "From: \"A\" <sip:alice@example.com>;tag=1\r\n"
    "To: <sip:bob@example.com>\r\n"
    "Call-ID: 1@10.0.0.1\r\n"
    "CSeq: 1 INVITE\r\n"
    "Max-Forwards: 70\r\n"
    "Contact: <sip:alice@10.0.0.1>\r\n"
    "X-Odd: kept\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 5\r\n"
    "\r\n"
    "hello";

static void without_memory(void) {
    sansip_msg m;
    sansip_str v;
    m.size = sizeof m;
    IS(sansip_read(clean, sizeof clean - 1, &m), 0);
    IS(m.is_request, 1);
    IS(m.status, 0);
    IS(m.n_fields, 11);
    CHECK(same(m.method, "INVITE") && same(m.uri, "sip:bob@example.com") && m.reason.n == 0);
    CHECK(m.body.n == 5 && memcmp(m.body.p, "hello", 5) == 0);
    IS(sansip_header(clean, sizeof clean - 1, text("VIA"), 1, &v), 0);
    CHECK(same(v, "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKtwo"));
    CHECK(v.p > clean && v.p < clean + sizeof clean); /* lent, not copied */
    IS(sansip_header(clean, sizeof clean - 1, text("x-odd"), 0, &v), 0);
    CHECK(same(v, "kept"));
    IS(sansip_header(clean, sizeof clean - 1, text("Via"), 2, &v), SANSIP_NOT_FOUND);
    CHECK(v.p == NULL && v.n == 0);
    IS(sansip_header("hello", 5, text("Via"), 0, &v), SANSIP_IGNORED_NOT_SIP);
    IS(sansip_read("\r\n\r\n", 4, &m), SANSIP_IGNORED_KEEPALIVE);
    IS(sansip_read("SIP/2.0 404 Not Here\r\n\r\n", 24, &m), 0);
    CHECK(m.is_request == 0 && m.status == 404 && same(m.reason, "Not Here") && m.body.n == 0);
}

static void indexed(sansip_parser *p) {
    sansip_msg m;
    sansip_field f;
    sansip_defect d;
    m.size = sizeof m;
    d.size = sizeof d;
    IS(sansip_parse(p, clean, sizeof clean - 1, SANSIP_DATAGRAM, &m), 0);
    IS(m.n_fields, 11);
    IS(m.n_defects, 0);
    IS(m.consumed, sizeof clean - 1);
    IS(sansip_field_at(p, 1, &f), 0);
    CHECK(same(f.name, "v") && same(f.value, "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKtwo"));
    IS(sansip_field_at(p, 8, &f), 0);
    CHECK(same(f.name, "X-Odd") && same(f.value, "kept"));
    IS(sansip_field_at(p, 11, &f), SANSIP_NOT_FOUND);
    IS(sansip_defect_at(p, 0, &d), SANSIP_NOT_FOUND);
}

static void broken(sansip_parser *p) {
    static const char cut[] =
        "\r\nBYE sip:bob@example.com SIP/2.0\r\nno header\r\nContent-Length: 9\r\n\r\nhello";
    sansip_msg m;
    sansip_defect d;
    uint32_t i;
    int line = 0, length = 0, crlf = 0, via = 0;
    m.size = sizeof m;
    IS(sansip_parse(p, cut, sizeof cut - 1, 0, &m), 0);
    for (i = 0; i < m.n_defects; i++) {
        d.size = sizeof d;
        IS(sansip_defect_at(p, i, &d), 0);
        CHECK(d.clause.n > 0 && d.text.n > 0);
        if (same(d.text, "line is no header field")) {
            line = 1;
            IS(d.status, 400);
            IS(d.length, 9);
            IS(memcmp((const char *)m.raw.p + d.at, "no header", 9), 0);
        }
        length |= same(d.text, "body is shorter than Content-Length");
        via |= same(d.text, "no Via") && same(d.clause, "RFC 3261 8.1.1");
        crlf |= same(d.text, "empty line before the start line");
    }
    CHECK(line && length && crlf && via);
}

static void stream(sansip_parser *p) {
    static const char two[] =
        "OPTIONS sip:a SIP/2.0\r\nContent-Length: 2\r\n\r\nhiBYE sip:a SIP/2.0\r\nl: 0\r\n\r\n";
    sansip_msg m;
    m.size = sizeof m;
    IS(sansip_parse(p, two, sizeof two - 1, SANSIP_STREAM, &m), 0);
    CHECK(same(m.method, "OPTIONS") && m.body.n == 2);
    IS(sansip_parse(p, two + m.consumed, sizeof two - 1 - m.consumed, SANSIP_STREAM, &m), 0);
    CHECK(same(m.method, "BYE") && m.body.n == 0);
    IS(sansip_parse(p, "nothing", 7, SANSIP_STREAM, &m), SANSIP_IGNORED_NOT_SIP);
    IS(sansip_parse(p, NULL, 0, SANSIP_STREAM, &m), SANSIP_IGNORED_KEEPALIVE);
}

int main(void) {
    sansip_parser *p;
    sansip_limits few;
    void *memory;
    size_t n = sansip_parser_footprint(NULL), k;
    without_memory();
    IS(sansip_parser_new(NULL, NULL, 0, &p), 0);
    indexed(p);
    broken(p);
    stream(p);
    indexed(p);
    sansip_parser_free(p);
    CHECK((memory = malloc(n)) != NULL);
    IS(sansip_parser_new(NULL, memory, n, &p), 0);
    indexed(p);
    sansip_parser_free(p);
    free(memory);

    /* Room for two fields: the rest is a defect, and nothing is written beyond. */
    few.size = sizeof few;
    IS(sansip_limits_tiny(&few), 0);
    few.fields = 2;
    few.defects = 1;
    n = sansip_parser_footprint(&few);
    for (k = 0; k <= n; k++) {
        CHECK((memory = malloc(k + 1)) != NULL);
        if (sansip_parser_new(&few, memory, k, &p) == 0) {
            sansip_msg m;
            sansip_field f;
            m.size = sizeof m;
            IS(sansip_parse(p, clean, sizeof clean - 1, 0, &m), 0);
            IS(m.n_fields, 2);
            CHECK(m.n_defects > 1); /* one with its position, of the others the kind */
            IS(sansip_field_at(p, 2, &f), SANSIP_NOT_FOUND);
            sansip_parser_free(p);
        } else {
            IS(sansip_parser_new(&few, memory, k, &p), SANSIP_E_FULL_MEMORY);
            CHECK(p == NULL && k < n);
        }
        free(memory);
    }
    puts("parse: ok");
    return 0;
}
