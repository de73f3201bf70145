/* A SIP phone on a UDP socket. It sends no sound, but says where it would go.
 *
 *     phone PORT              answers one call on 127.0.0.1:PORT and hangs up after a second
 *     phone PORT sip:URI      calls URI, an IP address, and waits for the other side to hang up
 *
 * Ends with status 0 if the call was answered. Other platforms have another socket and another
 * clock; the loop is the same. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "sansip.h"

static int sock;
static uint64_t hang_up_at = SANSIP_NEVER, leave_at = SANSIP_NEVER;
static sansip_call the_call;
static int answered;

static uint64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

static sansip_str str(const char *s) {
    sansip_str r;
    r.p = s;
    r.n = strlen(s);
    return r;
}

static void must(int32_t code, const char *what) {
    if (code >= 0) return;
    fprintf(stderr, "%s: %s\n", what, sansip_error_name(code));
    exit(2);
}

static void addr_of(sansip_addr *to, const struct sockaddr_in *from) {
    memset(to, 0, sizeof *to);
    memcpy(to->ip, &from->sin_addr, 4);
    to->port = ntohs(from->sin_port);
    to->family = 4;
}

static void transmit(sansip_engine *e, const sansip_transmit *t) {
    struct sockaddr_in to;
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_port = htons(t->path.remote.port);
    memcpy(&to.sin_addr, t->path.remote.ip, 4);
    if (sendto(sock, t->p, t->n, 0, (struct sockaddr *)&to, sizeof to) < 0)
        sansip_send_failed(e, now_ms(), t->send,
                           errno == EMSGSIZE ? SANSIP_SEND_TOO_LARGE : SANSIP_SEND_UNREACHABLE);
}

/* PCMU and the keys of the phone: all that a call can have on our side. */
static void answer_media(sansip_engine *e, sansip_query query) {
    sansip_codec codecs[2];
    sansip_stream sound;
    sansip_media media;
    memset(codecs, 0, sizeof codecs);
    memset(&sound, 0, sizeof sound);
    memset(&media, 0, sizeof media);
    codecs[0].name = str("PCMU");
    codecs[0].clock = 8000;
    codecs[1].name = str("telephone-event");
    codecs[1].clock = 8000;
    codecs[1].payload = 101;
    codecs[1].fmtp = str("0-15");
    sound.size = sizeof sound;
    sound.port = 40000;
    sound.codecs = codecs;
    sound.n_codecs = 2;
    media.size = sizeof media;
    media.address.family = 4;
    memcpy(media.address.ip, "\x7f\0\0\1", 4);
    media.streams = &sound;
    media.n_streams = 1;
    must(sansip_answer_media(e, now_ms(), query, &media), "media");
}

static void on_media(const sansip_agreed *m) {
    const sansip_agreed_stream *s;
    for (s = m->streams; s < m->streams + m->n_streams; s++) {
        if (s->refused || s->n_codecs == 0) continue;
        printf("media: %.*s as payload %u to %.*s:%u\n", (int)s->codecs->name.n, s->codecs->name.p,
               (unsigned)s->codecs->send_payload, (int)s->remote_host.n, s->remote_host.p,
               (unsigned)s->remote_port);
    }
}

static void on_question(sansip_engine *e, const sansip_question *q) {
    if (q->kind == SANSIP_Q_MEDIA)
        answer_media(e, q->id);
    else
        sansip_answer_failed(e, now_ms(), q->id);
}

static void on_event(sansip_engine *e, const sansip_event *ev) {
    sansip_str from = {"", 0};
    switch (ev->kind) {
    case SANSIP_EV_CALL_INCOMING:
        sansip_header(ev->message.p, ev->message.n, str("From"), 0, &from);
        printf("call from %.*s\n", (int)from.n, from.p);
        the_call = ev->call;
        must(sansip_ring(e, now_ms(), ev->call, 180, NULL), "ring");
        must(sansip_answer_call(e, now_ms(), ev->call, NULL), "answer");
        break;
    case SANSIP_EV_CALL_PROGRESS:
        printf("progress %u\n", (unsigned)ev->status);
        break;
    case SANSIP_EV_CALL_ANSWERED:
        puts("answered");
        answered = 1;
        break;
    case SANSIP_EV_CALL_CONFIRMED:
        puts("confirmed");
        answered = 1;
        hang_up_at = now_ms() + 1000;
        break;
    case SANSIP_EV_CALL_ENDED:
        printf("ended, why %u, status %u\n", (unsigned)ev->why, (unsigned)ev->status);
        hang_up_at = SANSIP_NEVER;
        leave_at = now_ms() + 500; /* for what was lost and comes again */
        break;
    case SANSIP_EV_REQUEST:
        sansip_respond(e, now_ms(), ev->request, 501, NULL);
        break;
    default:
        break;
    }
}

