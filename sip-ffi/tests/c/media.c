/* What a call's media is, given and asked for, and what both sides are told to send. */
#include "test.h"

static const char key[] = "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
static char said[2][600]; /* what each is told to send and hear */
static char first[600];   /* the caller, when the call began */
static sansip_query asked;
static sansip_call asked_for;
static char offered[1000];
static int answers; /* whether questions are answered at once */
static int rich;    /* whether there are pictures and keys */

static sansip_codec codec(const char *name, uint32_t clock, uint8_t payload, const char *fmtp) {
    sansip_codec c;
    memset(&c, 0, sizeof c);
    c.name = text(name);
    c.fmtp = text(fmtp);
    c.clock = clock;
    c.payload = payload;
    return c;
}

/* Sound with two codecs and keys for it, and pictures at the caller. */
static const sansip_media *of(int n) {
    static sansip_codec sound[2][3], pictures;
    static sansip_stream streams[2][2];
    static sansip_media media[2];
    sansip_stream *s = streams[n];
    memset(streams[n], 0, sizeof streams[n]);
    memset(&media[n], 0, sizeof media[n]);
    sound[n][0] = codec(n == 0 ? "opus" : "PCMA", n == 0 ? 48000 : 8000, n == 0 ? 96 : 8, "");
    sound[n][0].channels = n == 0 ? 2 : 1;
    sound[n][1] = codec("PCMU", 8000, 0, "");
    sound[n][2] = codec("telephone-event", 8000, n == 0 ? 97 : 101, "0-15");
    pictures = codec("H264", 90000, 98, "packetization-mode=1");
    s[0].size = s[1].size = sizeof *s;
    s[0].port = (uint16_t)(4000 + 1000 * n);
    s[0].ptime_ms = (uint16_t)(20 + 10 * n);
    s[0].bandwidth = 64;
    if (rich) s[0].crypto = text(key);
    s[0].codecs = sound[n];
    s[0].n_codecs = 3;
    s[1].kind = SANSIP_KIND_VIDEO;
    s[1].port = 4002;
    s[1].codecs = &pictures;
    s[1].n_codecs = 1;
    media[n].size = sizeof media[n];
    media[n].address = address(n);
    media[n].streams = s;
    media[n].n_streams = n == 0 && rich ? 2 : 1;
    return &media[n];
}

static void tell(int n, const sansip_agreed *m) {
    static const char *ways[] = {"", "both", "send", "hear", "none"};
    const sansip_agreed_stream *s;
    char *to = said[n];
    size_t i;
    *to = 0;
    for (s = m->streams; s < m->streams + m->n_streams; s++) {
        if (s->refused) {
            to += sprintf(to, "%u refused\n", s->kind);
            continue;
        }
        to += sprintf(to, "%u %s%s%s port %u to %u.%u.%u.%u:%u %.*s ptime %u as %u%s:", s->kind,
                      ways[s->direction], s->held_by_peer ? " held" : "",
                      s->held_by_us ? " holding" : "", s->local_port, s->remote.ip[0],
                      s->remote.ip[1], s->remote.ip[2], s->remote.ip[3], s->remote.port,
                      (int)s->transport.n, s->transport.p, s->ptime_ms, s->bandwidth,
                      same(s->local_crypto, key) && same(s->remote_crypto, key) ? " keyed" : "");
        for (i = 0; i < s->n_codecs; i++) {
            const sansip_agreed_codec *c = &s->codecs[i];
            to += sprintf(to, " %.*s/%u/%u send %u hear %u %.*s", (int)c->name.n, c->name.p, c->clock,
                          c->channels, c->send_payload, c->receive_payload, (int)c->fmtp.n, c->fmtp.p);
        }
        to += sprintf(to, "\n");
    }
    CHECK(m->local.n > 5 && memcmp(m->local.p, "v=0\r\n", 5) == 0);
    CHECK(m->remote.n > 5 && memcmp(m->remote.p, "v=0\r\n", 5) == 0);
    IS(m->line.v, nodes[n].line.v);
    IS(m->user, n == 0 ? 42 : 0);
}

static void watch(int n, const sansip_output *o) {
    if (o->kind == SANSIP_MEDIA) {
        CHECK(o->u.media.call.v != 0);
        tell(n, &o->u.media);
    } else if (o->kind == SANSIP_QUERY) {
        IS(o->u.query.kind, SANSIP_Q_MEDIA);
        asked = o->u.query.id;
        asked_for = o->u.query.call;
        CHECK(o->u.query.text.n < sizeof offered);
        memcpy(offered, o->u.query.text.p, o->u.query.text.n);
        offered[o->u.query.text.n] = 0;
        if (answers) IS(sansip_answer_media(nodes[n].engine, now, asked, of(n)), 0);
    }
}

static void phones(int32_t (*preset)(sansip_limits *), uint32_t hold) {
    sansip_config config;
    sansip_limits limits;
    int n;
    now = 1000;
    for (n = 0; n < 2; n++) {
        defaults(&config, &limits, n);
        IS(preset(&limits), 0);
        IS(config.hold, SANSIP_HOLD_SENDONLY);
        config.roles = SANSIP_ROLE_UA;
        config.no_ask_media = 0;
        config.hold = hold;
        phone(n, &config, &limits, 1);
    }
    look = watch;
    answers = rich = 1;
    said[0][0] = said[1][0] = 0;
    clear();
}

static sansip_call invite(const sansip_media *media) {
    sansip_call call;
    sansip_extras x;
    memset(&x, 0, sizeof x);
    x.size = sizeof x;
    x.media = media;
    IS(sansip_invite(nodes[0].engine, now, nodes[0].line, text("sip:b@10.0.0.2"), 42, &x, &call), 0);
    settle();
    return call;
}

static void told(int n, const char *wanted) {
    if (strcmp(said[n], wanted) == 0) return;
    fprintf(stderr, "node %d is told\n%snot\n%s", n, said[n], wanted);
    exit(1);
}

/* The caller's media is given with the call, the callee's when it is asked for. */
static void given_and_asked(int32_t (*preset)(sansip_limits *), int with_all) {
    sansip_call call;
    phones(preset, SANSIP_HOLD_SENDONLY);
    answers = 0;
    rich = with_all;
    call = invite(of(0));
    CHECK(strcmp(ladder, "0>1 INVITE, ") == 0);
    IS(sansip_answer_call(nodes[1].engine, now, nodes[1].call, NULL), 0);
    settle();
    CHECK(asked_for.v == nodes[1].call.v && strstr(offered, "m=audio 4000 RTP/AVP 96 0 97\r\n") != NULL);
    CHECK(strcmp(ladder, "0>1 INVITE, ") == 0);
    IS(sansip_answer_media(nodes[1].engine, now, asked, of(1)), 0);
    settle();
    CHECK(strcmp(ladder, "0>1 INVITE, 1>0 200, 0>1 ACK, ") == 0);
    strcpy(first, said[0]);
    if (rich) {
        told(0, "1 both port 4000 to 10.0.0.2:5000 RTP/AVP ptime 30 as 64 keyed:"
                " PCMU/8000/1 send 0 hear 0  telephone-event/8000/1 send 97 hear 97 0-15\n2 refused\n");
        told(1, "1 both port 5000 to 10.0.0.1:4000 RTP/AVP ptime 20 as 64 keyed:"
                " PCMU/8000/1 send 0 hear 0  telephone-event/8000/1 send 97 hear 97 0-15\n2 refused\n");
    }
    run(40000);
    IS(sansip_hold(nodes[0].engine, now, call), 0);
    settle();
    CHECK(strncmp(said[0], "1 send holding port 4000", 24) == 0);
    CHECK(strncmp(said[1], "1 hear held port 5000", 21) == 0);
    run(40000);
    IS(sansip_resume(nodes[0].engine, now, call), 0);
    settle();
    CHECK(strncmp(said[0], "1 both port 4000", 16) == 0);
    CHECK(strncmp(said[1], "1 both port 5000", 16) == 0);
    IS(sansip_hangup(nodes[0].engine, now, call), 0);
    run(60000);
    hang_up_phones();
}

/* Both are asked; each way to hold reaches the peer. */
static void holds(void) {
    static const char *caller[] = {"", "1 send holding", "1 none held holding", "1 send holding"};
    static const char *callee[] = {"", "1 hear held", "1 none held holding", "1 hear held"};
    uint32_t hold;
    for (hold = SANSIP_HOLD_SENDONLY; hold <= SANSIP_HOLD_ZERO; hold++) {
        sansip_call call;
        phones(sansip_limits_phone, hold);
        call = invite(NULL);
        IS(sansip_answer_call(nodes[1].engine, now, nodes[1].call, NULL), 0);
        settle();
        CHECK(strncmp(said[0], "1 both", 6) == 0 && strncmp(said[1], "1 both", 6) == 0);
        IS(sansip_hold(nodes[0].engine, now, call), 0);
        settle();
        CHECK(strncmp(said[0], caller[hold], strlen(caller[hold])) == 0);
        CHECK(strncmp(said[1], callee[hold], strlen(callee[hold])) == 0);
        CHECK((strstr(said[1], "to 0.0.0.0:0 ") != NULL) == (hold == SANSIP_HOLD_ZERO));
        hang_up_phones();
    }
}