static void drain(sansip_engine *e) {
    const sansip_output *o;
    while ((o = sansip_poll(e)) != NULL) {
        switch (o->kind) {
        case SANSIP_TRANSMIT: transmit(e, &o->u.transmit); break;
        case SANSIP_EVENT: on_event(e, &o->u.event); break;
        case SANSIP_MEDIA: on_media(&o->u.media); break;
        case SANSIP_QUERY: on_question(e, &o->u.query); break;
        default: break;
        }
    }
}

static void listen_on(uint16_t port, struct sockaddr_in *bound) {
    socklen_t n = sizeof *bound;
    memset(bound, 0, sizeof *bound);
    bound->sin_family = AF_INET;
    bound->sin_port = htons(port);
    bound->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sock = socket(AF_INET, SOCK_DGRAM, 0);
    if (sock < 0 || bind(sock, (struct sockaddr *)bound, sizeof *bound) < 0 ||
        getsockname(sock, (struct sockaddr *)bound, &n) < 0 || fcntl(sock, F_SETFL, O_NONBLOCK) < 0) {
        perror("socket");
        exit(2);
    }
}

/* The engine takes exactly the memory it said it would need. */
static sansip_engine *make_engine(const struct sockaddr_in *bound, sansip_line *line) {
    sansip_config config;
    sansip_limits limits;
    sansip_local local;
    sansip_line_config lc;
    sansip_engine *e;
    size_t room;
    int random = open("/dev/urandom", O_RDONLY);
    memset(&config, 0, sizeof config);
    memset(&limits, 0, sizeof limits);
    memset(&local, 0, sizeof local);
    memset(&lc, 0, sizeof lc);
    config.size = sizeof config;
    limits.size = sizeof limits;
    must(sansip_config_init(&config), "config");
    must(sansip_limits_phone(&limits), "limits");
    if (read(random, config.seed, sizeof config.seed) != (ssize_t)sizeof config.seed) exit(2);
    close(random);
    config.roles = SANSIP_ROLE_UA;
    config.product = str("sansip phone.c");
    room = sansip_footprint(&limits);
    must(sansip_new(&config, &limits, malloc(room), room, &e), "engine");
    local.size = sizeof local;
    local.transport = SANSIP_UDP;
    addr_of(&local.bound, bound);
    local.host = str("127.0.0.1");
    local.port = ntohs(bound->sin_port);
    must(sansip_set_local(e, now_ms(), 1, &local), "local");
    lc.size = sizeof lc;
    lc.aor = str("sip:phone@127.0.0.1");
    lc.any = 1;
    must(sansip_line_add(e, now_ms(), &lc, line), "line");
    return e;
}

static void receive(sansip_engine *e) {
    static uint8_t buffer[65536];
    struct sockaddr_in from;
    socklen_t n = sizeof from;
    sansip_path path;
    ssize_t k = recvfrom(sock, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &n);
    if (k < 0) return;
    memset(&path, 0, sizeof path);
    addr_of(&path.remote, &from);
    path.local = 1;
    sansip_receive(e, now_ms(), &path, buffer, (size_t)k);
}

int main(int argc, char **argv) {
    struct sockaddr_in bound;
    struct pollfd p;
    sansip_line line;
    sansip_engine *e;
    if (argc < 2) return fprintf(stderr, "usage: phone PORT [sip:URI]\n"), 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    listen_on((uint16_t)atoi(argv[1]), &bound);
    e = make_engine(&bound, &line);
    printf("listening on 127.0.0.1:%u\n", (unsigned)ntohs(bound.sin_port));
    if (argc > 2) must(sansip_invite(e, now_ms(), line, str(argv[2]), 0, NULL, &the_call), argv[2]);
    p.fd = sock;
    p.events = POLLIN;
    while (now_ms() < leave_at) {
        drain(e);
        poll(&p, 1, sansip_wait_ms(e, now_ms(), 100));
        if (p.revents) receive(e);
        if (now_ms() >= hang_up_at) {
            hang_up_at = SANSIP_NEVER;
            sansip_hangup(e, now_ms(), the_call);
        }
        sansip_handle_timeout(e, now_ms());
    }
    sansip_free(e);
    return answered ? 0 : 1;
}