/* Descriptions of one's own, no media at all, and media that cannot be. */
static void other_answers(void) {
    static const char mine[] =
        "v=0\r\no=- 7 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\n"
        "m=audio 7000 RTP/AVP 0\r\nm=video 0 RTP/AVP 98\r\n";
    sansip_media media = *of(0);
    sansip_stream stream = *media.streams;
    sansip_codec many[257];
    sansip_stream streams[65];
    sansip_extras x;
    sansip_call call;
    int n;
    phones(sansip_limits_phone, 0);
    answers = 0;
    stream.crypto.n = 0;
    media.streams = &stream;
    media.n_streams = 1;

    invite(of(0));
    IS(sansip_answer_call(nodes[1].engine, now, nodes[1].call, NULL), 0);
    settle();
    IS(sansip_answer_description(nodes[1].engine, now, asked, text(mine)), 0);
    settle();
    CHECK(strncmp(said[0], "1 both port 4000 to 10.0.0.2:7000 RTP/AVP ", 42) == 0);

    invite(of(0));
    IS(sansip_answer_call(nodes[1].engine, now, nodes[1].call, NULL), 0);
    settle();
    IS(sansip_answer_not_found(nodes[1].engine, now, asked), 0);
    settle();
    IS(nodes[0].why, SANSIP_END_REFUSED);
    IS(nodes[0].status, 488);

    memset(&x, 0, sizeof x);
    x.size = sizeof x;
    x.media = &media;
#define REFUSED(code)                                                                             \
    IS(sansip_invite(nodes[0].engine, now, nodes[0].line, text("sip:b@10.0.0.2"), 42, &x, &call), \
       code)
    x.content_type = text("text/plain");
    x.body.p = "hi";
    x.body.n = 2;
    REFUSED(SANSIP_E_MEDIA);
    x.body.n = 0;
    stream.port = 0;
    REFUSED(SANSIP_E_MEDIA);
    stream.port = 4000;
    stream.kind = SANSIP_KIND_OTHER;
    REFUSED(SANSIP_E_ARGUMENT);
    stream.kind = 0;
    stream.direction = 5;
    REFUSED(SANSIP_E_ARGUMENT);
    stream.direction = SANSIP_RECVONLY;
    stream.size--;
    REFUSED(SANSIP_E_ARGUMENT);
    stream.size++;
    stream.n_codecs = 257;
    for (n = 0; n < 257; n++) many[n] = stream.codecs[1];
    stream.codecs = many;
    REFUSED(SANSIP_E_MEDIA);
    stream.n_codecs = 1;
    media.address.family = 5;
    REFUSED(SANSIP_E_ARGUMENT);
    media.address.family = 4;
    for (n = 0; n < 65; n++) streams[n] = stream;
    media.streams = streams;
    media.n_streams = 65;
    REFUSED(SANSIP_E_MEDIA);
    media.streams = NULL;
    REFUSED(SANSIP_E_ARGUMENT);
    IS(sansip_answer_media(nodes[0].engine, now, asked, NULL), SANSIP_E_ARGUMENT);
    media.streams = &stream;
    media.n_streams = 1;
    REFUSED(SANSIP_OK);
    settle();
    CHECK(asked.v != 0);
    hang_up_phones();
}

/* Streams of a later header are longer; each says how long it is. */
static void longer_streams(void) {
    struct {
        sansip_stream s;
        uint64_t later[2];
    } longer[2];
    sansip_media media = *of(0);
    memset(longer, 0, sizeof longer);
    longer[0].s = media.streams[0];
    longer[1].s = media.streams[1];
    longer[0].s.size = longer[1].s.size = sizeof longer[0];
    media.streams = &longer[0].s;
    phones(sansip_limits_phone, 0);
    invite(&media);
    answers = 0;
    IS(sansip_answer_call(nodes[1].engine, now, nodes[1].call, NULL), 0);
    settle();
    CHECK(strstr(offered, "m=video 4002 RTP/AVP 98\r\n") != NULL);
    hang_up_phones();
}

int main(void) {
    given_and_asked(sansip_limits_tester, 1);
    printf("media: the caller is told\n%s", first);
    given_and_asked(sansip_limits_phone, 1);
    given_and_asked(sansip_limits_tiny, 0);
    holds();
    other_answers();
    longer_streams();
    puts("media: ok");
    return 0;
}
